from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import Metric

from grave_cli.errors import TrainingError
from grave_cli.learning.task import GraveTask
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings

SILENT = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}


def tile(scored_rows: int, seed: int) -> dict[str, Tensor]:
    """A batch of one validation tile of 32 px, of which the first rows are scored."""
    generator = torch.Generator().manual_seed(seed)
    scored = torch.zeros(1, 1, 32, 32)
    scored[:, :, :scored_rows] = 1
    return {
        "input": torch.randn(1, 3, 32, 32, generator=generator),
        "targets": (torch.rand(1, 3, 32, 32, generator=generator) > 0.5).float(),
        "scored": scored,
        "core": torch.ones(1, 32, 32, dtype=torch.bool),
        "valid": torch.ones(1, 32, 32, dtype=torch.bool),
        "instances": torch.zeros(1, 32, 32, dtype=torch.int32),
    }


def test_no_state_is_float64_which_apple_gpus_lack() -> None:
    task = GraveTask(nn.Conv2d(3, 3, 1), Settings())
    task.scores.add(torch.rand(1, 3, 32, 32), tile(32, 0))
    metrics = [module for module in task.modules() if isinstance(module, Metric)]
    assert metrics
    tensors = [*task.parameters(), *task.buffers()]
    tensors += [value for metric in metrics for value in metric.metric_state.values()]
    assert {tensor.dtype for tensor in tensors} == {torch.float32, torch.int64}


def test_a_network_that_computes_no_numbers_ends_the_training() -> None:
    task = GraveTask(nn.Conv2d(3, 3, 1), Settings())
    with torch.no_grad():
        task.network.get_parameter("weight")[0] = torch.nan
    trainer = Trainer(accelerator="cpu", devices=1, enable_checkpointing=False, **SILENT)
    with pytest.raises(TrainingError, match=r"has diverged.*found learning rate .*32-true"):
        trainer.validate(task, DataLoader([tile(32, 0)], batch_size=None), verbose=False)


class StopAfterAnEpoch(Callback):
    """Writes a checkpoint after the first epoch, and stops there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.save_checkpoint(self.path)
        trainer.should_stop = True


def test_a_resumed_training_drops_the_same_values_as_one_without_interruption(
    tmp_path: Path,
) -> None:
    """Some encoders and decoders drop values at random (dropout, stochastic depth)."""
    settings = with_values(Settings(), {"training.device": "cpu"})
    chips = DataLoader([tile(32, number) for number in range(4)], batch_size=None)
    path = tmp_path / "last.ckpt"

    def train(callback: Callback | None = None, checkpoint: Path | None = None) -> Tensor:
        torch.manual_seed(0)
        first, last = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 1)
        task = GraveTask(nn.Sequential(first, nn.Dropout(0.5), last), settings)
        how = {"accelerator": "cpu", "devices": 1, "max_epochs": 2, "min_epochs": 0}
        callbacks = [callback] if callback else []
        trainer = Trainer(
            callbacks=callbacks, enable_checkpointing=False, **how, **SILENT, num_sanity_val_steps=0
        )
        trainer.fit(task, chips, chips, ckpt_path=checkpoint, weights_only=True)
        return first.weight.detach()

    whole = train()
    halfway = train(StopAfterAnEpoch(path))
    assert not torch.equal(halfway, whole)
    assert torch.equal(train(checkpoint=path), whole)


def test_the_validation_loss_weighs_each_scored_pixel_alike() -> None:
    task = GraveTask(nn.Conv2d(3, 3, 1), Settings())
    tiles = [tile(32, 0), tile(2, 1)]
    with torch.inference_mode():
        losses = [float(task.loss(task(t["input"]), t["targets"], t["scored"])) for t in tiles]
    assert losses[0] != pytest.approx(losses[1], abs=1e-3)
    trainer = Trainer(accelerator="cpu", devices=1, enable_checkpointing=False, **SILENT)
    (found,) = trainer.validate(task, DataLoader(tiles, batch_size=None), verbose=False)
    assert found["val/loss"] == pytest.approx((32 * losses[0] + 2 * losses[1]) / 34)
