"""Outcomes in, a summary that is renewed as they come, without taking much of the time."""

from bisect import insort
from collections.abc import Callable
from time import perf_counter
from types import TracebackType

from grave_cli.batch.outcomes import Outcome, Summary

_SHARE = 0.05


class SummaryWriter:
    """Renews a summary after each cemetery, or after several once it has become long.

    A summary of 10,000 cemeteries takes half a second to write. Renewed after each of them, it
    would take most of an hour, and ten times as many cemeteries would take days. So after a renewal
    the next one waits until writing takes at most a twentieth of the time. The end of the block
    writes the outcomes that are still missing, also after an error.

    Args:
        summary: Its files.
        clock: Returns the time in seconds.
    """

    def __init__(self, summary: Summary, clock: Callable[[], float] = perf_counter) -> None:
        self._summary = summary
        self._clock = clock
        self._due_s = clock()
        self._is_behind = False
        self.outcomes: list[Outcome] = []

    def __enter__(self) -> "SummaryWriter":
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is missing.

        Raises:
            ExportError: A file cannot be written.
        """
        if self._is_behind:
            self._write()

    def add(self, outcome: Outcome) -> None:
        """Take the outcome of a cemetery; outcomes are sorted by cemetery.

        Raises:
            ExportError: A file cannot be written.
        """
        insort(self.outcomes, outcome, key=lambda one: one.cemetery)
        self._is_behind = True
        if self._clock() >= self._due_s:
            self._write()

    def _write(self) -> None:
        begin_s = self._clock()
        self._summary.write(self.outcomes)
        self._is_behind = False  # not before: Ctrl-C may end the writing
        end_s = self._clock()
        self._due_s = end_s + (end_s - begin_s) * (1 / _SHARE - 1)
