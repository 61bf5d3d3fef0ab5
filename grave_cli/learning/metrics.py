"""Pixel and object scores, accumulated over an epoch and computed once at its end."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.classification import BinaryStatScores

from grave_cli.evaluation.score import ObjectScore, add_scores, score_labels
from grave_cli.graves.instances import decode, owned_labels
from grave_cli.graves.targets import BODY
from grave_cli.learning import ranks
from grave_cli.settings.mapping import DecodingSettings

_IGNORED = -1


class PixelScores(BinaryStatScores):
    """Dice, IoU, precision and recall of the body, from counts over the whole epoch.

    They are never averaged over batches, and are 0, not 1, if there was nothing to find.
    """

    def __init__(self) -> None:
        super().__init__(threshold=0.5, ignore_index=_IGNORED, validate_args=False)

    def add(self, probability: Tensor, body: Tensor, scored: Tensor) -> None:
        """Count the pixels of a batch.

        Args:
            probability: Probability of body, in [0, 1].
            body: Ground truth, 0 or 1.
            scored: True where a pixel counts.

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


class TileScores(nn.Module):
    """Scores of a network on validation tiles, accumulated until they are taken.

    Pixels of the body: `val/dice`, `val/iou`, `val/precision`, `val/recall`. Graves at IoU 0.5:
    `val/object_f1`, `val/object_precision`, `val/object_recall`.

    Args:
        gsd_m: Edge of a pixel on the ground, metres.
        decoding: Thresholds that turn probabilities into graves.
    """

    def __init__(self, gsd_m: float, decoding: DecodingSettings) -> None:
        super().__init__()
        self.gsd_m = gsd_m
        self.decoding = decoding
        self.pixels = PixelScores()
        self._graves: list[ObjectScore] = []  # one per tile

    def add(self, probabilities: Tensor | NDArray[Any], batch: dict[str, Tensor]) -> None:
        """Count pixels and graves in the cores of a batch of tiles.

        Args:
            probabilities: Probabilities of body, border and contact.
            batch: Tiles, with the keys of `TileDataset`.

        Shapes:
            probabilities: (N, 3, H, W)
        """
        probabilities = torch.as_tensor(probabilities)
        scored = batch["core"] & (batch["scored"][:, 0] > 0)
        self.pixels.add(probabilities[:, BODY], batch["targets"][:, BODY], scored)
        for index in range(len(probabilities)):
            # As in prediction, there are no graves where the orthophoto has no pixels.
            self._count_graves(
                (probabilities[index] * batch["valid"][index]).cpu().numpy(),
                batch["instances"][index].int().cpu().numpy(),
                scored[index].cpu().numpy(),
            )

    def take(self) -> dict[str, float]:
        """Return the scores since the last call, of all processes together, and reset them."""
        graves = add_scores(ranks.gathered(add_scores(self._graves)))
        scores = {f"val/{name}": value for name, value in self.pixels.rates().items()}
        scores["val/object_f1"] = graves.f1
        scores["val/object_precision"] = graves.precision
        scores["val/object_recall"] = graves.recall
        self.pixels.reset()
        self._graves.clear()
        return scores

    def _count_graves(
        self, probabilities: NDArray[Any], truth: NDArray[np.int32], scored: NDArray[np.bool_]
    ) -> None:
        """Count the graves whose centroid lies in the scored part of a tile's core."""
        labels = decode(probabilities, self.gsd_m, self.decoding)
        owned = owned_labels(truth, scored), owned_labels(labels, scored)
        self._graves.append(score_labels(truth, labels, owned))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
