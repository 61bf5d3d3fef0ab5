"""Progress as a function, as bars or as warnings."""

import warnings

import pytest
from support import Listener

from grave_cli import GraveWarning, ProgressEvent
from grave_cli.api.listeners import listen
from grave_cli.errors import SettingsError
from grave_cli.progress import SILENT, Progress


def work(progress: Progress) -> None:
    with progress.task("Mapping", total=2.0, unit="Mpx") as advance, progress.task("Part", None):
        advance(0.5)
        progress.note("a note")
        progress.warn("a warning")


def test_a_function_gets_each_step() -> None:
    events: list[ProgressEvent] = []
    work(listen(events.append))
    assert [(one.kind, one.text, one.done) for one in events] == [
        ("begin", "Mapping", 0),
        ("begin", "Part", 0),
        ("progress", "Mapping", 0.5),
        ("note", "a note", 0),
        ("warning", "a warning", 0),
        ("end", "Part", 0),
        ("end", "Mapping", 0.5),
    ]
    assert (events[2].total, events[2].unit) == (2.0, "Mpx")


def test_what_a_function_raises_ends_the_work() -> None:
    def stop(event: ProgressEvent) -> None:
        if event.kind == "progress":
            raise InterruptedError("enough")

    with pytest.raises(InterruptedError, match="enough"):
        work(listen(stop))


@pytest.mark.parametrize("bars", ["tqdm", "rich", True])
def test_bars_show_tasks_and_messages(bars: str, capsys: pytest.CaptureFixture[str]) -> None:
    work(listen(bars))  # type: ignore[arg-type]
    said = capsys.readouterr()
    assert said.out == ""
    for words in ("a note", "a warning") if bars == "rich" else ("Mapping", "a note", "a warning"):
        assert words in said.err


def test_by_default_only_warnings_are_shown_as_pythons() -> None:
    with pytest.warns(GraveWarning, match="a warning"):
        work(listen(None))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        work(listen(False))
    assert listen(False) is SILENT


def test_a_listener_is_taken_as_it_is_and_anything_else_is_refused() -> None:
    own = Listener()
    assert listen(own) is own
    with pytest.raises(SettingsError, match="progress cannot be followed"):
        listen("bars")  # type: ignore[arg-type]
