"""What is shown of a study while it runs, from trials as Optuna keeps them."""

from datetime import datetime, timedelta

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState
from support import Listener

from grave_cli.tuning.processes import note_ends
from grave_cli.tuning.result import StudyWatch, best_trial, study_status
from grave_cli.tuning.shared_study import SharedStudy


def lasting(seconds: float, state: TrialState, value: float | None = None) -> FrozenTrial:
    """A trial that took some time, or has been running for it."""
    now = datetime.now()
    trial = optuna.trial.create_trial(
        state=TrialState.WAITING, intermediate_values={0: 0.1, 1: 0.3, 2: 0.2}
    )
    trial.state, trial.value = state, value
    trial.datetime_start = now - timedelta(seconds=seconds)
    trial.datetime_complete = now if state.is_finished() else None
    return trial


@pytest.fixture
def shared() -> SharedStudy:
    """A study with two finished trials of 40 and 80 s, a failed one, and one that runs for 15 s."""
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        [
            lasting(40, TrialState.COMPLETE, 0.5),
            lasting(80, TrialState.PRUNED, 0.2),
            lasting(900, TrialState.FAIL),
            lasting(15, TrialState.RUNNING),
        ]
    )
    return SharedStudy(study, storage=None)  # type: ignore[arg-type]


def test_the_time_left_follows_from_the_mean_of_the_finished_trials(shared: SharedStudy) -> None:
    status = study_status(shared, wanted=5)
    assert (status.finished, status.wanted) == (2, 5)
    assert status.left_s == pytest.approx(3 * 60 - 15, abs=1)


def test_a_running_trial_shows_the_value_of_its_last_epoch(shared: SharedStudy) -> None:
    rows = study_status(shared, wanted=5).rows
    assert [row.state for row in rows] == ["COMPLETE", "PRUNED", "FAIL", "RUNNING"]
    assert [row.value for row in rows] == [0.5, 0.2, None, 0.2]
    assert [row.epochs for row in rows] == [3, 3, 3, 3]
    assert rows[3].seconds == pytest.approx(15, abs=1)


def test_the_best_trial_is_complete_and_the_first_of_equal_ones(shared: SharedStudy) -> None:
    shared.study.add_trials([lasting(9, TrialState.COMPLETE, value) for value in (0.7, 0.7, 0.6)])
    assert study_status(shared, wanted=9).best.number == 4
    assert best_trial(shared).number == 4


def test_nothing_is_seen_before_and_after_a_study_is_open(shared: SharedStudy) -> None:
    watch = StudyWatch()
    assert watch.status() is None
    with watch.over(shared, wanted=5):
        assert watch.status().wanted == 5
    assert watch.status() is None


def test_a_storage_that_is_away_for_a_look_ends_no_study(
    shared: SharedStudy, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise StorageInternalError

    watch = StudyWatch()
    with watch.over(shared, wanted=5):
        known = watch.status()
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(SharedStudy, "trials", away)
            assert watch.status() == known
            note_ends(shared, set(), listener)
    note_ends(shared, set(), listener)
    assert len(listener.notes) == 3
