"""What a training step does, and what is measured: the LightningModule."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor, nn

from grave_cli.graves.instances import decode
from grave_cli.graves.ownership import owned_labels
from grave_cli.graves.score import score_labels
from grave_cli.graves.targets import BODY
from grave_cli.learning.confusion import false_shares
from grave_cli.learning.losses import GraveLoss
from grave_cli.learning.metrics import ObjectScores, PixelScores
from grave_cli.learning.schedule import Schedule
from grave_cli.settings.tree import Settings


class GraveTask(LightningModule):
    """Learns body, border and contact; reports loss, pixel scores and object scores.

    Metrics: `train/loss`, `val/loss`, `val/dice`, `val/iou`, `val/precision`, `val/recall` (pixels
    of the body), `val/object_f1`, `val/object_precision`, `val/object_recall` (graves at IoU 0.5),
    `learning_rate`. Each is computed over the whole epoch.

    Args:
        network: Logits of the three channels.
        settings: Loss, optimiser, schedule, thresholds.
    """

    def __init__(self, network: nn.Module, settings: Settings) -> None:
        super().__init__()
        # Channels last is a third faster on CPUs with oneDNN, and what tensor cores want.
        self.network = network.to(memory_format=torch.channels_last)
        self.settings = settings
        training = settings.training
        self.loss = GraveLoss.from_settings(training)
        self.pixels = PixelScores()
        self.objects = ObjectScores()
        self.schedule = Schedule(1, training.max_time_s, training.warmup_share)

    def forward(self, batch: Tensor) -> Tensor:
        """Return logits, (N, 3, H, W)."""
        logits: Tensor = self.network(batch.contiguous(memory_format=torch.channels_last))
        return logits

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Return the loss of a batch of chips, and how much background each takes for graves."""
        logits = self(batch["input"])
        loss: Tensor = self.loss(logits, batch["targets"], batch["scored"])
        size = len(batch["input"])
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=size, prog_bar=True)
        body = torch.sigmoid(logits.detach()[:, BODY].float())
        false = false_shares(body, batch["targets"][:, BODY], batch["scored"][:, 0])
        return {"loss": loss, "false_shares": false}

    def on_train_epoch_end(self) -> None:
        """Report the learning rate that the epoch ended with."""
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)
        self.log("learning_rate", optimizer.param_groups[0]["lr"])

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Count pixels and graves in the cores of a batch of tiles."""
        logits = self(batch["input"]).float()
        in_core = batch["core"][:, None] * batch["scored"]
        loss = self.loss(logits, batch["targets"], in_core)
        self.log("val/loss", loss, on_epoch=True, batch_size=len(logits))
        probabilities = torch.sigmoid(logits)
        scored = in_core[:, 0] > 0
        self.pixels.add(probabilities[:, BODY], batch["targets"][:, BODY], scored)
        for index in range(len(logits)):
            self._count_graves(
                (probabilities[index] * batch["valid"][index]).cpu().numpy(),
                batch["instances"][index].int().cpu().numpy(),
                scored[index].cpu().numpy(),
            )

    def on_validation_epoch_end(self) -> None:
        """Report the scores of the whole epoch."""
        graves = self.objects.score()
        scores = {f"val/{name}": value for name, value in self.pixels.rates().items()}
        scores["val/object_f1"] = graves.f1
        scores["val/object_precision"] = graves.precision
        scores["val/object_recall"] = graves.recall
        self.log_dict(scores, prog_bar=False)
        self.pixels.reset()
        self.objects.reset()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the scores of the epoch beside its weights."""
        values = self.trainer.callback_metrics
        checkpoint["scores"] = {k: float(v) for k, v in values.items() if k.startswith("val/")}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with warm-up and cosine."""
        training = self.settings.training
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
        )
        self.schedule.total_steps = max(1, int(self.trainer.estimated_stepping_batches))
        self.schedule.start()
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule.factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _count_graves(
        self, probabilities: NDArray[Any], truth: NDArray[np.int32], scored: NDArray[np.bool_]
    ) -> None:
        """Count the graves of a tile whose centroid lies in the scored part of its core."""
        labels = decode(probabilities, self.settings.grid.gsd_m, self.settings.prediction.decoding)
        owned = owned_labels(truth, scored), owned_labels(labels, scored)
        self.objects.update(score_labels(truth, labels, owned))
