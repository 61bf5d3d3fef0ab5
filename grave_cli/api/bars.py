"""Progress bars for a notebook or a terminal, by tqdm or by Rich."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text
from tqdm import TqdmExperimentalWarning, TqdmWarning

from grave_cli.progress import Advance

with warnings.catch_warnings():  # widgets that are missing, and that they are new
    warnings.simplefilter("ignore", TqdmWarning)
    warnings.simplefilter("ignore", TqdmExperimentalWarning)
    from tqdm.auto import tqdm


class TqdmBars:
    """A bar of tqdm for each task: widgets in a notebook that has them, else text."""

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Advance]:
        """Show a bar while the block runs."""
        shape = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}" if total else None
        bar = tqdm(desc=description, total=total, unit=f" {unit}", bar_format=shape, leave=False)
        try:
            yield lambda amount: _advance(bar, amount)
        finally:
            bar.close()

    def note(self, message: str) -> None:
        """Write a line above the bars."""
        tqdm.write(message, file=sys.stderr)

    def warn(self, message: str) -> None:
        """Write a line above the bars."""
        tqdm.write(message, file=sys.stderr)


def _advance(bar: "tqdm[None]", amount: float) -> None:
    bar.update(amount)


class RichBars:
    """Bars of Rich, in a notebook and in a terminal."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
        self._open = 0

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Advance]:
        """Show a bar while the block runs."""
        if not self._open:
            self._bars.start()
        self._open += 1
        task = self._bars.add_task(description, total=total)
        try:
            yield lambda amount: self._bars.update(task, advance=amount)
        finally:
            self._bars.remove_task(task)
            self._open -= 1
            if not self._open:
                self._bars.stop()

    def note(self, message: str) -> None:
        """Write a line above the bars."""
        self._bars.console.print(Text(message))

    def warn(self, message: str) -> None:
        """Write a line above the bars, in yellow."""
        self._bars.console.print(Text(message, style="yellow"))
