"""Pixel and object scores, accumulated over an epoch and computed once at its end."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import BinaryStatScores

from grave_cli.graves.score import ObjectScore

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


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
