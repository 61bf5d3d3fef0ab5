"""A tracking store that is damaged, locked or silent is one line, at once or in the middle."""

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from broken_database import BROKEN, Break, change, locked
from image_store import runs_of
from ports import unused_port
from support import another_account, tiny_settings

from grave_cli.errors import TrackingError
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.listing import list_runs
from grave_cli.tracking.models import resolve_model
from grave_cli.tracking.runs import tracked_run
from grave_cli.tracking.store import STORE_FILE, check_writable, open_client, tracking_store

STORES: dict[str, tuple[Break, str]] = {
    **BROKEN,
    "lost table": (
        lambda file: change(file, "PRAGMA foreign_keys=off", "DROP TABLE runs"),
        "is damaged: table runs is missing; restore",
    ),
    "newer": (
        lambda file: change(file, "UPDATE alembic_version SET version_num = 'ffff'"),
        r"written by another version of MLflow \(found ffff, .*mlflow db upgrade",
    ),
}


@pytest.fixture
def settings(work_dir: Path) -> Settings:
    return tiny_settings(work_dir, work_dir)


def begin_run(settings: Settings) -> None:
    with tracked_run(settings, "new", {}):
        pass


def name_model(settings: Settings) -> None:
    resolve_model("one", settings)


ASKS = [list_runs, name_model, begin_run, check_writable]


def refusal(ask: Callable[[Settings], object], settings: Settings) -> str:
    with pytest.raises(TrackingError) as caught:
        ask(settings)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("kind", STORES)
def test_a_broken_store_is_one_line(
    settings: Settings, kind: str, ask: Callable[[Settings], object]
) -> None:
    destroy, words = STORES[kind]
    file = settings.work_dir / STORE_FILE
    destroy(file)
    before = file.read_bytes()
    with pytest.raises(TrackingError, match=words):
        ask(settings)
    assert file.read_bytes() == before, "the store has changed"


@pytest.mark.parametrize("ask", ASKS)
def test_a_locked_store_is_waited_for_as_long_as_the_settings_say(
    settings: Settings, ask: Callable[[Settings], object]
) -> None:
    patient = with_values(settings, {"tracking.wait_s": 0.2})
    start = time.monotonic()
    with locked(settings.work_dir / STORE_FILE):
        assert "is locked; another program is writing it" in refusal(ask, patient)
    assert time.monotonic() - start < 5


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, tmp_path / "runs")
    settings.work_dir.mkdir()
    (settings.work_dir / STORE_FILE).touch()  # left by a process that was killed
    assert "no runs are recorded" in refusal(list_runs, settings)
    begin_run(settings)
    assert [row.name for row in list_runs(settings)] == ["new"]
    assert not list(settings.work_dir.glob(".gravecli-*"))


def test_a_work_dir_that_is_a_file_is_named(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, tmp_path / "runs")
    settings.work_dir.write_text("not a folder")
    assert f"File exists: {settings.work_dir}" in refusal(begin_run, settings)
    said = refusal(check_writable, settings)
    assert said.startswith(f"{settings.work_dir}: tracking store cannot be created: not a folder")


def test_a_folder_instead_of_the_file_is_named(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, tmp_path / "runs")
    (settings.work_dir / STORE_FILE).mkdir(parents=True)
    for ask in (begin_run, check_writable):
        assert "cannot be created: not a file; choose another work_dir" in refusal(ask, settings)


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_a_store_that_cannot_be_written_is_told_before_the_work(work_dir: Path) -> None:
    with TemporaryDirectory() as open_to_all:
        folder = Path(shutil.copytree(work_dir, Path(open_to_all) / "runs"))
        settings = tiny_settings(folder, folder)
        for path, mode in ((folder / STORE_FILE, 0o444), (folder, 0o555), (folder.parent, 0o755)):
            path.chmod(mode)
        with another_account(), pytest.raises(TrackingError, match=r"readonly.*permissions"):
            tracking_store(settings).check_writable()
        new = tiny_settings(folder, folder / "new" / "runs")
        with another_account(), pytest.raises(TrackingError, match=r"may not be written; choose"):
            check_writable(new)
        assert not new.work_dir.exists()
        folder.chmod(0o755)


@contextmanager
def without_table(settings: Settings, table: str) -> Iterator[None]:
    file = settings.work_dir / STORE_FILE
    change(file, f"ALTER TABLE {table} RENAME TO gone")
    yield
    change(file, f"ALTER TABLE gone RENAME TO {table}")


def test_a_store_that_breaks_in_the_middle_is_one_line(settings: Settings) -> None:
    words = "cannot be used: no such table: metrics"
    with tracked_run(settings, "one", {}) as run, without_table(settings, "metrics"):
        with pytest.raises(TrackingError, match=words):
            run.log_metrics({"a": 1.0})
        with pytest.raises(TrackingError, match=words):
            run.lightning_logger().log_metrics({"a": 1.0})
        with pytest.raises(TrackingError, match=r"No such file or directory: .*missing\.txt"):
            run.log_file(settings.work_dir / "missing.txt", "")


def fail_without_store(settings: Settings) -> None:
    with tracked_run(settings, "one", {}):
        change(settings.work_dir / STORE_FILE, "ALTER TABLE runs RENAME TO gone")
        raise ValueError("first")


def test_the_first_error_counts_if_the_run_cannot_be_closed_either(settings: Settings) -> None:
    with pytest.raises(ValueError, match="first"):
        fail_without_store(settings)
    change(settings.work_dir / STORE_FILE, "ALTER TABLE gone RENAME TO runs")
    begin_run(settings)  # the next run corrects the status
    assert {run.info.run_name: run.info.status for run in runs_of(settings)}["one"] == "KILLED"


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg"])
def test_a_silent_server_is_waited_for_as_long_as_the_settings_say(
    scheme: str, tmp_path: Path
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        uri = f"{scheme}://anna:s3cret@127.0.0.1:{listener.getsockname()[1]}/runs"
        options = {"tracking__uri": uri, "tracking__wait_s": 2}
        start = time.monotonic()
        said = refusal(list_runs, tiny_settings(tmp_path, tmp_path / "runs", **options))
        assert 1 < time.monotonic() - start < 8
    assert "tracking.uri" in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql+psycopg://anna:my s3/cr@et?@127.0.0.1:{port}/runs",
        "postgresql+psycopg://127.0.0.1:{port}/runs?user=anna&password=s3cret",
        "postgresql+psycopg://anna:s3cret@127.0.0.1:port/runs",
        "postgresql:anna:s3cret@127.0.0.1/runs",
        "anna:s3cret@127.0.0.1/runs",
        "http://anna:s3cret@127.0.0.1:{port}",
        "http://s3cret@[::1",
        "nosuch://anna:s3cret@127.0.0.1/runs",
        "mysql://anna:s3cret@127.0.0.1/runs",
    ],
)
def test_no_part_of_a_password_is_shown(uri: str, tmp_path: Path) -> None:
    uri = uri.format(port=unused_port())
    said = refusal(open_client, tiny_settings(tmp_path, tmp_path / "runs", tracking__uri=uri))
    for part in ("s3", "cr", "et?"):
        assert part not in said.replace("tracking store", "")


@pytest.mark.slow
def test_two_processes_may_create_a_store_at_once(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, tmp_path / "runs")
    children = [get_context("spawn").Process(target=begin_run, args=(settings,)) for _ in "ab"]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert len(runs_of(settings)) == 2
