"""Pixel and object scores, accumulated over an epoch and computed once at its end."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import BinaryStatScores

from grave_cli.evaluation.score import ObjectScore, score_labels
from grave_cli.graves.instances import decode, owned_labels
from grave_cli.graves.targets import BODY
from grave_cli.settings.mapping import DecodingSettings

_IGNORED = -1


class PixelScores(BinaryStatScores):
    """Dice, IoU, precision and recall of the body, from counts over the whole epoch.

    Never averaged over batches, and 0, not 1, when there was nothing to find.
    """

    def __init__(self) -> None:
        super().__init__(threshold=0.5, ignore_index=_IGNORED, validate_args=False)

    def add(self, probability: Tensor, body: Tensor, scored: Tensor) -> None:
        """Count the pixels of a batch.

        Args:
            probability: Of the body, in [0, 1].
            body: 0 or 1.
            scored: True where it counts.

        Shapes:
            each: (N, H, W)
        """
        target = torch.where(scored, body.long(), _IGNORED)
        self.update(probability, target)

    def rates(self) -> dict[str, float]:
        """Return dice = 2 tp / (2 tp + fp + fn), iou = tp / (tp + fp + fn), precision, recall."""
        hits, false, _, missed, _ = (float(value) for value in self.compute())
        return {
            "dice": _ratio(2 * hits, 2 * hits + false + missed),
            "iou": _ratio(hits, hits + false + missed),
            "precision": _ratio(hits, hits + false),
            "recall": _ratio(hits, hits + missed),
        }


class ObjectScores(Metric):
    """F1, precision and recall of whole graves, from counts over the whole epoch."""

    full_state_update = False
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("counts", torch.zeros(3, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, score: ObjectScore) -> None:
        """Count the graves of a tile."""
        values = [score.truths, score.predictions, score.matches]
        self.counts += torch.tensor(values, dtype=torch.float64, device=self.counts.device)

    def compute(self) -> Tensor:
        """Return truths, predictions and matches so far, (3,)."""
        return self.counts

    def score(self) -> ObjectScore:
        """Return the counts so far as a score."""
        truths, predictions, matches = (int(value) for value in self.counts)
        return ObjectScore(truths, predictions, matches, mean_iou=0.0)


class TileScores(nn.Module):
    """What is known of a network after it has seen the validation tiles.

    Scores: `val/dice`, `val/iou`, `val/precision`, `val/recall` (pixels of the body),
    `val/object_f1`, `val/object_precision`, `val/object_recall` (graves at IoU 0.5).

    Args:
        gsd_m: Metres on the ground per pixel.
        decoding: Thresholds that turn probabilities into graves.
    """

    def __init__(self, gsd_m: float, decoding: DecodingSettings) -> None:
        super().__init__()
        self.gsd_m = gsd_m
        self.decoding = decoding
        self.pixels = PixelScores()
        self.objects = ObjectScores()

    def add(self, probabilities: Tensor | NDArray[Any], batch: dict[str, Tensor]) -> None:
        """Count pixels and graves in the cores of a batch of tiles.

        Args:
            probabilities: Of body, border and contact.
            batch: Tiles, as `TileDataset` makes them.

        Shapes:
            probabilities: (N, 3, H, W)
        """
        probabilities = torch.as_tensor(probabilities)
        scored = batch["core"] & (batch["scored"][:, 0] > 0)
        self.pixels.add(probabilities[:, BODY], batch["targets"][:, BODY], scored)
        for index in range(len(probabilities)):
            self._count_graves(
                (probabilities[index] * batch["valid"][index]).cpu().numpy(),
                batch["instances"][index].int().cpu().numpy(),
                scored[index].cpu().numpy(),
            )

    def take(self) -> dict[str, float]:
        """Return the scores since the last time, and start anew."""
        graves = self.objects.score()
        scores = {f"val/{name}": value for name, value in self.pixels.rates().items()}
        scores["val/object_f1"] = graves.f1
        scores["val/object_precision"] = graves.precision
        scores["val/object_recall"] = graves.recall
        self.pixels.reset()
        self.objects.reset()
        return scores

    def _count_graves(
        self, probabilities: NDArray[Any], truth: NDArray[np.int32], scored: NDArray[np.bool_]
    ) -> None:
        """Count the graves of a tile whose centroid lies in the scored part of its core."""
        labels = decode(probabilities, self.gsd_m, self.decoding)
        owned = owned_labels(truth, scored), owned_labels(labels, scored)
        self.objects.update(score_labels(truth, labels, owned))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
