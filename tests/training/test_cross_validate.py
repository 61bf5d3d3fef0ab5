import os
import signal
from pathlib import Path
from statistics import mean, stdev

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from support import Listener, tiny_settings

from grave_cli.errors import DatasetError, ModelError
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import newest_model, resolve_model
from grave_cli.tracking.store import tracking_uri
from grave_cli.training.cross_validate import cross_validate


class Interrupting(Listener):
    """Presses Ctrl-C in the second fold's training."""

    def note(self, message: str) -> None:
        super().note(message)
        started = sum(note.startswith("fold ") for note in self.notes)
        if started == 2 and message.startswith("epoch"):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def settings(sample_data: Path, tmp_path: Path) -> Settings:
    changes = {"training__epochs": 1, "training__tune_thresholds": False, "tracking__samples": 0}
    return tiny_settings(sample_data, tmp_path / "runs", **changes)


def runs_of(settings: Settings) -> list[Run]:
    client = MlflowClient(tracking_uri(settings))
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return sorted(runs, key=lambda run: run.info.start_time)


@pytest.mark.slow
@pytest.mark.usefixtures("work_dir")
def test_ctrl_c_ends_it_as_killed_and_the_next_call_does_the_folds_that_are_left(
    settings: Settings, listener: Listener, request: pytest.FixtureRequest
) -> None:
    # A shell ignores SIGINT for what it starts in the background; Python then does too.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, inherited))
    with pytest.raises(KeyboardInterrupt):
        cross_validate(settings, Interrupting())
    statuses = {run.info.run_name: run.info.status for run in runs_of(settings)}
    parent = next(name for name in statuses if name.startswith("cross-validation-"))
    assert statuses == {
        parent: "KILLED", "without-sample_01": "FINISHED", "without-sample_02": "KILLED",
    }  # fmt: skip

    result = cross_validate(settings, listener)
    assert f"cross-validation {result.identity}: 1 of 3 folds is finished" in listener.notes
    assert [note for note in listener.notes if note.startswith("fold")] == [
        "fold sample_02: training without it",
        "fold sample_03: training without it",
    ]
    assert [fold.cemetery for fold in result.folds] == ["sample_01", "sample_02", "sample_03"]
    values = [fold.scores["count_error"] for fold in result.folds]
    assert result.scores["count_error"].mean == pytest.approx(mean(values))
    assert result.scores["count_error"].std == pytest.approx(stdev(values))

    count = len(runs_of(settings))
    assert cross_validate(settings) == result
    assert len(runs_of(settings)) == count, "finished folds were trained again"
    _check_runs(settings, result.identity)


def _check_runs(settings: Settings, identity: str) -> None:
    runs = runs_of(settings)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert parent.info.run_name == f"cross-validation-{identity}"
    assert parent.info.status == "FINISHED"
    assert {"test/object_f1", "test/object_f1_std"} <= set(parent.data.metrics)
    children = [run for run in runs if run is not parent]
    statuses = sorted((run.info.run_name, run.info.status) for run in children)
    assert statuses == [
        ("without-sample_01", "FINISHED"),
        ("without-sample_02", "FINISHED"),
        ("without-sample_02", "KILLED"),
        ("without-sample_03", "FINISHED"),
    ]
    for child in children:
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        held_out = child.info.run_name.removeprefix("without-")
        assert child.data.params["data.test"] == f'["{held_out}"]'
    registered = MlflowClient(tracking_uri(settings)).search_registered_models()
    assert not registered, "a fold's model must not become champion"
    with pytest.raises(ModelError, match="no finished training"):
        newest_model(with_dem=True, settings=settings)
    assert resolve_model("without-sample_03", settings).bundle.card.architecture.in_channels == 3


def test_other_settings_are_another_cross_validation_other_places_are_not(
    settings: Settings, tmp_path: Path
) -> None:
    from grave_cli.training.cross_validate import _identify

    same = with_values(settings, {"work_dir": tmp_path / "b", "data.root": "elsewhere"})
    other = with_values(settings, {"training.learning_rate": 0.01})
    assert _identify(same, "d") == _identify(settings, "d")
    assert len({_identify(settings, "d"), _identify(other, "d"), _identify(settings, "e")}) == 3


def test_one_cemetery_is_refused_before_anything_is_made(settings: Settings) -> None:
    alone = with_values(settings, {"data.train": ("sample_01",)})
    with pytest.raises(DatasetError, match=r"found 1 cemetery, expected two or more"):
        cross_validate(alone)
    assert not settings.work_dir.exists()


def test_what_is_wrong_with_the_last_fold_is_told_before_the_first_is_trained(
    settings: Settings,
) -> None:
    listed = with_values(settings, {"data.train": ("sample_01", "sample_02", "sample_09")})
    with pytest.raises(DatasetError, match="sample_09"):
        cross_validate(listed)
    assert not settings.work_dir.exists()
