"""Runs that were left: their true status, what stays of them, and how they go on."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from image_store import client_of, copy_store, files_below, images_of, runs_of
from lightning.pytorch import Callback, Trainer
from node import HERE, become
from support import tiny_settings

from grave_cli.dataset.training_data import plan_training, read_training_data
from grave_cli.errors import DatasetError, InUseError, SettingsError, TrackingError
from grave_cli.owners.claims import claimed
from grave_cli.settings.load import load_settings, with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.listing import list_runs
from grave_cli.tracking.resuming import find_unfinished, resumed_settings
from grave_cli.tracking.runs import tracked_run
from grave_cli.tracking.unfinished import Unfinished, prune
from grave_cli.training import trainer
from grave_cli.training.dry_run import estimate_training
from grave_cli.training.trainer import run_training

KILLED_IN_THE_THIRD_EPOCH = """
import os, signal, sys
from pathlib import Path
from lightning.pytorch import Callback
from support import tiny_settings
from grave_cli.training.trainer import run_training

class Kill(Callback):
    def on_train_batch_end(self, trainer, *args):
        if trainer.current_epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)

settings = tiny_settings(Path(sys.argv[1]), Path(sys.argv[2]), training__epochs=4)
run_training(settings, callbacks=[Kill()], name="left")
"""


class Interrupt(Callback):
    """Ctrl-C in the first batch of an epoch, counted from 1."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, trainer: Trainer, *args: object) -> None:
        if trainer.current_epoch + 1 == self.epoch:
            raise KeyboardInterrupt


def options(*assignments: str, **values: object) -> object:
    return load_settings(assignments=assignments, options=values, environ={})


def left_files(settings: Settings) -> list[Path]:
    return sorted((settings.work_dir / "unfinished").iterdir())


@pytest.fixture(scope="module")
def killed(
    sample_data: Path,
    new_work_dir: Callable[[Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings whose store holds one run that a SIGKILL ended in its third epoch."""
    work_dir = new_work_dir(tmp_path_factory.mktemp("killed") / "runs")
    temp = tmp_path_factory.mktemp("temp")
    tests = Path(__file__).parents[1]
    child = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_THIRD_EPOCH, str(sample_data), str(work_dir)],
        env={**os.environ, "TMPDIR": str(temp), "PYTHONPATH": _python_path(tests)},
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert child.returncode == -9, child.stderr
    assert list(temp.iterdir()) == []
    return tiny_settings(sample_data, work_dir, training__epochs=4)


def _python_path(first: Path) -> str:
    return os.pathsep.join([str(first), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture
def copied(killed: Settings, tmp_path: Path) -> Settings:
    """The same, for a test that changes it."""
    return copy_store(killed, tmp_path)


def test_a_killed_run_gets_its_true_status(copied: Settings) -> None:
    (run,) = runs_of(copied)
    assert run.info.status == "RUNNING"
    (row,) = list_runs(copied)
    assert (row.status, row.epochs, row.is_resumable) == ("KILLED", 2, True)
    assert 0 < row.duration_s < 600


@pytest.fixture(scope="module")
def resumed(killed: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A copy whose run has gone on to its end."""
    settings = copy_store(killed, tmp_path_factory.mktemp("resumed"))
    before = files_below(killed.work_dir)
    run_training(settings, unfinished=find_unfinished("left", settings))
    assert files_below(killed.work_dir) == before, "the original has changed"
    return settings


def test_a_resumed_run_ends_as_the_same_run(killed: Settings, resumed: Settings) -> None:
    (run,), (before,) = runs_of(resumed), runs_of(killed)
    assert run.info.run_id == before.info.run_id
    (row,) = list_runs(resumed)
    assert (row.status, row.epochs, row.is_resumable) == ("FINISHED", 4, False)
    assert left_files(resumed) == []
    assert len(run.inputs.dataset_inputs) == 1
    logged = images_of(resumed, run.info.run_id)
    steps = [i.step for i in logged if i.key == "predictions/combined" and i.ending == ".png"]
    assert sorted(steps) == sorted({0, 1, 4, int(run.data.metrics["best_epoch"])})


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    resumed: Settings, sample_data: Path, work_dir: Path
) -> None:
    whole = tiny_settings(sample_data, work_dir, training__epochs=4)
    run_training(whole, finish=False)
    for name in ("train/loss", "val/loss", "val/dice", "learning_rate"):
        found, expected = (history(one, name) for one in (resumed, whole))
        assert list(found) == list(expected) == [1, 2, 3, 4]
        assert found == pytest.approx(expected, rel=1e-4), name


def history(settings: Settings, name: str) -> dict[int, float]:
    (run,) = runs_of(settings)
    logged = client_of(settings).get_metric_history(run.info.run_id, name)
    assert len({metric.step for metric in logged}) == len(logged)
    return {metric.step: metric.value for metric in logged}


def test_what_changes_is_a_tag_and_an_artifact_and_the_params_stay(
    copied: Settings, tmp_path: Path
) -> None:
    left = find_unfinished("left", copied)
    now = options("training.epochs=3", "tracking.samples=0", work_dir=copied.work_dir)
    result = run_training(resumed_settings(left, now), unfinished=left, finish=False)
    assert result.epochs == 3
    (run,) = runs_of(copied)
    assert run.data.params["training.epochs"] == "4"
    assert run.data.tags["gravecli.resumes"] == "1"
    changed = {key for key in run.data.tags if key.startswith("gravecli.resume_1.")}
    expected = ("training.epochs", "tracking.samples", "work_dir")
    assert changed == {f"gravecli.resume_1.{key}" for key in expected}
    assert run.data.tags["gravecli.resume_1.training.epochs"] == "3"
    path = client_of(copied).download_artifacts(
        run.info.run_id, "settings/resume-1.json", str(tmp_path)
    )
    assert json.loads(Path(path).read_text())["training"]["epochs"] == 3


def test_more_epochs_can_be_trained_and_a_run_can_be_left_twice(
    sample_data: Path, work_dir: Path
) -> None:
    settings = tiny_settings(sample_data, work_dir, training__epochs=2)
    data = read_training_data(plan_training(settings), settings)
    with pytest.raises(KeyboardInterrupt):
        run_training(settings, data, [Interrupt(2)], name="twice")
    assert [row.status for row in list_runs(settings)] == ["KILLED"]
    longer = with_values(settings, {"training.epochs": 4})
    with pytest.raises(KeyboardInterrupt):
        run_training(longer, data, [Interrupt(4)], unfinished=find_unfinished("twice", settings))
    left = find_unfinished("twice", settings)
    assert left.state.settings["training"]["epochs"] == 4
    result = run_training(longer, data, unfinished=left, finish=False)
    assert result.epochs == 4
    (run,) = runs_of(settings)
    assert run.info.status == "FINISHED"
    assert run.data.tags["gravecli.resumes"] == "2"
    steps = [m.step for m in client_of(settings).get_metric_history(result.run_id, "val/dice")]
    assert steps == [1, 2, 3, 4]


def test_a_run_that_failed_after_its_last_epoch_is_only_finished(
    sample_data: Path, work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tiny_settings(sample_data, work_dir, training__epochs=1)
    data = read_training_data(plan_training(settings), settings)

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr("grave_cli.training.finishing.score_parts", fail)
        with pytest.raises(OSError, match="disk full"):
            run_training(settings, data, name="full")
    assert [row.status for row in list_runs(settings)] == ["FAILED"]
    result = run_training(settings, data, unfinished=find_unfinished("full", settings))
    (run,) = runs_of(settings)
    assert run.info.status == "FINISHED"
    assert "test/object_f1" in result.metrics
    steps = [m.step for m in client_of(settings).get_metric_history(result.run_id, "val/dice")]
    assert steps == [1]


def test_a_finished_run_is_not_resumed(trained: Settings) -> None:
    with pytest.raises(TrackingError, match=r"run tiny has finished; .*--init-from tiny"):
        find_unfinished("tiny", trained)


def test_a_run_without_a_checkpoint_is_not_resumed(sample_data: Path, work_dir: Path) -> None:
    settings = tiny_settings(sample_data, work_dir)
    with pytest.raises(KeyboardInterrupt):
        run_training(settings, callbacks=[Interrupt(1)], name="short")
    assert left_files(settings) == []
    with pytest.raises(TrackingError, match=r"run short cannot be resumed .*no checkpoint"):
        find_unfinished("short", settings)


def test_an_unknown_run_is_not_resumed(killed: Settings, tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="no such run: nobody"):
        find_unfinished("nobody", killed)
    with pytest.raises(TrackingError, match="no runs are recorded"):
        find_unfinished("nobody", tiny_settings(tmp_path, tmp_path / "runs"))


def test_a_run_is_not_resumed_on_other_data(
    copied: Settings, sample_data: Path, tmp_path: Path
) -> None:
    shutil.copytree(sample_data, tmp_path / "data")
    os.utime(next((tmp_path / "data" / "annotations").iterdir()), (1, 1))
    other = with_values(copied, {"data.root": tmp_path / "data"})
    for begin in (run_training, estimate_training):
        with pytest.raises(DatasetError, match=r"the data has changed since run left began"):
            begin(other, unfinished=find_unfinished("left", copied))
    assert [row.status for row in list_runs(copied)] == ["KILLED"]


def test_settings_that_make_another_training_are_refused(killed: Settings) -> None:
    left = find_unfinished("left", killed)
    with pytest.raises(SettingsError, match=r"training\.learning_rate cannot change"):
        resumed_settings(left, options("training.learning_rate=0.5", work_dir=killed.work_dir))


def test_thresholds_of_the_review_may_change_but_not_those_that_scores_depend_on(
    killed: Settings,
) -> None:
    left = find_unfinished("left", killed)
    now = options("review.min_confidence=0.9", work_dir=killed.work_dir)
    assert resumed_settings(left, now).review.min_confidence == 0.9
    now = options("prediction.decoding.body_threshold=0.4", work_dir=killed.work_dir)
    with pytest.raises(SettingsError, match=r"prediction\.decoding\.body_threshold cannot change"):
        resumed_settings(left, now)


def test_fewer_epochs_than_were_trained_are_refused(copied: Settings) -> None:
    left = find_unfinished("left", copied)
    fewer = with_values(copied, {"training.epochs": 1})
    for begin in (run_training, estimate_training):
        with pytest.raises(SettingsError, match=r"has trained more epochs .*found 1, expected 2"):
            begin(fewer, unfinished=left)


def test_the_estimate_of_a_resumed_run_is_that_of_the_epochs_left(
    copied: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grave_cli.training.dry_run._OVERHEAD", 1)
    steps = estimate_training(copied).steps_per_epoch
    clock = itertools.count()
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))  # a step takes a second
    used = with_values(copied, {"model.start": str(tmp_path / "deleted.pt")})
    left = find_unfinished("left", copied)
    assert estimate_training(used, unfinished=left).seconds == steps * 2
    assert estimate_training(copied).seconds == steps * 4


def test_a_run_that_goes_on_elsewhere_is_left_alone(copied: Settings) -> None:
    left = find_unfinished("left", copied)
    with left.held():
        (row,) = list_runs(copied)
        assert prune(copied) == []
        for begin in (run_training, estimate_training):
            with pytest.raises(TrackingError, match="running in another process"):
                begin(copied, unfinished=left)
    assert left.checkpoint.is_file()
    assert row.status == "KILLED"


def test_a_run_that_goes_on_is_not_taken_for_a_dead_one(work_dir: Path) -> None:
    settings = tiny_settings(work_dir, work_dir)
    with tracked_run(settings, "alive", {}):
        assert [row.status for row in list_runs(settings)] == ["RUNNING"]
        assert prune(settings) == []


def test_pruning_removes_what_is_left_and_ends_resuming(copied: Settings) -> None:
    (removed,) = prune(copied)
    assert removed.name == "left"
    assert removed.size_bytes > 1e6
    assert left_files(copied) == []
    assert [row.status for row in list_runs(copied)] == ["KILLED"]
    with pytest.raises(TrackingError, match="cannot be resumed"):
        find_unfinished("left", copied)


@pytest.mark.parametrize(("tidy_up", "is_resumable"), [(list_runs, False), (prune, True)])
def test_nobody_can_take_up_a_run_whose_folder_is_being_removed(
    tidy_up: Callable[[Settings], object],
    is_resumable: bool,
    work_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = tiny_settings(work_dir, work_dir)
    with monkeypatch.context() as broken, tracked_run(settings, "left", {}) as run:
        broken.setattr(Unfinished, "remove_unless_needed", lambda *_: None)  # killed before it
    if is_resumable:
        (run.folder / "last.ckpt").touch()
        run.client.set_terminated(run.run_id, "KILLED")
    remove = shutil.rmtree

    def removed_beside_another_process(folder: Path, **how: object) -> None:
        if folder == run.folder:
            with pytest.raises(InUseError), claimed(folder, 0):
                pass
        remove(folder, **how)

    monkeypatch.setattr(shutil, "rmtree", removed_beside_another_process)
    tidy_up(settings)
    assert not run.folder.exists()


def test_a_run_pruned_just_before_it_goes_on_does_not_begin_anew(
    copied: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = find_unfinished("left", copied)
    check = trainer.check_resumption

    def prune_after_the_check(*what: Any) -> None:
        check(*what)
        prune(copied)

    monkeypatch.setattr(trainer, "check_resumption", prune_after_the_check)
    with pytest.raises(TrackingError, match=r"run left can no longer be resumed .*pruned"):
        run_training(copied, unfinished=left)
    assert [row.status for row in list_runs(copied)] == ["KILLED"]


KILLED_AT_THE_BEGINNING = """
import os, signal, sys
from pathlib import Path
from node import become
from support import tiny_settings
from grave_cli.tracking import runs

become(sys.argv[3])
folder = Path(sys.argv[1])
setattr(runs, sys.argv[2], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
with runs.tracked_run(tiny_settings(folder, folder), "left", {}):
    pass
"""


@pytest.mark.parametrize(
    ("step", "machine"),
    [("record_locations", HERE), ("log_settings", HERE), ("record_locations", "office-2")],
)
def test_a_run_killed_at_its_very_beginning_gets_its_true_status(
    work_dir: Path, step: str, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(HERE, monkeypatch.setattr, dead_after_s=10)
    child = subprocess.run(
        [sys.executable, "-c", KILLED_AT_THE_BEGINNING, str(work_dir), step, machine],
        env={**os.environ, "PYTHONPATH": _python_path(Path(__file__).parents[1])},
        check=False,
        capture_output=True,
        timeout=200,
    )
    assert child.returncode == -9, child.stderr
    settings = tiny_settings(work_dir, work_dir)
    (row,) = list_runs(settings)
    if machine != HERE:  # it may be heard of again
        assert row.status == "RUNNING"
        become(HERE, monkeypatch.setattr, dead_after_s=0)
        (row,) = list_runs(settings)
    assert row.status == "KILLED"
    assert not [path for path in work_dir.rglob("unfinished/*") if path.is_dir()]


def test_a_work_folder_without_a_record_is_removed_unless_it_is_new(work_dir: Path) -> None:
    settings = tiny_settings(work_dir, work_dir)
    with tracked_run(settings, "first", {}):
        pass
    folders = [work_dir / "unfinished" / name for name in ("old", "new")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "epoch").touch()
    os.utime(folders[0] / "epoch", (1e9, 1e9))
    list_runs(settings)
    assert [folder.exists() for folder in folders] == [False, True]
