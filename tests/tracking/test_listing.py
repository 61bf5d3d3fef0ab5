from pathlib import Path

import pytest
from support import tiny_settings

from grave_cli.errors import TrackingError
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.listing import list_runs
from grave_cli.tracking.runs import TrackedRun, tracked_run
from grave_cli.tracking.store import open_client
from grave_cli.tracking.studies import BEST_RUN_TAG


@pytest.fixture
def settings(work_dir: Path) -> Settings:
    return tiny_settings(work_dir, work_dir)


def log_dice(run: TrackedRun, *values: float) -> None:
    for step, value in enumerate(values, 1):
        run.client.log_metric(run.run_id, "val/dice", value, step=step)


def test_a_training_is_a_row_with_its_scores(trained: Settings) -> None:
    (row,) = list_runs(trained)
    assert (row.name, row.channels, row.epochs, row.status) == ("tiny", "rgb+dem", 2, "FINISHED")
    assert row.encoder == trained.model.encoder
    assert len(row.dataset_id) == 8
    for score in (row.best_dice, row.best_object_f1, row.test_object_f1):
        assert score is not None
        assert 0 <= score <= 1
    assert row.duration_s > 0
    assert row.parent_run_id == ""


def test_the_newest_comes_first_and_trials_follow_their_study(settings: Settings) -> None:
    with tracked_run(settings, "old", {}):
        pass
    with tracked_run(settings, "study", {}) as study:
        for name in ("study-0", "study-1"):
            with tracked_run(settings, name, {}, study.run_id):
                pass
        study.log_metrics({"best_value": 0.7})
    with tracked_run(settings, "new", {}):
        pass
    assert [row.name for row in list_runs(settings)] == ["new", "study", "old"]
    assert [row.name for row in list_runs(settings, limit=2)] == ["new", "study"]
    rows = list_runs(settings, limit=2, trials=True)
    assert [row.name for row in rows] == ["new", "study", "study-0", "study-1"]
    assert [row.best_dice for row in rows] == [None, 0.7, None, None]


def test_a_study_shows_the_scores_and_the_network_of_its_best_trial(settings: Settings) -> None:
    with tracked_run(settings, "study", {}) as study:
        for name, encoder, dice in (("study-0", "resnet18", 0.9), ("study-1", "resnet34", 0.5)):
            trial = with_values(settings, {"model.encoder": encoder})
            with tracked_run(trial, name, {}, study.run_id) as run:
                run.log_metrics({"best/dice": dice, "best/object_f1": dice / 2})
            if name == "study-0":
                study.tag(BEST_RUN_TAG, run.run_id)
        study.log_metrics({"best_value": 0.9})
    row, best, _ = list_runs(settings, trials=True)
    assert (row.name, best.name) == ("study", "study-0")
    for one in (row, best):
        assert (one.encoder, one.best_dice, one.best_object_f1) == ("resnet18", 0.9, 0.45)
    open_client(settings).set_tag(row.run_id, BEST_RUN_TAG, "removed for good")
    row, *_ = list_runs(settings)
    assert (row.best_dice, row.best_object_f1) == (0.9, None)


def test_a_study_of_an_earlier_version_is_not_shown_with_a_score_of_another_kind(
    settings: Settings,
) -> None:
    with tracked_run(settings, "decode", {}) as study:
        model = with_values(settings, {"data.channels": "rgb+dem"})
        with tracked_run(model, "decode-0", {}, study.run_id) as run:
            run.log_metrics({"val/object_f1": 0.75})
        study.tag(BEST_RUN_TAG, run.run_id)
        study.log_metrics({"best_value": 0.75})
    (row,) = list_runs(settings)
    assert (row.channels, row.best_dice, row.best_object_f1) == ("rgb+dem", None, 0.75)


def test_the_champion_is_marked(trained: Settings, settings: Settings) -> None:
    assert [row.is_champion for row in list_runs(trained)] == [True]
    with tracked_run(settings, "one", {}):
        pass
    assert [row.is_champion for row in list_runs(settings)] == [False]


def test_a_run_that_failed_shows_how_far_it_came(settings: Settings) -> None:
    def fail_after_three_epochs() -> None:
        with tracked_run(settings, "one", {}) as run:
            log_dice(run, 0.5, 0.8, 0.6)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail_after_three_epochs()
    (row,) = list_runs(settings)
    assert row.status == "FAILED"
    assert row.best_dice == 0.8
    assert row.test_object_f1 is None


def test_a_run_that_goes_on_lasts_until_now(settings: Settings) -> None:
    with tracked_run(settings, "one", {}):
        (row,) = list_runs(settings)
    assert row.status == "RUNNING"
    assert 0 <= row.duration_s < 60


@pytest.mark.parametrize("uri", ["", "sqlite:///{folder}/nowhere.db"])
def test_without_a_store_it_is_said_and_none_is_made(tmp_path: Path, uri: str) -> None:
    uri = uri.format(folder=tmp_path)
    asked = tiny_settings(tmp_path, tmp_path / "runs", tracking__uri=uri)
    with pytest.raises(TrackingError, match=r"no runs are recorded.*gravecli train"):
        list_runs(asked)
    assert list(tmp_path.iterdir()) == []


def test_an_experiment_that_is_not_there_is_named(settings: Settings) -> None:
    with tracked_run(settings, "one", {}):
        pass
    other = with_values(settings, {"tracking.experiment": "urns"})
    with pytest.raises(TrackingError, match=r"no such experiment .*found .*graves.*urns"):
        list_runs(other)
