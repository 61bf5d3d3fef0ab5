"""Real servers: an MLflow server on PostgreSQL as the store, and MLflow's pages as a child."""

import http.server
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urljoin

import optuna
import psutil
import psycopg
import pytest
from image_store import client_of, images_of, runs_of
from ports import unused_port
from postgres import new_database
from support import copy_bundle, tiny_settings
from terminal import start_gravecli

from grave_cli.errors import ModelError, TrackingError
from grave_cli.model.bundle import Bundle
from grave_cli.tracking.addresses import free_port
from grave_cli.tracking.listing import list_runs
from grave_cli.tracking.models import resolve_model
from grave_cli.tracking.runs import tracked_run
from grave_cli.tracking.server import _await_answer, mlflow_pages, mlflow_server
from grave_cli.tracking.store import TABLES_LOCK, open_client
from grave_cli.tracking.studies import fetch_artifact
from grave_cli.training.trainer import run_training

LARGE = 60_000_000


@pytest.fixture(scope="module")
def server(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of an MLflow server that keeps runs in PostgreSQL and files for its clients."""
    store = ["--backend-store-uri", new_database(postgres, "served")]
    files = ["--artifacts-destination", tmp_path_factory.mktemp("served").as_uri()]
    with mlflow_server([*store, *files], unused_port()) as url:
        yield url


def test_a_training_is_recorded_on_a_server_with_postgresql(
    server: str, sample_data: Path, tmp_path: Path
) -> None:
    settings = tiny_settings(
        sample_data, tmp_path / "runs", training__epochs=1, tracking__uri=server
    )
    run_training(settings, name="remote")
    (run,) = runs_of(settings)
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.name == f"dataset_{run.data.params['dataset_id']}"
    artifacts = {item.path for item in client_of(settings).list_artifacts(run.info.run_id)}
    assert artifacts == {"settings.json", "model", "final", "images", "checkpoints"}
    keys = {image.key for image in images_of(settings, run.info.run_id)}
    assert "predictions/combined" in keys
    assert [row.name for row in list_runs(settings)] == ["remote"]
    for name in ("remote", f"runs:/{run.info.run_id}", "models:/graves@champion"):
        assert resolve_model(name, settings).bundle.card.run_id == run.info.run_id
    files = [path for path in settings.work_dir.rglob("*") if path.is_file()]
    models = settings.work_dir / "cache" / "models"
    assert files
    assert all(path.is_relative_to(models) for path in files)


def test_a_model_whose_download_was_killed_is_downloaded_again(
    server: str, untrained: Bundle, tmp_path: Path
) -> None:
    settings = tiny_settings(tmp_path, tmp_path / "runs", tracking__uri=server)
    bundle = copy_bundle(untrained, tmp_path / "bundle")
    with (bundle.folder / "model.onnx").open("wb") as large:  # so that it takes a while
        large.truncate(LARGE)
    with tracked_run(settings, "big", {}) as run:
        run.log_folder(bundle.folder, "model")
    cache = settings.work_dir / "cache" / "models"
    child = get_context("spawn").Process(target=resolve_model, args=("big", settings))
    child.start()
    while not any(path.is_file() for path in cache.rglob("*")):
        assert child.is_alive()
        time.sleep(0.001)
    child.kill()
    child.join()
    found = resolve_model("big", settings).bundle
    sizes = {path.name: path.stat().st_size for path in bundle.folder.iterdir()}
    assert {path.name: path.stat().st_size for path in found.folder.iterdir()} == sizes
    assert found.sha256 == bundle.sha256


def test_a_file_of_a_run_is_fetched_whole(server: str, tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, tmp_path / "runs", tracking__uri=server)
    note = tmp_path / "note.txt"
    for text in ("first", "second"):
        note.write_text(text)
        with tracked_run(settings, text, {}) as run:
            run.log_file(note, "")
        found = fetch_artifact(settings, run.run_id, "note.txt")
        assert found is not None
        assert found.read_text() == text
        assert list(found.parent.iterdir()) == [found]
    assert fetch_artifact(settings, run.run_id, "absent.txt") is None


def test_a_run_without_a_model_is_named_by_a_server(server: str, tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, tmp_path / "runs", tracking__uri=server)
    with tracked_run(settings, "bare", {}):
        pass
    with pytest.raises(ModelError, match="run bare has no model"):
        resolve_model("bare", settings)
    assert not list((settings.work_dir / "cache" / "models").iterdir())


def test_a_database_is_a_store_and_files_stay_where_the_settings_say(
    postgres: str, tmp_path: Path
) -> None:
    settings = tiny_settings(
        tmp_path,
        tmp_path / "runs",
        tracking__uri=new_database(postgres, "direct"),
        tracking__artifacts=str(tmp_path / "share"),
    )
    (tmp_path / "note.txt").write_text("hello")
    with tracked_run(settings, "one", {}) as run:
        run.log_file(tmp_path / "note.txt", "notes")
    assert [row.status for row in list_runs(settings)] == ["FINISHED"]
    assert [path.name for path in (tmp_path / "share").rglob("*.txt")] == ["note.txt"]


def test_another_computer_that_makes_the_tables_is_waited_for(
    postgres: str, tmp_path: Path
) -> None:
    settings = tiny_settings(
        tmp_path, tmp_path / "runs", tracking__uri=new_database(postgres, "begun")
    )
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with psycopg.connect(f"{postgres}/begun") as other, ThreadPoolExecutor(1) as here:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [TABLES_LOCK])
        opened = here.submit(open_client, settings)
        while other.execute(waiting).fetchone() != (1,):
            assert not opened.done()
            time.sleep(0.1)
        other.commit()
        assert opened.result(120).get_experiment_by_name("graves") is None


def test_a_store_that_is_a_server_has_pages_already(tmp_path: Path) -> None:
    settings = tiny_settings(
        tmp_path, tmp_path / "runs", tracking__uri="http://mlflow.example:5000"
    )
    with mlflow_pages(settings, unused_port()) as url:
        assert url == "http://mlflow.example:5000/#/experiments?workflowType=machine_learning"


def test_a_server_that_does_not_start_says_why() -> None:
    store = ["--backend-store-uri", "nosuchscheme://nowhere"]
    with (
        pytest.raises(TrackingError, match=r"did not start: .*nosuchscheme"),
        mlflow_server(store, unused_port()),
    ):
        pytest.fail("it started")


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_the_pages_of_another_server_that_was_faster_are_not_shown() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as faster:
        threading.Thread(target=faster.serve_forever, daemon=True).start()
        refused = "import time; time.sleep(0.5)"  # as it looks for a while
        with (
            tempfile.TemporaryFile() as log,
            subprocess.Popen([sys.executable, "-c", refused]) as child,
            pytest.raises(TrackingError, match=r"port \d+ has just been taken"),
        ):
            _await_answer(child, faster.server_port, log)
        faster.shutdown()


def test_no_proxy_is_asked_for_the_pages_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")  # of an office's network
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("grave_cli.tracking.server._listens", lambda *_: True)
    monkeypatch.setattr("grave_cli.tracking.server._START_S", 2)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        command = [sys.executable, "-c", "input()"]
        with (
            tempfile.TemporaryFile() as log,
            subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log) as child,
        ):
            _await_answer(child, pages.server_port, log)
        pages.shutdown()


def test_the_next_free_port_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
        signal.SIGKILL,  # the hardest: the dashboard itself can end nothing
    ],
)
def test_dashboard_ends_with_all_of_its_children(
    ending: signal.Signals, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with_study = ending == signal.SIGTERM
    storage = f"sqlite:///{tmp_path / 'studies.db'}"
    if with_study:
        optuna.create_study(storage=storage, study_name="seen")
    options = ("--mlflow", "--no-browser", "--port", unused_port(), "--storage", storage)
    process = start_gravecli("dashboard", *options, cwd=tmp_path)
    request.addfinalizer(process.kill)
    assert process.stdout is not None
    runs = process.stdout.readline().split()[-1]
    assert b"location.replace" in fetch(runs)  # to the runs
    assert b"MLflow" in fetch(urljoin(runs, "/"))
    if with_study:
        address = process.stdout.readline().split()[-1].removesuffix("dashboard/")
        assert b"seen" in fetch(f"{address}api/studies")
    family = psutil.Process(process.pid).children(recursive=True)
    assert family
    os.kill(process.pid, ending)
    _, said = process.communicate(timeout=60)
    assert process.returncode == (-ending if ending == signal.SIGKILL else 0), said
    assert ("only MLflow is shown" in said) is not with_study
    assert "Traceback" not in said
    _, living = psutil.wait_procs(family, timeout=60)  # after SIGKILL they end by themselves
    assert not living


def fetch(url: str) -> bytes:
    """Read a page of a server that may only just be starting."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=20) as page:
                return bytes(page.read())
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")
