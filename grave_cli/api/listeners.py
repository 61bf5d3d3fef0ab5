"""How a caller follows the progress: by a function, by bars in a notebook, or by warnings alone."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from grave_cli.errors import SettingsError
from grave_cli.progress import SILENT, Advance, Progress, Silent

Listening: TypeAlias = "Progress | Callable[[ProgressEvent], object] | Bars | bool | None"
Bars: TypeAlias = Literal["tqdm", "rich"]


class GraveWarning(UserWarning):
    """A message that no user should miss, such as an outline that was ignored."""


@dataclass(frozen=True)
class ProgressEvent:
    """A step of the work.

    Args:
        kind: A task begins, goes on or ends; or a message.
        text: Name of the task, or the message.
        done: Work done so far, in `unit`.
        total: All of the work, in `unit`; None if unknown.
        unit: Unit of the work ("Mpx", "chips").
    """

    kind: Literal["begin", "progress", "end", "note", "warning"]
    text: str
    done: float = 0.0
    total: float | None = None
    unit: str = ""


def listen(progress: Listening) -> Progress:
    """Make a progress listener.

    Args:
        progress: A function that takes each `ProgressEvent`; "tqdm" or "rich" for bars, also in a
            notebook, True for those of tqdm; a listener of one's own; None shows warnings as
            Python's (`GraveWarning`), False nothing.

    Raises:
        SettingsError: It is none of these.
    """
    if progress is None:
        return PythonWarnings()
    if progress is False:
        return SILENT
    if progress is True or progress in ("tqdm", "rich"):
        from grave_cli.api.bars import RichBars, TqdmBars

        return RichBars() if progress == "rich" else TqdmBars()
    if all(hasattr(progress, name) for name in ("task", "note", "warn")):
        return cast(Progress, progress)
    if callable(progress):
        return Calling(progress)
    raise SettingsError(
        "progress cannot be followed in this way",
        found=repr(progress),
        expected='a function, "tqdm", "rich", True, False or None',
    )


class PythonWarnings(Silent):
    """Shows warnings alone, as Python's."""

    def warn(self, message: str) -> None:
        """Issue a warning of Python."""
        warnings.warn(message, GraveWarning, stacklevel=2)


class Calling:
    """Calls a function with each event; what it raises ends the work.

    Args:
        listener: The function.
    """

    def __init__(self, listener: Callable[[ProgressEvent], object]) -> None:
        self._listener = listener

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Advance]:
        """Report a task from its begin to its end."""
        done = 0.0

        def report(kind: Literal["begin", "progress", "end"]) -> None:
            self._listener(ProgressEvent(kind, description, done, total, unit))

        def advance(amount: float) -> None:
            nonlocal done
            done += amount
            report("progress")

        report("begin")
        yield advance
        report("end")

    def note(self, message: str) -> None:
        """Report a message."""
        self._listener(ProgressEvent("note", message))

    def warn(self, message: str) -> None:
        """Report a message that no user should miss."""
        self._listener(ProgressEvent("warning", message))
