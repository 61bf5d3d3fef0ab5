"""The LightningModule: training step, validation step, metrics and optimiser."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from grave_cli.errors import TrainingError
from grave_cli.graves.targets import BODY
from grave_cli.learning import ranks
from grave_cli.learning.hard_examples import false_positive_shares
from grave_cli.learning.losses import GraveLoss
from grave_cli.learning.metrics import TileScores
from grave_cli.learning.schedule import Schedule
from grave_cli.model.device import choose_device, memory_layout
from grave_cli.settings.tree import Settings

_REDUCED: dict[str, Any] = {"sync_dist": True}  # over all processes; alone, it changes nothing


class GraveTask(LightningModule):
    """Learns body, border and contact; logs loss, pixel scores and object scores.

    Logs `train/loss`, `val/loss`, the scores of `TileScores` and `learning_rate`, once per epoch.

    Args:
        network: Yields the logits of the three channels.
        settings: Loss, optimiser, schedule, thresholds.
        fine_tunes: The network has the weights of a model.
    """

    def __init__(self, network: nn.Module, settings: Settings, *, fine_tunes: bool = False) -> None:
        super().__init__()
        self.layout = memory_layout(choose_device(settings.training.device))
        self.network = network.to(memory_format=self.layout)
        self.settings = settings
        training = settings.training
        factor = training.fine_tuning_factor if fine_tunes else 1.0
        self.peak_rate = factor * training.learning_rate
        self.loss = GraveLoss.from_settings(training)
        self.scores = TileScores(settings.grid.gsd_m, settings.prediction.decoding)
        self.schedule = Schedule(1, training.max_time_s, training.warmup_share)

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits, (N, 3, H, W)."""
        logits: Tensor = self.network(batch.contiguous(memory_format=self.layout))
        return logits

    def on_train_batch_start(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Let dropout depend on seed and step alone: a resumed training drops the same values."""
        step = [self.settings.training.seed, self.current_epoch, batch_idx, ranks.rank()]
        torch.manual_seed(int(np.random.SeedSequence(step).generate_state(1)[0]))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Return the loss of a batch of chips, and the share of false positives in each."""
        logits = self(batch["input"])
        loss: Tensor = self.loss(logits, batch["targets"], batch["scored"])
        size = len(batch["input"])
        self.log(
            "train/loss",
            loss,
            on_step=False,
            on_epoch=True,
            batch_size=size,
            prog_bar=True,
            **_REDUCED,
        )
        body = torch.sigmoid(logits.detach()[:, BODY].float())
        shares = false_positive_shares(body, batch["targets"][:, BODY], batch["scored"][:, 0])
        return {"loss": loss, "false_positive_shares": shares}

    def on_train_epoch_end(self) -> None:
        """Log the learning rate at the end of the epoch."""
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)
        self.log("learning_rate", optimizer.param_groups[0]["lr"], **_REDUCED)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Score the cores of a batch of tiles.

        Raises:
            TrainingError: The training has diverged: the output of the network is NaN, and stays
                so. It would score 0, like a network that has learnt nothing.
        """
        logits = self(batch["input"]).float()
        if logits.isnan().any():
            raise TrainingError(
                "the training has diverged: the output of the network is not a number",
                found=f"learning rate {self.peak_rate:g}, precision {self.trainer.precision}",
                remedy="set a smaller training.learning_rate, or training.precision to 32-true",
            )
        in_core = batch["core"][:, None] * batch["scored"]
        loss = self.loss(logits, batch["targets"], in_core)
        # Weighted by pixels: a tile at the edge of a cemetery scores only a few.
        self.log("val/loss", loss, on_epoch=True, batch_size=int(in_core.sum()), **_REDUCED)
        self.scores.add(torch.sigmoid(logits), batch)

    def on_validation_epoch_start(self) -> None:
        """Score the same network in all processes."""
        ranks.copy_from_first(self.network)

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the whole epoch."""
        self.log_dict(self.scores.take(), prog_bar=False, **_REDUCED)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the epoch's scores and the time spent so far with the weights."""
        values = self.trainer.callback_metrics
        checkpoint["scores"] = {k: float(v) for k, v in values.items() if k.startswith("val/")}
        checkpoint["elapsed_s"] = self.schedule.own_elapsed_s()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the time spent before the interruption."""
        self.schedule.spent_before_s = checkpoint["elapsed_s"]

    def share_clock(self) -> None:
        """Let all processes go by the clock of rank 0, if the time is limited."""
        if ranks.world_size() > 1 and self.schedule.max_time_s > 0:
            self.schedule.pin(ranks.from_first(self.schedule.own_elapsed_s()))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Return AdamW with warm-up and cosine annealing."""
        training = self.settings.training
        optimizer = torch.optim.AdamW(
            self.parameters(),
            lr=self.peak_rate,
            weight_decay=training.weight_decay,
            # Two to four times as fast on a CPU. If the precision is mixed, Lightning clips no
            # gradients of a fused optimiser.
            fused=self.device.type in ("cpu", "cuda") and self.trainer.precision == "32-true",
        )
        # Known only now, when the trainer has the loaders.
        self.schedule.total_steps = max(1, int(self.trainer.estimated_stepping_batches))
        self.schedule.start()
        self.share_clock()
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule.factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }
