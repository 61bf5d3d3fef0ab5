import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from image_store import client_of, copy_store, images_of, runs_of
from mlflow.entities import Run
from support import Listener, tiny_settings, untrained_bundle

from grave_cli.errors import TuningError
from grave_cli.model.bundle import write_card
from grave_cli.model.shipped import starter_model
from grave_cli.settings.load import load_settings, with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.listing import list_runs
from grave_cli.tracking.models import newest_model
from grave_cli.tuning.processes import Assignment
from grave_cli.tuning.result import StudyResult
from grave_cli.tuning.storage import open_storage
from grave_cli.tuning.study import StudyRequest, run_study
from grave_cli.tuning.trials import plan_trials

SPACE = {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}


def with_study(settings: Settings, **fields: Any) -> Settings:
    study = {"trials": 2, "pruner": "none", "search_space": SPACE, **fields}
    return with_values(settings, {"hpo.studies.small": study})


@pytest.fixture
def plain(sample_data: Path, work_dir: Path) -> Settings:
    return tiny_settings(sample_data, work_dir, training__epochs=1)


@pytest.fixture
def settings(plain: Settings) -> Settings:
    return with_study(plain)


@contextmanager
def opened(settings: Settings, name: str) -> Iterator[optuna.Study]:
    """A study as Optuna sees it."""
    storage = open_storage(settings)
    yield optuna.load_study(study_name=name, storage=storage)
    storage.engine.dispose()


@dataclass
class History:
    """A study named `mine` and the results of three calls: for two trials, again, and for three."""

    settings: Settings
    listener: Listener = field(default_factory=Listener)
    results: list[StudyResult] = field(default_factory=list)


@pytest.fixture(scope="module")
def history(
    sample_data: Path,
    new_work_dir: Callable[[Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> History:
    """Read only."""
    work_dir = new_work_dir(tmp_path_factory.mktemp("study") / "runs")
    past = History(with_study(tiny_settings(sample_data, work_dir, training__epochs=1)))
    for trials in (None, None, 3):
        request = StudyRequest("mine", "small", trials=trials)
        past.results.append(run_study(past.settings, request, past.listener))
        if trials is None:  # a study that began with an earlier version has no names
            forget_metric_names(past.settings)
    return past


def forget_metric_names(settings: Settings) -> None:
    with opened(settings, "mine") as study:
        attributes = study._storage.get_study_system_attrs(study._study_id)
        assert attributes["study:metric_names"] == ["val/dice"]
        study._storage.set_study_system_attr(study._study_id, "study:metric_names", None)


def family_of(settings: Settings) -> tuple[Run, list[Run]]:
    """The parent and its children, by name."""
    runs = runs_of(settings)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} <= {parent.info.run_id}
    return parent, sorted(children, key=lambda run: run.info.run_name)


def test_a_study_has_as_many_finished_trials_as_asked_for_however_often_it_runs(
    history: History,
) -> None:
    first, again, more = history.results
    assert (first.finished, more.finished) == (2, 3)
    assert again == first
    with opened(history.settings, "mine") as study:
        rates = [trial.params["training.learning_rate"] for trial in study.trials]
        values = [trial.value for trial in study.trials]
    assert len(set(rates)) == 3, "a resumed study repeated a trial"
    assert more.best_value == max(values)
    assert "study mine: 2 of 3 trials are finished" in history.listener.notes
    parent, children = family_of(history.settings)
    assert parent.info.status == "FINISHED"
    with opened(history.settings, "mine") as study:
        assert study.metric_names == ["val/dice"]
    assert [run.info.run_name for run in children] == ["mine-0", "mine-1", "mine-2"]
    assert parent.data.metrics["trials/complete"] == 3
    assert parent.data.metrics["best_value"] == more.best_value


def test_each_trial_is_a_finished_child_run_with_the_trial_s_settings(history: History) -> None:
    result = history.results[-1]
    parent, children = family_of(history.settings)
    assert parent.info.run_name == "mine"
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert [run.data.tags["optuna.state"] for run in children] == ["COMPLETE"] * 3
    assert [run.data.tags["optuna.trial"] for run in children] == ["0", "1", "2"]
    best = client_of(history.settings).get_run(result.best_run_id)
    assert best.data.metrics["best_dice"] == pytest.approx(result.best_value)
    rate = result.best_params["training.learning_rate"]
    assert float(best.data.params["training.learning_rate"]) == rate
    assert result.best_run_id in parent.data.tags["mlflow.note.content"]


def test_a_study_and_its_trials_have_the_data_set_as_input(history: History) -> None:
    runs = runs_of(history.settings)
    assert len(runs) == 4
    given = [run.inputs.dataset_inputs for run in runs]
    assert [len(inputs) for inputs in given] == [1, 1, 1, 1]
    assert len({(i[0].dataset.name, i[0].dataset.digest) for i in given}) == 1
    assert {i[0].tags[0].value for i in given} == {"training"}
    parent, _ = family_of(history.settings)
    assert given[0][0].dataset.name == f"dataset_{parent.data.tags['dataset_id']}"


def test_the_best_settings_lie_in_the_parent_run_as_a_file_that_train_takes(
    history: History,
) -> None:
    settings, result = history.settings, history.results[-1]
    parent, _ = family_of(settings)
    assert "best.toml" in {
        item.path for item in client_of(settings).list_artifacts(parent.info.run_id)
    }
    found = load_settings(Path(result.best_config), environ={}).settings
    expected = with_values(settings, result.best_params)
    assert found.model_dump(exclude={"hpo"}) == expected.model_dump(exclude={"hpo"})
    keys = {image.key for image in images_of(settings, parent.info.run_id)}
    assert keys == {"study/history", "study/importance"}


def test_trials_that_fail_are_no_zeros_and_end_the_study_after_three(settings: Settings) -> None:
    broken = with_values(settings, {"model.encoder": "no_such_encoder"})
    with pytest.raises(TuningError, match=r"3 trials failed .*no_such_encoder"):
        run_study(broken, StudyRequest("small", trials=5))
    with opened(settings, "small") as study:
        assert [trial.state.name for trial in study.trials] == ["FAIL"] * 3
        assert all(trial.value is None for trial in study.trials)
    parent, _ = family_of(settings)
    assert parent.info.status == "FAILED"


@pytest.mark.parametrize("strategy", ["auto", "ddp"])
def test_a_pruned_trial_counts_and_its_run_is_killed(settings: Settings, strategy: str) -> None:
    # No training of one step beats the trials that are put there before.
    settings = with_study(settings, pruner="median", startup_trials=1, warmup_epochs=0)
    settings = with_values(settings, {"training.epochs": 2, "training.strategy": strategy})
    run_study(settings, StudyRequest("small", trials=1))
    with opened(settings, "small") as study:
        better = optuna.trial.create_trial(
            params=study.trials[0].params,
            distributions=study.trials[0].distributions,
            value=1.0,
            intermediate_values={0: 1.0, 1: 1.0},
        )
        study.add_trials([better, better])
    result = run_study(settings, StudyRequest("small", trials=4))
    assert (result.finished, result.pruned) == (4, 1)
    _, children = family_of(settings)
    pruned = children[-1]
    assert pruned.info.status == "KILLED"
    assert pruned.data.tags["optuna.state"] == "PRUNED"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"data.channels": "rgb+dem"}, "channels"),
        ({"hpo.studies.small.trials": 3, "training.monitor": "val/object_f1"}, "objective"),
        (
            {"hpo.studies.small.search_space": {"training.epochs": {"low": 1, "high": 2}}},
            "search space",
        ),
        (
            {
                "data.train": ("sample_01",),
                "data.val": ("sample_02",),
                "data.test": ("sample_03",),
            },
            "split",
        ),
    ],
)
def test_a_study_is_not_gone_on_with_on_other_grounds(
    history: History, work_dir: Path, change: dict[str, Any], complaint: str
) -> None:
    shutil.copy(history.settings.work_dir / "optuna.db", work_dir)
    changed = with_values(history.settings, {**change, "work_dir": work_dir})
    with pytest.raises(TuningError, match=f"after a change of {complaint} .*--force"):
        run_study(changed, StudyRequest("mine", "small", trials=4))
    result = run_study(changed, StudyRequest("mine", "small", trials=4, force=True))
    assert result.finished == 4


def test_the_best_trial_may_be_of_an_earlier_search_space(
    history: History, plain: Settings
) -> None:
    shutil.copy(history.settings.work_dir / "optuna.db", plain.work_dir)
    with opened(plain, "mine") as study:
        first = study.trials[0]
        best = optuna.create_trial(
            params=first.params, distributions=first.distributions, value=1.0
        )
        study.add_trial(best)
    other = {"training.weight_decay": {"low": 0.0, "high": 0.1}}
    request = StudyRequest("mine", "small", trials=4, force=True)
    result = run_study(with_study(plain, search_space=other), request)
    assert result.best_params == first.params
    best_settings = load_settings(Path(result.best_config), environ={}).settings
    assert best_settings.training.learning_rate == first.params["training.learning_rate"]


def test_a_study_whose_run_is_lost_is_recorded_anew(history: History, work_dir: Path) -> None:
    shutil.copy(history.settings.work_dir / "optuna.db", work_dir)
    elsewhere = with_values(history.settings, {"work_dir": work_dir})
    result = run_study(elsewhere, StudyRequest("mine", "small", trials=3))
    assert result.best_value == history.results[-1].best_value
    assert Path(result.best_config).is_file()


def test_a_grid_larger_than_its_combinations_is_refused(sample_data: Path, tmp_path: Path) -> None:
    space = {"training.seed": {"choices": [0, 1]}}
    settings = tiny_settings(sample_data, tmp_path / "runs")
    settings = with_study(settings, sampler="grid", search_space=space)
    with pytest.raises(TuningError, match="found 3 trials, expected 2 at most"):
        run_study(settings, StudyRequest("small", trials=3))
    assert not settings.work_dir.exists()


@pytest.mark.slow
def test_elevation_variants_are_read_once_and_scored_on_the_test_cemetery(
    plain: Settings, listener: Listener
) -> None:
    variants = {
        "rgb": {"data.channels": "rgb"},
        "slope": {"data.channels": "rgb+dem", "elevation.features": ["slope"]},
        "both": {"data.channels": "rgb+dem", "elevation.features": ["height", "slope"]},
    }
    plan = {"trials": 3, "sampler": "grid", "pruner": "none", "final_score": True}
    settings = with_values(plain, {"hpo.studies.small": {**plan, "variants": variants}})
    result = run_study(settings, StudyRequest("small"), listener)
    assert result.finished == 3
    assert listener.done["Reading cemeteries"] == listener.totals["Reading cemeteries"]
    _, children = family_of(settings)
    channels = {run.data.params["data.channels"] for run in children}
    assert channels == {"rgb", "rgb+dem"}
    features = {run.data.params["elevation.features"] for run in children}
    assert json.dumps(["slope"]) in features
    defaults = json.dumps(list(settings.elevation.features))
    assert defaults in features, "a searched setting is a param also with its default"
    assert all("test/object_f1" in run.data.metrics for run in children)
    assert not client_of(settings).search_registered_models(), "a trial became champion"
    with pytest.raises(Exception, match="no finished training"):
        newest_model(with_dem=True, settings=settings)


def test_thresholds_are_tuned_on_one_model_s_probabilities(
    trained: Settings, tmp_path: Path
) -> None:
    copied = copy_store(trained, tmp_path)
    # The settings at hand are not those of the model.
    settings = with_values(copied, {"data.channels": "rgb", "model.encoder": "resnet18"})
    before = len(runs_of(settings))
    result = run_study(settings, StudyRequest("decode", trials=5, model="tiny"))
    assert (result.tunes, result.metric, result.finished) == ("decoding", "val/object_f1", 5)
    assert result.model == "tiny"
    (tiny,) = [run for run in runs_of(settings) if run.info.run_name == "tiny"]
    newest = plan_trials(copied, settings.hpo.studies["decode"])
    assert newest.model_name == tiny.info.run_id
    runs = runs_of(settings)
    assert len(runs) == before + 1 + 5
    trials = [run for run in runs if "optuna.trial" in run.data.tags]
    assert max(run.data.metrics["val/object_f1"] for run in trials) == result.best_value
    assert "prediction.decoding.body_threshold" in Path(result.best_config).read_text()
    *rows, model = list_runs(settings, trials=True)
    assert {(row.channels, row.encoder, row.objective) for row in rows} == {
        ("rgb+dem", model.encoder, "val/object_f1")
    }
    assert {row.dataset_id for row in rows} == {model.dataset_id}
    assert (rows[0].best_dice, rows[0].best_object_f1) == (None, result.best_value)
    searched = settings.hpo.studies["decode"].search_space.keys()
    assert all(run.data.params.keys() >= searched for run in trials)
    with opened(settings, "decode") as study:
        assert study.metric_names == ["val/object_f1"]


def test_workers_tune_the_model_that_was_the_newest_when_the_study_began(
    trained: Settings, tmp_path: Path
) -> None:
    settings = copy_store(trained, tmp_path)
    models: list[str | None] = []

    def elsewhere(assignment: Assignment, *_: object) -> None:
        models.append(assignment.model)

    run_study(settings, StudyRequest("decode", run_elsewhere=elsewhere))
    assert models == [newest_model(with_dem=True, settings=settings).bundle.card.run_id]


def test_thresholds_that_are_set_take_precedence_over_those_of_the_model(
    sample_data: Path, tmp_path: Path
) -> None:
    chosen = {"prediction__decoding__body_threshold": 0.43}
    settings = tiny_settings(sample_data, tmp_path / "runs", **chosen)
    trials = plan_trials(settings, settings.hpo.studies["decode"], "starter")
    own = starter_model().card.decoding
    assert trials.settings.prediction.decoding == own.model_copy(update={"body_threshold": 0.43})


def test_thresholds_tuned_on_cemeteries_that_the_model_has_learnt_are_named(
    sample_data: Path, tmp_path: Path, listener: Listener
) -> None:
    bundle = untrained_bundle(tmp_path / "model", channels="rgb")
    card = bundle.card.model_copy(update={"parts": {"train": ("sample_01",), "val": ()}})
    write_card(bundle.folder, card)
    for val, known in (("sample_01", 1), ("sample_02", 0)):
        lists = {"data__train": ("sample_03",), "data__val": (val,)}
        settings = tiny_settings(sample_data, tmp_path / "runs", **lists)
        plan_trials(settings, settings.hpo.studies["decode"], str(bundle.folder), listener)
        said = [note for note in listener.notes if "was trained on sample_01;" in note]
        assert len(said) == known
        listener.notes.clear()


@pytest.mark.slow
def test_two_processes_tune_thresholds_without_arrays(
    trained: Settings, tmp_path: Path, listener: Listener
) -> None:
    settings = copy_store(trained, tmp_path)
    request = StudyRequest("decode", trials=3, model="tiny", workers=2)
    assert run_study(settings, request, listener).finished == 3
    assert sum(note.startswith("trial ") for note in listener.notes) == 3
    assert "Reading cemeteries" not in listener.totals


@pytest.mark.slow
def test_memory_does_not_grow_over_twenty_trials(settings: Settings) -> None:
    held = []

    class Memory(Listener):
        def note(self, message: str) -> None:
            if message.startswith("trial"):
                held.append(psutil.Process().memory_info().rss / 1e6)

    run_study(settings, StudyRequest("small", trials=20), Memory())
    assert len(held) == 20
    assert max(held[10:]) - max(held[5:10]) < 20, held  # megabytes
