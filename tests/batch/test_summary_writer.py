"""How often a summary is renewed."""

import csv
import json
import os
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from grave_cli.atomic_writes import whole_file
from grave_cli.batch.outcomes import Outcome, Summary
from grave_cli.batch.summary_writer import SummaryWriter
from grave_cli.errors import ExportError


class Clock:
    """A clock that goes on when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class SlowSummary(Summary):
    """A summary that takes a second to write."""

    clock: Clock
    sizes: list[int]

    def write(self, outcomes) -> None:
        super().write(outcomes)
        self.clock.now += 1
        self.sizes.append(len(outcomes))


def slow_summary(folder: Path) -> SlowSummary:
    summary = SlowSummary.in_folder(folder, None)
    object.__setattr__(summary, "clock", Clock())
    object.__setattr__(summary, "sizes", [])
    return summary


def outcome(number: int) -> Outcome:
    name = f"c_{number:03}"
    return Outcome(name, "mapped", 1, 0, 0, 1.0, f"{name}.tif", "", f"{name}.gpkg")


def names(summary: Summary) -> list[str]:
    with summary.csv.open(encoding="utf-8", newline="") as file:
        return [row["cemetery"] for row in csv.DictReader(file)]


def test_writing_takes_a_twentieth_of_the_time_and_the_end_writes_the_rest(tmp_path: Path) -> None:
    summary = slow_summary(tmp_path)
    with SummaryWriter(summary, summary.clock) as writer:
        for number in reversed(range(100)):
            summary.clock.now += 1  # a cemetery
            writer.add(outcome(number))
        # The first is written at once. Each renewal takes a second, so the next comes 19 later.
        assert summary.sizes == [1, 20, 39, 58, 77, 96]
    assert summary.sizes[-1] == 100
    assert names(summary) == [f"c_{number:03}" for number in range(100)]


def test_an_error_loses_no_outcome(tmp_path: Path) -> None:
    summary = slow_summary(tmp_path)

    def write_and_stop() -> None:
        with SummaryWriter(summary, summary.clock) as writer:
            for number in range(3):
                writer.add(outcome(number))
            assert summary.sizes == [1]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_stop()
    assert names(summary) == ["c_000", "c_001", "c_002"]


def test_nothing_is_written_without_outcomes(tmp_path: Path) -> None:
    with SummaryWriter(Summary.in_folder(tmp_path, None)):
        pass
    assert not list(tmp_path.iterdir())


class Interrupted:
    """Writes files whole until Ctrl-C comes, once."""

    def __init__(self, before: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.before: Path | None = before
        monkeypatch.setattr("grave_cli.batch.outcomes.whole_file", self)

    def __call__(self, path: Path) -> AbstractContextManager[Path]:
        if path == self.before:
            self.before = None
            raise KeyboardInterrupt
        return whole_file(path)


@pytest.mark.parametrize("ending", [".csv", ".json"])
def test_ctrl_c_while_the_summary_is_written_loses_no_outcome(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = Summary.in_folder(tmp_path, None)
    Interrupted(summary.csv.with_suffix(ending), monkeypatch)
    with pytest.raises(KeyboardInterrupt), SummaryWriter(summary) as writer:
        writer.add(outcome(0))
    assert names(summary) == ["c_000"]


@pytest.mark.parametrize("finished", [0, 1, 2])
@pytest.mark.parametrize("ending", [".csv", ".json"])
def test_a_summary_killed_between_its_files_was_not_changed_by_anybody(
    ending: str, finished: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = Summary.in_folder(tmp_path, None)
    for count in range(finished):
        summary.write([outcome(number) for number in range(count + 1)])
    Interrupted(summary.csv.with_suffix(ending), monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        summary.write([outcome(9)])
    summary.check([], overwrite=False)
    summary.write([outcome(9)])
    assert names(summary) == ["c_009"]
    with summary.csv.open("a") as file:
        file.write("my own line\n")
    with pytest.raises(ExportError, match=r"summary\.csv: .*was changed"):
        summary.check([], overwrite=False)


def test_a_file_name_in_another_encoding_ends_no_summary(tmp_path: Path) -> None:
    summary = Summary.in_folder(tmp_path, None)
    name = os.fsdecode(b"caf\xe9.tif")
    for _ in range(2):  # it knows its own files again
        summary.check([], overwrite=False)
        summary.write([replace(outcome(1), orthophoto=name)])
    with summary.csv.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["orthophoto"] == r"caf\udce9.tif"
    (written,) = json.loads(summary.json.read_text("utf-8"))["cemeteries"]
    assert written["orthophoto"] == name
