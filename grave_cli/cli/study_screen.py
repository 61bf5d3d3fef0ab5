"""The live table of a study: its trials, the best one so far, the time left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from grave_cli.cli.console import ERR, TerminalProgress
from grave_cli.cli.tables import fit_table, make_table
from grave_cli.progress import Progress
from grave_cli.wording import counted, duration, rounded

if TYPE_CHECKING:
    from rich.table import Table

    from grave_cli.tuning.result import StudyStatus, StudyWatch, TrialRow

_ROWS = 12  # of the newest trials
_NARROWEST = 20  # letters for the parameters of a trial
_LOOK_S = 1.0  # between two queries of the storage
_COLORS = {"RUNNING": "cyan", "COMPLETE": "green", "PRUNED": "yellow", "FAIL": "red"}


class StudyScreen(TerminalProgress):
    """Draws a study as a table above the progress bars.

    Args:
        watch: Reads the state of the study.
    """

    def __init__(self, watch: "StudyWatch") -> None:
        super().__init__()
        self._watch = watch
        self._seen: StudyStatus | None = None
        self._looked = 0.0

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show the table while the block runs."""
        self._open += 1  # the bars are part of this display and start none of their own
        try:
            with Live(get_renderable=self._draw, console=ERR, refresh_per_second=4, transient=True):
                yield
        finally:
            self._open -= 1

    def _draw(self) -> RenderableType:
        if time.monotonic() - self._looked > _LOOK_S:
            self._seen = self._watch.status()
            self._looked = time.monotonic()
        bars = self._bars.get_renderable()
        if self._seen is None or not self._seen.rows:
            return bars
        return Group(fitted_table(self._seen, ERR), summary(self._seen), bars)


@contextmanager
def show_study(watch: "StudyWatch", progress: Progress) -> Iterator[Progress]:
    """Show a study while the block works on it, if stderr is a terminal."""
    if not isinstance(progress, TerminalProgress) or not ERR.is_terminal:
        yield progress
        return
    screen = StudyScreen(watch)
    with screen.live():
        yield screen


def study_table(status: "StudyStatus") -> "Table":
    """List the newest trials; the best one is among them or above them."""
    rows = list(status.rows[-_ROWS:])
    if status.best is not None and status.best not in rows:
        rows.insert(0, status.best)
    headings = ("trial", "state", "value", "epoch", "time", "parameters")
    table = make_table(headings, left=("state", "parameters"))
    table.box, table.padding = SIMPLE_HEAD, (0, 1, 0, 0)
    for row in rows:
        style = "bold" if row == status.best else ""
        table.add_row(*_cells(row), _parameters(row), style=style)
    return table


def fitted_table(status: "StudyStatus", console: Console) -> "Table":
    """List the newest trials, in a narrow terminal without the less important columns."""
    table = study_table(status)
    fit_table(table, console, ("time", "epoch", "state"), {"parameters": _NARROWEST})
    return table


def summary(status: "StudyStatus") -> Text:
    """Summarise the state of a study in one line."""
    parts = [f"{status.finished} of {counted(status.wanted, 'trial')}"]
    if status.best is not None:
        parts.append(f"best {_short(status.best.value)} (trial {status.best.number})")
    if status.left_s is not None:
        parts.append(f"about {duration(status.left_s)} left")
    return Text(", ".join(parts))


def _cells(row: "TrialRow") -> tuple[str | Text, ...]:
    return (
        str(row.number),
        Text(row.state.lower(), style=_COLORS.get(row.state, "dim")),
        _short(row.value),
        str(row.epochs or ""),
        duration(row.seconds),
    )


def _parameters(row: "TrialRow") -> str:
    """List the parameters of a trial, by the last part of each key."""
    named = {key.rpartition(".")[2]: value for key, value in row.params.items()}
    return " ".join(f"{name}={_short(value)}" for name, value in named.items())


def _short(value: Any) -> str:
    if value is None:
        return ""
    return rounded(value) if isinstance(value, float) else str(value)
