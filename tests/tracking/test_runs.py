import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from image_store import client_of
from mlflow import MlflowClient
from support import TINY, tiny_settings

from grave_cli.settings.load import validate, with_values
from grave_cli.settings.nested import flatten
from grave_cli.settings.record import recorded
from grave_cli.settings.tree import Settings
from grave_cli.tracking.listing import list_runs
from grave_cli.tracking.params import MAIN_PARAMS, SETTINGS_FILE, telling_settings
from grave_cli.tracking.runs import resumed_run, tracked_run
from grave_cli.tracking.store import experiment_id, open_client, tracking_uri

TRAININGS = "custom_model_development"


@pytest.fixture
def settings(work_dir: Path) -> Settings:
    return tiny_settings(work_dir, work_dir)


def status_of(settings: Settings, run_id: str) -> str:
    return MlflowClient(tracking_uri(settings)).get_run(run_id).info.status


class Pruned(Exception):
    run_status = "KILLED"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "FINISHED"),
        (ValueError("broken"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(1), "FAILED"),
        (Pruned(), "KILLED"),
    ],
)
def test_the_status_is_true_whatever_ends_a_run(
    settings: Settings, error: BaseException | None, status: str
) -> None:
    expected = nullcontext() if error is None else pytest.raises(type(error))
    with expected, tracked_run(settings, "one", {}) as run:
        assert status_of(settings, run.run_id) == "RUNNING"
        if error is not None:
            raise error
    assert status_of(settings, run.run_id) == status


def test_tags_and_a_parent_are_kept(settings: Settings) -> None:
    with tracked_run(settings, "parent", {}) as parent:  # noqa: SIM117
        with tracked_run(settings, "child", {"color": "blue"}, parent.run_id) as child:
            pass
    run = MlflowClient(tracking_uri(settings)).get_run(child.run_id)
    assert run.data.tags["mlflow.parentRunId"] == parent.run_id
    assert run.data.tags["color"] == "blue"


def test_params_are_the_main_settings_and_the_unusual_ones(settings: Settings) -> None:
    with tracked_run(settings, "one", {}) as run:
        pass
    params = client_of(settings).get_run(run.run_id).data.params
    assert params.keys() >= set(MAIN_PARAMS)
    assert params["training.seed"] == "0", "a main setting is a param also with its default"
    unusual = {key for key in TINY if not key.startswith("tracking.")}
    assert params.keys() - set(MAIN_PARAMS) == {*unusual, "data.root"} - set(MAIN_PARAMS)
    assert params["prediction.tile_px"] == "128"


def test_values_that_are_usual_need_no_mention(settings: Settings) -> None:
    assert telling_settings(settings, settings).keys() == set(MAIN_PARAMS)


def test_all_settings_are_one_artifact_without_secrets(settings: Settings) -> None:
    settings = with_values(settings, {"hpo.storage": "postgresql://anna:secret@host/studies"})
    with tracked_run(settings, "one", {}) as run:
        pass
    client = client_of(settings)
    (item,) = client.list_artifacts(run.run_id)
    assert item.path == SETTINGS_FILE
    text = Path(client.download_artifacts(run.run_id, SETTINGS_FILE)).read_text()
    assert "secret" not in text
    found = with_values(validate(json.loads(text), {}), {"hpo.storage": settings.hpo.storage})
    assert found == settings


@pytest.mark.parametrize("from_an_earlier_version", [True, False])
def test_a_resumed_run_says_what_has_changed(
    settings: Settings, from_an_earlier_version: bool
) -> None:
    client = client_of(settings)
    if from_an_earlier_version:  # every setting is a param, and there is no artifact
        run_id = client.create_run(experiment_id(open_client(settings), settings)).info.run_id
        texts = dict(flatten(recorded(settings)))
        for key, value in texts.items():
            client.log_param(run_id, key, value if isinstance(value, str) else json.dumps(value))
    else:
        with tracked_run(settings, "one", {}) as run:
            run_id = run.run_id
    now = with_values(settings, {"training.epochs": 9, "training.weight_decay": 0.5})
    with resumed_run(now, run_id):
        pass
    data = client.get_run(run_id).data
    changed = {key: data.tags[key] for key in data.tags if key.startswith("gravecli.resume_1.")}
    assert changed == {
        "gravecli.resume_1.training.epochs": "9",
        "gravecli.resume_1.training.weight_decay": "0.5",
    }
    assert data.params["training.epochs"] == "2"
    assert list_runs(now)[0].channels == "rgb"


@pytest.mark.parametrize(("kind", "expected"), [(None, TRAININGS), ("genai_development",) * 2])
def test_an_experiment_without_a_kind_is_one_of_trainings(
    settings: Settings, kind: str | None, expected: str
) -> None:
    client = client_of(settings)
    tags = {} if kind is None else {"mlflow.experimentKind": kind}
    made = client.create_experiment(settings.tracking.experiment, tags=tags)
    with tracked_run(settings, "one", {}):
        pass
    assert client.get_experiment(made).tags["mlflow.experimentKind"] == expected


def test_artifacts_lie_below_the_work_dir(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    with tracked_run(settings, "one", {}) as run:
        run.log_file(tmp_path / "note.txt", "notes")
    assert [p.name for p in (settings.work_dir / "artifacts").rglob("*.txt")] == ["note.txt"]
