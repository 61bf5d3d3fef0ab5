"""A look at a study while others work on it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from grave_cli.tuning.result import Standing, standing_of
from grave_cli.tuning.shared_study import SharedStudy


class StudyWatch:
    """Looks at a study, from any thread; sees nothing while none is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._study: SharedStudy | None = None
        self._wanted = 0

    @contextmanager
    def over(self, study: SharedStudy, wanted: int) -> Iterator[None]:
        """Let a study be looked at while the block runs.

        Args:
            study: The study.
            wanted: Finished trials it is to have.
        """
        self._study, self._wanted = study, wanted
        try:
            yield
        finally:
            with self._lock:  # its storage is closed next
                self._study = None

    def look(self) -> Standing | None:
        """Say how it stands; None while there is nothing to see."""
        with self._lock:
            return standing_of(self._study, self._wanted) if self._study is not None else None
