"""Reading a SQLite store without MLflow gives what MLflow's client gives."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from image_store import client_of, copy_store, files_below
from mlflow import MlflowClient
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from support import tiny_settings

from grave_cli.errors import ModelError
from grave_cli.settings.tree import Settings
from grave_cli.tracking.listing import list_runs
from grave_cli.tracking.local_store import reading_client
from grave_cli.tracking.models import resolve_model
from grave_cli.tracking.records import Experiment, Metric, ModelVersion, RunData, RunInfo
from grave_cli.tracking.runs import tracked_run
from grave_cli.tracking.store import STORE_FILE, all_runs, look_up
from grave_cli.tracking.store_file import StoreFile

Ask = Callable[[MlflowClient], Any]

NAMES = ("first", "second", "it is ü", "unknown", "")
# A process that dies while it writes: SQLite keeps the old pages beside the file.
KILLED_WRITER = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE params SET value = hex(randomblob(2000))")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def settings(
    new_work_dir: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """A store with studies, trials, failed, deleted and nameless runs, models; read only."""
    folder = tmp_path_factory.mktemp("local")
    settings = tiny_settings(folder, new_work_dir(folder / "ü #1"))
    with tracked_run(settings, "first", {"gravecli.channels": "rgb"}) as run:
        for step, value in enumerate((0.25, math.nan, 0.5, math.inf), 1):
            run.client.log_metric(run.run_id, "val/dice", value, timestamp=step, step=step)
            run.client.log_metric(run.run_id, "val/dice", value / 2, timestamp=step, step=step)
        run.log_metrics({"best/dice": 0.5, "none": math.nan})
    with (
        tracked_run(settings, "second", {"gravecli.study": "second"}) as study,
        tracked_run(settings, "second-0", {"optuna.trial": "0"}, study.run_id),
    ):
        pass
    for name in ("it is ü", "first"):
        with pytest.raises(KeyError), tracked_run(settings, name, {"mark": "'quoted'"}):
            raise KeyError
    client = client_of(settings)
    graves = client.get_experiment_by_name("graves").experiment_id
    client.delete_run(client.create_run(graves, run_name="gone").info.run_id)
    client.create_run(graves, tags={"mlflow.runName": "named by its tag"})
    client.create_experiment("urns")
    client.delete_experiment(client.create_experiment("closed"))
    client.create_registered_model("graves")
    for number in (1, 2, 3):
        tags = {"dataset_id": f"data-{number}"}
        client.create_model_version("graves", f"runs:/{run.run_id}/model", run.run_id, tags=tags)
    client.set_registered_model_alias("graves", "champion", "2")
    client.delete_model_version("graves", "3")
    return settings


@pytest.fixture
def both(settings: Settings) -> Callable[[Ask], list[list[str]]]:
    """Asks the client without MLflow and MLflow's own for the same, and returns the one answer."""

    def answer(ask: Ask) -> list[list[str]]:
        answers = []
        for client in (reading_client(settings), client_of(settings)):
            try:
                found = look_up(client, lambda client=client: ask(client))
            except MlflowException:
                found = None
            listed = found if isinstance(found, list) else [] if found is None else [found]
            answers.append([facts(one) for one in listed])
        assert answers[0] == answers[1]
        return answers[0]

    return answer


Both = Callable[[Ask], list[list[str]]]


def facts(thing: Any) -> list[str]:
    """The fields that gravecli's records have, as text: NaN equals itself."""
    if hasattr(thing, "info"):
        logged = [sorted(getattr(thing.data, kind).items()) for kind in RunData.__annotations__]
        return [*fields(thing.info, RunInfo), *map(str, logged)]
    for kind in (Experiment, Metric, ModelVersion):
        if all(hasattr(thing, name) for name in kind.__annotations__):
            return fields(thing, kind)
    raise AssertionError(thing)


def fields(thing: Any, kind: type) -> list[str]:
    return [f"{name} {getattr(thing, name)}" for name in kind.__annotations__]


def graves(settings: Settings) -> str:
    return str(client_of(settings).get_experiment_by_name("graves").experiment_id)


def test_the_tables_of_this_mlflow_are_known(settings: Settings) -> None:
    assert StoreFile(settings.work_dir / STORE_FILE, settings).is_known()


def test_experiments_are_the_same(both: Both) -> None:
    assert len(both(lambda client: list(client.search_experiments()))) == 3
    for name in ("graves", "urns", "closed"):
        assert both(lambda client, name=name: client.get_experiment_by_name(name))
    assert not both(lambda client: client.get_experiment_by_name("unknown"))


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("", 6),
        ("attributes.run_name = 'first'", 2),
        ('attributes.run_name = "first"', 2),
        ("attributes.run_name = 'it is ü'", 1),
        ("attributes.run_name = 'gone'", 0),
        ("attributes.status = 'FINISHED' AND tags.`gravecli.channels` = 'rgb'", 1),
        ("tags.`gravecli.study` = 'first'", 0),
        ("attributes.status = 'FAILED'", 2),
        ("metrics.`best/dice` > 0.4", 1),  # which only MLflow reads
    ],
)
def test_runs_are_found_by_the_same_conditions(
    condition: str, count: int, both: Both, settings: Settings
) -> None:
    experiment = graves(settings)
    assert len(both(lambda client: list(all_runs(client, experiment, condition)))) == count


def test_a_run_and_its_history_are_the_same(both: Both, settings: Settings) -> None:
    experiments = [graves(settings)]
    runs = client_of(settings).search_runs(experiments, run_view_type=ViewType.ALL)
    assert "deleted" in {run.info.lifecycle_stage for run in runs}
    for run_id in [*(run.info.run_id for run in runs), "unknown", ""]:
        both(lambda client, run_id=run_id: client.get_run(run_id))
        both(lambda client, run_id=run_id: list(client.get_metric_history(run_id, "val/dice")))


def test_pages_are_the_same(both: Both, settings: Settings) -> None:
    experiment = graves(settings)

    def in_pages(client: MlflowClient) -> list[Any]:
        found, token = [], None
        for _ in range(3):
            how = {"order_by": ["attributes.start_time DESC"], "max_results": 2}
            page = client.search_runs([experiment], "", page_token=token, **how)
            assert len(page) == 2
            found += page
            token = page.token
        assert not token
        return found

    assert len(both(in_pages)) == 6


def test_versions_of_models_are_the_same(both: Both) -> None:
    found = {}
    for alias in ("champion", "latest", "unknown"):
        ask = lambda client, alias=alias: client.get_model_version_by_alias("graves", alias)  # noqa: E731
        found[alias] = both(ask)
    for number in ("1", "2", "3", "4"):
        ask = lambda client, number=number: client.get_model_version("graves", number)  # noqa: E731
        found[number] = both(ask)
    assert [key for key, value in found.items() if value] == ["champion", "latest", "1", "2"]
    assert "version 2" in found["champion"][0]
    assert not both(lambda client: client.get_model_version("urns", "1"))


@pytest.mark.parametrize("name", ["bad \udcff", "a\0b", "models:/graves@gone", "models:/graves/99"])
def test_names_that_nothing_can_have_are_unknown(name: str, settings: Settings) -> None:
    with pytest.raises(ModelError, match="no such model"):
        resolve_model(name, settings)


def test_reading_changes_nothing(settings: Settings) -> None:
    before = files_below(settings.work_dir)
    assert len(list_runs(settings, trials=True)) == 6
    assert files_below(settings.work_dir) == before


def test_what_a_killed_writer_left_is_repaired_by_mlflow(
    settings: Settings, tmp_path: Path
) -> None:
    copied = copy_store(settings, tmp_path)
    file = copied.work_dir / STORE_FILE
    subprocess.run([sys.executable, "-c", KILLED_WRITER, file], check=False)
    assert file.with_name(f"{STORE_FILE}-journal").stat().st_size > 0
    rows = [[(row.name, row.encoder) for row in list_runs(one)] for one in (copied, settings)]
    assert rows[0] == rows[1]
    assert not file.with_name(f"{STORE_FILE}-journal").exists()
