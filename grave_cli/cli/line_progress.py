"""Progress for another program: one JSON object a line on stderr, instead of bars."""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from grave_cli.progress import Advance

VARIABLE = "GRAVECLI_PROGRESS"
"""Name of the environment variable that asks for it, with the value `lines`."""

_EVERY_S = 0.2


def wants_lines() -> bool:
    """Whether the program that called this one asks for lines."""
    return os.environ.get(VARIABLE) == "lines"


class LineProgress:
    """Writes tasks with their share done, notes and warnings.

    Args:
        quiet: Write warnings and progress, but no notes.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Advance]:
        """Write the share of a task that is done, at most five times a second."""
        _write({"task": description, "progress": 0.0 if total else None})
        done, told = 0.0, time.monotonic()

        def advance(amount: float) -> None:
            nonlocal done, told
            done += amount
            now = time.monotonic()
            if total and now - told >= _EVERY_S:
                told = now
                _write({"progress": round(min(done / total, 1), 4)})

        yield advance
        if total:
            _write({"progress": 1.0})

    def note(self, message: str) -> None:
        """Write a note."""
        if not self._quiet:
            _write({"note": message})

    def warn(self, message: str) -> None:
        """Write a warning."""
        _write({"warning": message})


def _write(news: dict[str, object]) -> None:
    with suppress(OSError):
        sys.stderr.write(f"{json.dumps(news)}\n")
        sys.stderr.flush()
