"""The live table of a study, as it is drawn on a narrow terminal."""

from io import StringIO

import pytest
from rich.console import Console

from grave_cli.cli.study_screen import study_table, summary
from grave_cli.tuning.result import StudyStatus, TrialRow


def row(number: int, state: str, value: float | None, seconds: float = 60) -> TrialRow:
    params = {
        "training.learning_rate": 1e-3 * (number + 1),
        "training.weight_decay": 1e-5,
        "training.epochs": 30 + number,
        "training.bce_weight": 0.35,
    }
    return TrialRow(number, state, value, epochs=7, params=params, seconds=seconds)


def drawn(status: StudyStatus) -> list[str]:
    console = Console(file=StringIO(), width=80)
    console.print(study_table(status), summary(status))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.fixture
def status() -> StudyStatus:
    rows = [row(number, "COMPLETE", 0.5 - number / 100) for number in range(20)]
    rows.append(row(20, "RUNNING", 0.25, seconds=75))
    return StudyStatus(tuple(rows), finished=20, wanted=30, best=rows[0], left_s=605)


def test_a_trial_has_its_state_value_and_parameters(status: StudyStatus) -> None:
    lines = drawn(status)
    for heading in ("trial", "state", "value", "epoch", "time", "parameters"):
        assert heading in lines[1]
    (first,) = [number for number, line in enumerate(lines) if "running" in line]
    running = " ".join(lines[first : first + 3])
    for cell in ("20", "0.25", "1:15 min"):
        assert cell in lines[first]
    for cell in ("learning_rate=0.021", "weight_decay=1e-05", "epochs=50", "bce_weight=0.35"):
        assert cell in running


def test_the_best_stays_in_sight_above_the_newest(status: StudyStatus) -> None:
    lines = drawn(status)
    shown = [line.split()[0] for line in lines if "complete" in line or "running" in line]
    assert shown == ["0", *map(str, range(9, 21))]


def test_the_line_below_tells_how_far_it_is_and_the_time_left(status: StudyStatus) -> None:
    said = drawn(status)[-1]
    assert said.strip() == "20 of 30 trials, best 0.5 (trial 0), about 10:05 min left"
