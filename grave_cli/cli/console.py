"""Terminal output: progress bars and notes on stderr, results on stdout."""

import json
import logging
import math
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from grave_cli.cli.streams import visible
from grave_cli.progress import Advance, Silent
from grave_cli.wording import duration, rounded

_AT_ONCE_S = 0.02  # work reported this soon was done before
_WIDE = 1000  # columns without a terminal: tables in a file lose none


class PlainConsole(Console):
    """Prints strings as they are: no markup, no emoji codes, control characters shown.

    Names of files, cemeteries and runs come from others. Use `Text` for colours.
    """

    def render_str(self, text: str, **how: Any) -> Text:
        """Convert a string, also the cell of a table, to text."""
        return super().render_str(
            visible(text, keep="\n"), **{**how, "markup": False, "emoji": False}
        )


ERR = PlainConsole(stderr=True, highlight=False, soft_wrap=True)
OUT = PlainConsole(highlight=False, width=None if sys.stdout.isatty() else _WIDE)


class RateColumn(TextColumn):
    """Shows the work done per second, in the unit of the task."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Any) -> Text:
        """Format the rate."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(
            f"{rounded(speed, 3)} {task.fields.get('unit', '')}/s", style="progress.data.speed"
        )


class TimeLeftColumn(TextColumn):
    """Shows the time left, by the mean time of a step since the task began.

    Steps that were reported at once are the work of an earlier process and took no time of this
    one. Rich's own column follows the last 30 seconds: it jumps when a training validates.
    """

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Any) -> Text:
        """Format the time."""
        return Text(_time_left(task), style="progress.remaining")


def _time_left(task: Any) -> str:
    if task.total is None or task.elapsed is None or task.finished:
        return ""
    done = task.completed - task.fields["before"]
    if done <= 0:
        return ""
    return f"{duration(task.elapsed / done * (task.total - task.completed))} left"


class TerminalProgress:
    """Draws progress with Rich; without a terminal it only writes the notes."""

    def __init__(self) -> None:
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            RateColumn(),
            TimeElapsedColumn(),
            TimeLeftColumn(),
            console=ERR,
            transient=True,
            disable=not ERR.is_terminal,
        )
        self._open = 0

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Advance]:
        """Show a progress bar while the block runs."""
        if not self._open:
            self._bars.start()
        self._open += 1
        task = self._bars.add_task(visible(description), total=total, unit=unit, before=0.0)
        start, before = time.monotonic(), 0.0

        def advance(amount: float) -> None:
            nonlocal before
            if time.monotonic() - start < _AT_ONCE_S:
                before += amount
            self._bars.update(task, advance=amount, before=before)

        try:
            yield advance
        finally:
            self._bars.remove_task(task)
            self._open -= 1
            if not self._open:
                self._bars.stop()

    def note(self, message: str) -> None:
        """Write a line above the progress bars."""
        _print_note(message)

    def warn(self, message: str) -> None:
        """Write a line above the progress bars, in yellow."""
        _print_note(message, style="yellow")


class QuietProgress(Silent):
    """Shows warnings alone."""

    def warn(self, message: str) -> None:
        """Write a line."""
        _print_note(message)


def _print_note(message: str, style: str | None = None) -> None:
    with suppress(OSError):  # a full disk behind stderr does not end the work
        ERR.print(visible(message), style=style)


def set_up_logging(verbose: bool) -> None:
    """Hide log messages and warnings of libraries, unless verbose.

    Lightning and MLflow set their own levels when they are imported, which is later; only
    `logging.disable` outlasts that.
    """
    level = logging.INFO if verbose else logging.ERROR
    form = "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=level, format=form)
    if not verbose:
        logging.disable(logging.WARNING)
        warnings.simplefilter("ignore")


def print_json(value: Mapping[str, Any]) -> None:
    """Print a result as JSON; letters that stdout cannot encode become escapes.

    JSON has no NaN and no infinity: undefined numbers are null.
    """
    value = _defined(value)
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    sys.stdout.write(f"{text}\n")


def _defined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _defined(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_line(text: str) -> None:
    """Print one line of a result as text."""
    OUT.print(visible(text), soft_wrap=True)
