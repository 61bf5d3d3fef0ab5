"""A tracking server that is down, silent or gone in the middle is not an empty one."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import mlflow.tracking  # noqa: F401  imported here, so that no test waits for it
import pytest
from ports import unused_port
from support import tiny_settings

from grave_cli.errors import TrackingError
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import find_run, resolve_model
from grave_cli.tracking.registry import find_champion
from grave_cli.tracking.runs import TrackedRun, tracked_run
from grave_cli.tracking.store import all_runs, check_writable, experiment_id, open_client
from grave_cli.tracking.studies import find_study_run
from grave_cli.tracking.unfinished import RunState, settle, work_folder

RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
RUN_ID = "0" * 32


class Dying(BaseHTTPRequestHandler):
    """Knows no experiment, then hangs up on everything else."""

    retries: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.retries.append(os.environ.get(RETRIES))
        if "experiments/get-by-name" not in self.path:
            self.close_connection = True
            return
        answer = b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}'
        self.send_response(404)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def dying(tmp_path: Path) -> Iterator[Settings]:
    """Settings of a store that answers the first question only."""
    Dying.retries.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Dying) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield settings_of(tmp_path, server.server_address[1])
        server.shutdown()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Port that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def settings_of(folder: Path, port: int) -> Settings:
    uri = f"http://anna:secret@127.0.0.1:{port}"
    return tiny_settings(folder, folder / "runs", tracking__uri=uri)


def test_after_a_change_of_directory_another_file_is_opened(
    new_work_dir: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, runs in (("first", ["one"]), ("second", [])):
        new_work_dir(tmp_path / name / "runs")
        monkeypatch.chdir(tmp_path / name)
        settings = tiny_settings(Path("data"), Path("runs"))
        if runs:
            with tracked_run(settings, "one", {}):
                pass
        experiment = experiment_id(open_client(settings), settings)
        assert [run.info.run_name for run in all_runs(open_client(settings), experiment)] == runs


def test_a_server_that_is_down_is_told_within_seconds(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, unused_port())
    start = time.monotonic()
    with pytest.raises(TrackingError) as caught:
        open_client(settings)
    assert time.monotonic() - start < 30
    port = settings.tracking.uri.rpartition(":")[2]
    said = str(caught.value)
    assert said.startswith(f"http://anna:***@127.0.0.1:{port}: tracking server does not answer")
    assert said.endswith("; start it, or check tracking.uri")
    assert "secret" not in said
    assert len(said) < 250
    assert RETRIES not in os.environ


def test_a_database_server_that_is_down_is_told_at_once(tmp_path: Path) -> None:
    uri = f"postgresql+psycopg://anna:secret@127.0.0.1:{unused_port()}/runs"
    start = time.monotonic()
    with pytest.raises(
        TrackingError, match=r"anna:\*\*\*@.*cannot be used: .*refused.*check"
    ) as caught:
        open_client(tiny_settings(tmp_path, tmp_path / "runs", tracking__uri=uri))
    assert time.monotonic() - start < 30
    assert "secret" not in str(caught.value)


def test_a_silent_server_is_waited_for_as_long_as_the_environment_says(
    tmp_path: Path, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RETRIES, "0")
    monkeypatch.setenv(TIMEOUT, "1")
    start = time.monotonic()
    with pytest.raises(TrackingError, match=r"does not answer \(found .*timed? ?out"):
        open_client(settings_of(tmp_path, silent_port))
    assert 1 <= time.monotonic() - start < 10  # without it 15, in three tries
    assert os.environ[RETRIES] == "0"


def test_a_server_that_has_answered_may_restart(dying: Settings) -> None:
    open_client(dying)
    open_client(dying)
    assert Dying.retries == ["1", None]


@pytest.mark.parametrize(
    "ask",
    [
        lambda settings: find_run(open_client(settings), RUN_ID, settings),
        lambda settings: resolve_model(f"runs:/{RUN_ID}", settings),
        lambda settings: resolve_model("models:/graves@champion", settings),
        lambda settings: resolve_model("models:/graves/3", settings),
        lambda settings: find_study_run(open_client(settings), RUN_ID),
        lambda settings: find_champion(
            TrackedRun(open_client(settings), RUN_ID, "new", settings, settings.work_dir)
        ),
    ],
)
def test_no_answer_is_not_taken_for_there_is_none(
    dying: Settings, ask: Callable[[Settings], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RETRIES, "0")
    with pytest.raises(TrackingError, match="tracking server does not answer"):
        ask(dying)


def test_the_work_of_a_run_stays_while_its_server_is_down(
    dying: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RETRIES, "0")
    state = RunState(
        run_id=RUN_ID,
        name="left",
        parent_run_id=None,
        tags={},
        store=dying.tracking.uri.replace("secret", "***"),
        settings={},
    )
    left = work_folder(dying, state)
    with left.held():
        left.checkpoint.write_bytes(b"weights")
    with pytest.raises(TrackingError, match="tracking server does not answer"):
        settle(open_client(dying), dying)
    assert left.is_resumable


def test_an_experiment_that_another_process_has_just_created_is_used(work_dir: Path) -> None:
    settings = with_values(tiny_settings(work_dir, work_dir), {"tracking.experiment": "new"})
    client = open_client(settings)
    made: list[str] = []

    class Beaten:
        """A client that looks just before another process creates the experiment."""

        def get_experiment_by_name(self, name: str) -> object:
            found = client.get_experiment_by_name(name)
            if found is None:
                made.append(experiment_id(client, settings))
            return found

        def __getattr__(self, name: str) -> object:
            return getattr(client, name)

    beaten: Any = Beaten()
    assert [experiment_id(beaten, settings)] == made


def test_a_deleted_experiment_is_named_before_any_work(work_dir: Path) -> None:
    settings = tiny_settings(work_dir, work_dir)
    client = open_client(settings)
    client.delete_experiment(experiment_id(client, settings))
    with pytest.raises(TrackingError, match=r"experiment graves has been deleted; .*restore"):
        check_writable(settings)
