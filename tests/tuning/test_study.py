from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from support import Listener, tiny_settings

from grave_cli.errors import TuningError
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.store import tracking_uri
from grave_cli.tuning.search_space import check_search_space, find_study, suggest_settings
from grave_cli.tuning.storage import open_storage
from grave_cli.tuning.study import run_study

SPACE = {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}


@pytest.fixture
def settings(sample_data: Path, tmp_path: Path) -> Settings:
    base = tiny_settings(sample_data, tmp_path / "runs", training__epochs=1)
    study = {"trials": 2, "pruner": "none", "search_space": SPACE}
    return with_values(base, {"hpo.studies.small": study})


def test_a_study_has_as_many_finished_trials_as_asked_for_however_often_it_runs(
    settings: Settings, listener: Listener
) -> None:
    first = run_study(settings, "mine", preset="small", progress=listener)
    assert first.finished == 2
    again = run_study(settings, "mine", preset="small", progress=listener)
    assert again == first
    more = run_study(settings, "mine", preset="small", trials=3, progress=listener)
    assert more.finished == 3
    study = optuna.load_study(study_name="mine", storage=open_storage(settings))
    rates = [trial.params["training.learning_rate"] for trial in study.trials]
    assert len(set(rates)) == 3, "a resumed study repeated a trial"
    assert more.best_value == max(trial.value for trial in study.trials)
    assert "study mine: 2 of 3 trials are finished" in listener.notes


def test_each_trial_is_a_finished_child_run_with_the_trial_s_settings(settings: Settings) -> None:
    result = run_study(settings, "small")
    client = MlflowClient(tracking_uri(settings))
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert [run.info.run_name for run in parents] == ["small"]
    assert {run.info.run_name for run in children} == {"small-0", "small-1"}
    assert {run.info.status for run in runs} == {"FINISHED"}
    best = client.get_run(result.best_run_id)
    assert best.data.metrics["best/dice"] == pytest.approx(result.best_value)
    rate = result.best_params["training.learning_rate"]
    assert float(best.data.params["training.learning_rate"]) == rate


def test_trials_that_fail_are_no_zeros_and_end_the_study_after_three(settings: Settings) -> None:
    broken = with_values(settings, {"model.encoder": "no_such_encoder"})
    with pytest.raises(TuningError, match=r"3 trials failed .*no_such_encoder"):
        run_study(broken, "small", trials=5)
    study = optuna.load_study(study_name="small", storage=open_storage(broken))
    assert [trial.state.name for trial in study.trials] == ["FAIL"] * 3
    assert all(trial.value is None for trial in study.trials)


def test_the_preset_is_the_one_named_else_the_study_s_own_else_the_default() -> None:
    settings = Settings()
    presets = settings.hpo.studies
    assert find_study(settings, "pilot", None) is presets["pilot"]
    assert find_study(settings, "autumn", None) is presets["default"]
    assert find_study(settings, "autumn", "pilot") is presets["pilot"]
    with pytest.raises(TuningError, match=r"no such preset .*found nothing.*default, loss, pilot"):
        find_study(settings, "autumn", "nothing")


@pytest.mark.parametrize(
    ("key", "domain"),
    [
        ("training.learning_rat", {"low": 0.1, "high": 0.2}),
        ("training.epochs", {"low": 0, "high": 5}),
        ("model.architecture", {"choices": ["unet", "vnet"]}),
        ("grid.gsd_m", {"low": 0.03, "high": 0.1}),
    ],
)
def test_an_impossible_search_space_is_refused_before_the_first_trial(
    key: str, domain: dict
) -> None:
    settings = with_values(Settings(), {"hpo.studies.bad": {"search_space": {key: domain}}})
    with pytest.raises(TuningError, match=key):
        check_search_space(settings.hpo.studies["bad"].search_space, settings)


def test_whole_bounds_of_a_real_setting_span_real_numbers() -> None:
    domains = {
        "training.bce_weight": {"low": 0, "high": 1},
        "training.epochs": {"low": 1, "high": 9},
    }
    settings = with_values(Settings(), {"hpo.studies.s": {"search_space": domains}})
    space = settings.hpo.studies["s"].search_space
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [suggest_settings(study.ask(), space, settings).training for _ in range(10)]
    assert len({training.bce_weight for training in drawn}) == 10
    assert {type(training.epochs) for training in drawn} == {int}
