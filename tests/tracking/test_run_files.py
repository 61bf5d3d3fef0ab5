"""A project that is moved, renamed or copied keeps its models and writes only into itself."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from image_store import client_of, files_below, runs_of
from support import another_account, tiny_settings
from terminal import SETS, gravecli

from grave_cli.errors import TrackingError
from grave_cli.model.bundle import Bundle
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import (
    CHANNELS_TAG,
    MODEL_FOLDER,
    MODEL_TAG,
    newest_model,
    resolve_model,
)
from grave_cli.tracking.run_files import check_places, record_locations, run_folder
from grave_cli.tracking.runs import tracked_run
from grave_cli.tracking.studies import fetch_artifact

CHAMPION = "models:/graves@champion"


@pytest.fixture
def project(new_work_dir: Callable[[Path], Path], untrained: Bundle, tmp_path: Path) -> Settings:
    """A project in the folder `a`, whose only run is the champion `first`."""
    settings = tiny_settings(tmp_path / "a" / "data", new_work_dir(tmp_path / "a" / "runs"))
    with tracked_run(settings, "first", {CHANNELS_TAG: "rgb+dem", MODEL_TAG: MODEL_FOLDER}) as run:
        run.log_folder(untrained.folder, MODEL_FOLDER)
        run.client.create_registered_model("graves")
        run.client.create_model_version("graves", f"runs:/{run.run_id}/model", run.run_id)
        run.client.set_registered_model_alias("graves", "champion", "1")
    return settings


def at(settings: Settings, folder: Path) -> Settings:
    """The settings of the same project in another folder."""
    return with_values(settings, {"data.root": folder / "data", "work_dir": folder / "runs"})


def moved(settings: Settings) -> Settings:
    old = settings.work_dir.parent
    return at(settings, old.rename(old.with_name("moved ü? 100%{}")))


def copied(settings: Settings) -> Settings:
    old = settings.work_dir.parent
    return at(settings, Path(shutil.copytree(old, old.with_name("copy"))))


@pytest.mark.parametrize("take", [moved, copied])
def test_models_are_found_where_the_project_lies_now(
    project: Settings, take: Callable[[Settings], Settings], tmp_path: Path
) -> None:
    (run,) = runs_of(project)
    settings = take(project)
    found = [resolve_model(name, settings) for name in ("first", run.info.run_id, CHAMPION)]
    for one in [*found, newest_model(with_dem=True, settings=settings)]:
        assert one.bundle.folder.is_relative_to(settings.work_dir)
    assert fetch_artifact(settings, run.info.run_id, "model/model.json") is not None
    assert (tmp_path / "a").exists() is (take is copied)


@pytest.mark.parametrize("take", [moved, copied])
def test_new_files_go_where_the_project_lies_now(
    project: Settings, take: Callable[[Settings], Settings], untrained: Bundle, tmp_path: Path
) -> None:
    settings = take(project)
    before = files_below(tmp_path / "a")
    with tracked_run(settings, "second", {}) as run:
        run.log_folder(untrained.folder, MODEL_FOLDER)
    assert files_below(tmp_path / "a") == before
    for name in ("first", "second"):
        assert resolve_model(name, settings).bundle.folder.is_relative_to(settings.work_dir)


def test_mlflow_itself_finds_the_files_of_a_moved_project(project: Settings) -> None:
    settings = moved(project)
    record_locations(settings)
    (run,), client = runs_of(settings), client_of(settings)
    artifacts = (settings.work_dir / "artifacts").as_uri()
    assert run.info.artifact_uri == f"{artifacts}/{run.info.run_id}/artifacts"
    assert client.get_experiment_by_name("graves").artifact_location == artifacts


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_the_old_place_may_belong_to_another_account(project: Settings) -> None:
    settings = copied(project)
    (run,) = runs_of(settings)
    closed = project.work_dir.parent
    closed.chmod(0)
    with another_account():
        assert run_folder(run, settings) == (
            settings.work_dir / "artifacts" / run.info.run_id / "artifacts"
        )
    closed.chmod(0o755)


def test_looking_into_a_moved_project_changes_nothing(project: Settings) -> None:
    settings = moved(project)
    before = files_below(settings.work_dir)
    resolve_model("first", settings)
    assert files_below(settings.work_dir) == before


def test_files_on_another_disk_stay_there(
    new_work_dir: Callable[[Path], Path], tmp_path: Path
) -> None:
    settings = tiny_settings(tmp_path, new_work_dir(tmp_path / "a" / "runs"))
    disk = with_values(settings, {"tracking.artifacts": str(tmp_path / "disk")})
    (tmp_path / "note.txt").write_text("hello")
    with tracked_run(disk, "far", {}) as run:
        run.log_file(tmp_path / "note.txt", "")
    settings = moved(settings)
    with tracked_run(settings, "near", {}) as near:
        near.log_file(tmp_path / "note.txt", "")
    places = {run.info.run_name: run_folder(run, settings) for run in runs_of(settings)}
    assert places["far"] == tmp_path / "disk" / run.run_id / "artifacts"
    assert places["near"] == settings.work_dir / "artifacts" / near.run_id / "artifacts"
    assert all(place is not None and (place / "note.txt").is_file() for place in places.values())


def test_a_run_of_another_process_keeps_its_location(project: Settings, tmp_path: Path) -> None:
    with tracked_run(project, "busy", {}) as busy:
        settings = copied(project)
        record_locations(settings)
        uri = client_of(settings).get_run(busy.run_id).info.artifact_uri
        assert uri.startswith((tmp_path / "a").as_uri())


def test_a_training_in_a_copy_leaves_the_original_alone(
    trained: Settings, sample_data: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained.work_dir, tmp_path / "runs")
    before = files_below(trained.work_dir)
    assert gravecli("runs", cwd=tmp_path).stdout.count("tiny") == 1
    more = ["--data", sample_data, "--channels", "rgb+dem", "--init-from", CHAMPION]
    result = gravecli("train", *more, *SETS, "--epochs", 1, "--name", "more", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert files_below(trained.work_dir) == before
    for name in ("tiny", "more", CHAMPION):
        assert gravecli("model-info", name, cwd=tmp_path).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_a_folder_for_the_files_of_runs_that_may_not_be_written_is_named(work_dir: Path) -> None:
    with TemporaryDirectory() as open_to_all:
        folder = Path(shutil.copytree(work_dir, Path(open_to_all) / "runs"))
        for path in (folder, *folder.rglob("*"), folder.parent):
            path.chmod(0o777)
        settings = tiny_settings(folder, folder)
        check_places(settings)
        before = files_below(folder)
        closed = Path(open_to_all) / "closed"
        closed.mkdir(mode=0o755)
        other = with_values(settings, {"tracking.artifacts": str(closed / "new" / "files")})
        with (
            another_account(),
            pytest.raises(TrackingError, match=r"closed/new/files: files of runs cannot be writ"),
        ):
            check_places(other)
        assert files_below(folder) == before
