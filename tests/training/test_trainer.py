import math
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from mlflow import MlflowClient
from support import Listener, tiny_settings

from grave_cli.dataset.training_data import plan_training, read_training_data
from grave_cli.errors import ModelError
from grave_cli.learning.callbacks import StopAtTime
from grave_cli.model.bundle import read_bundle
from grave_cli.model.export import load_network
from grave_cli.model.network import build_pretrained
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.tracking.store import tracking_uri
from grave_cli.training.cross_validate import cross_validate
from grave_cli.training.dry_run import estimate_training
from grave_cli.training.trainer import run_training
from grave_cli.tuning.study import StudyRequest, run_study


def runs_of(settings: Settings) -> list:
    client = MlflowClient(tracking_uri(settings))
    experiments = [e.experiment_id for e in client.search_experiments()]
    return client.search_runs(experiments)


def test_one_training_makes_one_finished_run_with_everything_in_it(trained: Settings) -> None:
    (run,) = runs_of(trained)
    client = MlflowClient(tracking_uri(trained))
    artifacts = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "tiny"
    assert artifacts == {"settings.json", "model", "final", "images", "checkpoints"}
    assert len(run.data.params["dataset_id"]) == 8
    assert run.data.tags["dataset_id"] == run.data.params["dataset_id"]
    assert run.data.tags["gravecli.channels"] == "rgb+dem"
    assert run.data.params["training.epochs"] == "2"
    names = ("train/loss", "val/loss", "val/dice", "val/iou", "val/object_f1", "test/object_f1")
    for name in names:
        assert math.isfinite(run.data.metrics[name]), name


def test_metrics_are_logged_once_per_epoch(trained: Settings) -> None:
    (run,) = runs_of(trained)
    history = MlflowClient(tracking_uri(trained)).get_metric_history(run.info.run_id, "val/dice")
    assert len(history) == 2


def test_the_bundle_says_what_the_model_expects(trained: Settings) -> None:
    (run,) = runs_of(trained)
    folder = MlflowClient(tracking_uri(trained)).download_artifacts(run.info.run_id, "model")
    card = read_bundle(Path(folder)).card
    assert card.recipe.channels == "rgb+dem"
    assert card.architecture.in_channels == 4
    assert card.run_id == run.info.run_id
    assert card.metrics["val/dice"] == pytest.approx(run.data.metrics["best_dice"])
    assert "test/object_f1" in card.metrics


def test_checkpoints_hold_nothing_that_has_to_be_unpickled(
    trained: Settings, tmp_path: Path
) -> None:
    (run,) = runs_of(trained)
    folder = Path(
        MlflowClient(tracking_uri(trained)).download_artifacts(
            run.info.run_id, "checkpoints", str(tmp_path)
        )
    )
    assert {path.name for path in folder.iterdir()} == {"best.ckpt", "last.ckpt"}
    best, last = (torch.load(folder / f"{n}.ckpt", weights_only=True) for n in ("best", "last"))
    assert best["scores"]["val/dice"] == run.data.metrics["best_dice"]
    assert best["epoch"] + 1 == run.data.metrics["best_epoch"]
    assert last["epoch"] == 1
    assert {"optimizer_states", "lr_schedulers", "averaging_state"} <= last.keys()
    assert best["state_dict"].keys() == last["state_dict"].keys()


def test_a_training_leaves_nothing_outside_of_the_work_dir(
    sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, here = tmp_path / "tmp", tmp_path / "here"
    scratch.mkdir()
    here.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(here)
    run_training(tiny_settings(sample_data, here / "runs", training__epochs=1))
    assert list(scratch.iterdir()) == []
    assert {path.name for path in here.iterdir()} == {"runs"}
    left = {path.name for path in (here / "runs").iterdir()}
    assert left == {"mlflow.db", "artifacts", "unfinished"}
    assert list((here / "runs" / "unfinished").iterdir()) == []


@pytest.mark.parametrize("limit", [{"epochs": 3}, {"epochs": 500, "max_time_s": 0.5}])
@pytest.mark.usefixtures("work_dir")
def test_the_last_epoch_is_validated_whatever_the_interval(
    sample_data: Path, tmp_path: Path, limit: dict[str, float]
) -> None:
    given = {f"training__{name}": value for name, value in limit.items()}
    settings = tiny_settings(sample_data, tmp_path / "runs", training__validate_every=100, **given)
    result = run_training(settings, finish=False)
    assert math.isfinite(result.metrics["val/dice"])
    assert result.epochs < 100


def test_the_same_seed_gives_the_same_scores(
    sample_data: Path, new_work_dir: Callable[[Path], Path], tmp_path: Path
) -> None:
    first, second = (
        run_training(
            tiny_settings(sample_data, new_work_dir(tmp_path / name)), finish=False
        ).metrics
        for name in "ab"
    )
    assert first == pytest.approx(second, abs=1e-6)


@pytest.mark.usefixtures("work_dir")
def test_a_training_that_fails_is_recorded_as_failed(sample_data: Path, tmp_path: Path) -> None:
    class Failing(StopAtTime):
        def on_train_batch_end(self, *args: object, **kwargs: object) -> None:
            raise RuntimeError("the disk is gone")

    settings = tiny_settings(sample_data, tmp_path / "runs")
    with pytest.raises(RuntimeError, match="the disk is gone"):
        run_training(settings, callbacks=[Failing()])
    (run,) = runs_of(settings)
    assert run.info.status == "FAILED"


@pytest.mark.usefixtures("work_dir")
def test_ctrl_c_ends_the_run_as_killed_and_can_be_pressed_again(
    sample_data: Path, tmp_path: Path, request: pytest.FixtureRequest, listener: Listener
) -> None:
    class Interrupting(StopAtTime):
        def on_train_batch_end(self, *args: object, **kwargs: object) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    assert threading.current_thread() is threading.main_thread()
    # A shell ignores SIGINT for what it starts in the background; Python then does too.
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, inherited))
    settings = tiny_settings(sample_data, tmp_path / "runs")
    with pytest.raises(KeyboardInterrupt):
        run_training(settings, callbacks=[Interrupting()], progress=listener)
    assert listener.notes[-1].startswith("Stopping. No epoch is finished")
    (run,) = runs_of(settings)
    assert run.info.status == "KILLED"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("work_dir")
def test_time_limit_ends_with_a_validated_model(
    sample_data: Path, tmp_path: Path, listener: Listener
) -> None:
    settings = tiny_settings(
        sample_data, tmp_path / "runs", training__epochs=1000, training__max_time_s=3
    )
    result = run_training(settings, finish=False, progress=listener)
    assert result.epochs < 1000
    assert math.isfinite(result.metrics["val/dice"])
    assert any(note.startswith("epoch 1/1000") for note in listener.notes)


@pytest.mark.usefixtures("work_dir")
@pytest.mark.parametrize(("precision", "fused"), [("32-true", True), ("bf16-mixed", False)])
def test_the_optimiser_is_fused_unless_lightning_could_not_clip_gradients(
    precision: str, fused: bool, sample_data: Path, tmp_path: Path
) -> None:
    class Watch(Callback):
        def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            self.optimiser = trainer.optimizers[0]

    chosen = {"training__epochs": 1, "training__precision": precision}
    watch = Watch()
    settings = tiny_settings(sample_data, tmp_path / "runs", **chosen)
    result = run_training(settings, None, [watch], finish=False)
    assert watch.optimiser.defaults["fused"] is fused
    assert math.isfinite(result.metrics["val/dice"])


@pytest.mark.usefixtures("work_dir")
def test_prepared_data_is_used_instead_of_the_folder(sample_data: Path, tmp_path: Path) -> None:
    settings = tiny_settings(sample_data, tmp_path / "runs", training__epochs=1)
    data = read_training_data(plan_training(settings), settings)
    elsewhere = tiny_settings(tmp_path / "gone", tmp_path / "runs", training__epochs=1)
    assert run_training(elsewhere, data, finish=False).dataset_id == data.plan.dataset_id


def test_a_set_too_large_for_memory_is_mapped_from_a_cache(
    sample_data: Path, tmp_path: Path
) -> None:
    small = tiny_settings(sample_data, tmp_path / "runs", chips__max_memory_gb=1e-6)
    large = tiny_settings(sample_data, tmp_path / "other")
    plan = plan_training(small)
    mapped, held = (read_training_data(plan, s) for s in (small, large))
    assert list((tmp_path / "runs" / "cache").iterdir())
    assert not (tmp_path / "other").exists()
    for one, other in zip(mapped.train + mapped.val, held.train + held.val, strict=True):
        assert (one.rgb == other.rgb).all()
        assert (one.instances == other.instances).all()
    again = read_training_data(plan, small)
    assert (again.train[0].rgb == held.train[0].rgb).all()


def test_a_file_that_is_no_weights_is_refused_before_a_run_is_opened(
    sample_data: Path, tmp_path: Path
) -> None:
    weights = tmp_path / "weights.pt"
    weights.write_text("not weights")
    settings = tiny_settings(sample_data, tmp_path / "runs", model__start=str(weights))
    with pytest.raises(ModelError, match=r"weights\.pt"):
        run_training(settings)
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("work_dir")
@pytest.mark.parametrize(
    ("weights", "freeze", "stays"),
    [("imagenet", True, True), ("imagenet", False, False), ("none", True, False)],
)
def test_a_pretrained_encoder_keeps_the_statistics_of_its_normalisation(
    weights: str, freeze: bool, stays: bool, sample_data: Path, tmp_path: Path
) -> None:
    chosen = {"model__start": weights, "model__freeze_encoder_norm": freeze}
    settings = tiny_settings(sample_data, tmp_path / "runs", training__epochs=2, **chosen)
    bundle = resolve_model(run_training(settings).run_id, settings).bundle
    before = build_pretrained(bundle.card.architecture, weights).get_submodule("encoder")
    after = load_network(bundle).get_submodule("encoder")
    kept, names = after.state_dict(), dict(before.named_buffers())
    same = [torch.equal(kept[name], names[name]) for name in names if "running" in name]
    assert same
    assert all(same) if stays else not any(same)
    scale = "model.bn1.weight"
    assert not torch.equal(kept[scale], before.state_dict()[scale])


def test_a_device_that_is_not_there_is_told_before_anything_is_recorded(
    sample_data: Path, work_dir: Path
) -> None:
    if torch.backends.mps.is_available():
        pytest.skip("this machine has MPS")
    settings = tiny_settings(sample_data, work_dir, training__device="mps")
    for begin in (
        run_training,
        estimate_training,
        cross_validate,
        lambda settings: run_study(settings, StudyRequest("pilot")),
    ):
        with pytest.raises(
            ModelError, match=r"device mps is not available .*training\.device to auto"
        ):
            begin(settings)
    assert runs_of(settings) == []
    assert not (work_dir / "optuna.db").exists()
