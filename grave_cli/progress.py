"""Progress of long work, reported to any listener.

The core reports through `Progress`; the command line draws it with Rich; tests and library users
stay silent.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[float], None]
"""Reports the amount of work done since the last call, in the unit of the task."""


class Progress(Protocol):
    """A progress listener: shows tasks, one after the other or nested, and notes."""

    def task(
        self, description: str, total: float | None, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        """Open a task and yield the function that advances it.

        Args:
            description: Name of the task, in a few words.
            total: Amount of work in `unit`; None if unknown.
            unit: Unit of the work, shown in the rate ("Mpx", "chips").
        """
        ...

    def note(self, message: str) -> None:
        """Show a message of one line (the DEM found, the scores of an epoch)."""
        ...

    def warn(self, message: str) -> None:
        """Show a message of one line that no user should miss (an outline ignored)."""
        ...


class Silent:
    """A progress listener that shows nothing."""

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Advance]:
        """Yield a function that does nothing."""
        yield lambda amount: None

    def note(self, message: str) -> None:
        """Show nothing."""

    def warn(self, message: str) -> None:
        """Show nothing."""


SILENT = Silent()
