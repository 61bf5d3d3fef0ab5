"""How long work tells an onlooker how far it is, without knowing who looks.

The core reports through `Progress`; the command line draws it with Rich; tests and libraries stay
silent.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[float], None]
"""Called with the amount of work done since the last call, in the unit of its task."""


class Progress(Protocol):
    """Shows one task at a time, or nests them."""

    def task(
        self, description: str, total: float | None, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        """Open a task and yield the function that advances it.

        Args:
            description: What is being done, in a few words.
            total: Amount of work in `unit`; None when it is not known.
            unit: What is counted, for the rate ("Mpx", "chips").
        """
        ...

    def note(self, message: str) -> None:
        """Tell the onlooker something worth a line (which DEM was taken, what was repaired)."""
        ...


class Silent:
    """A progress that shows nothing."""

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Advance]:
        """Yield a function that does nothing."""
        yield lambda amount: None

    def note(self, message: str) -> None:
        """Say nothing."""


SILENT = Silent()
