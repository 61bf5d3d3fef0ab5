"""The training loss: cross-entropy and soft Dice, over scored pixels only."""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from grave_cli.learning import ranks
from grave_cli.settings.learning import TrainingSettings

_SMOOTH = 1.0  # pixels; keeps an empty chip from dividing by zero
_TINY = torch.finfo(torch.float32).tiny


class GraveLoss(nn.Module):
    """Weighted mean over channels of bce_weight x BCE + (1 - bce_weight) x (1 - soft Dice).

    Soft Dice is computed over the whole batch, per channel: 2 sum(p t) / (sum p + sum t). Per chip,
    it would be undefined without graves. The focal term multiplies the BCE of a pixel by
    (1 - p_t)^gamma, where p_t is the probability of the true class.

    Source: Milletari et al. 2016, V-Net (here with first powers in the denominator); Lin et al.
    2017, Focal Loss (here without class balancing, which the channel weights replace).

    Args:
        bce_weight: Share of the cross-entropy, in [0, 1].
        channel_weights: Weights of body, border and contact; normalised to sum 1.
        focal_gamma: Exponent of the focal term; 0 is plain cross-entropy.
    """

    weights: Tensor

    def __init__(
        self,
        bce_weight: float,
        channel_weights: tuple[float, float, float],
        focal_gamma: float = 0.0,
    ) -> None:
        super().__init__()
        self.bce_weight = bce_weight
        self.focal_gamma = focal_gamma
        weights = torch.tensor(channel_weights, dtype=torch.float32)
        self.register_buffer("weights", weights / weights.sum(), persistent=False)

    @classmethod
    def from_settings(cls, settings: TrainingSettings) -> Self:
        """Build the loss from the settings."""
        weights = (1.0, settings.border_weight, settings.contact_weight)
        return cls(settings.bce_weight, weights, settings.focal_gamma)

    def forward(self, logits: Tensor, targets: Tensor, scored: Tensor) -> Tensor:
        """Compute the loss of a batch.

        Args:
            logits: Network output.
            targets: Ground truth, 0 or 1.
            scored: 1 where the loss counts, 0 elsewhere.

        Shapes:
            logits: (N, 3, H, W); targets: (N, 3, H, W); scored: (N, 1, H, W); returns: ()
        """
        logits = logits.float()  # sums over a batch exceed the range of 16 bits
        dims = (0, 2, 3)
        bce = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        if self.focal_gamma > 0:
            bce = bce * _missing(bce) ** self.focal_gamma
        probability = torch.sigmoid(logits) * scored
        targets = targets * scored
        parts = [bce * scored, probability * targets, probability + targets, scored]
        sums = torch.cat([part.sum(dims) for part in parts])
        if self.training:  # the batch of a step is that of all processes
            sums = ranks.summed(sums)
        bce, common, both, count = sums[:3], sums[3:6], sums[6:9], sums[9]
        bce = bce / count.clamp_min(1.0)  # a batch may have no scored pixel
        dice = (2 * common + _SMOOTH) / (both + _SMOOTH)
        per_channel = self.bce_weight * bce + (1 - self.bce_weight) * (1 - dice)
        return (self.weights * per_channel).sum()


def _missing(bce: Tensor) -> Tensor:
    """Return 1 - p_t, the probability that is missing from the true class; p_t is exp(-BCE).

    It is never 0: a power below 1 has an infinite slope there, which would make all weights NaN.
    """
    return -torch.expm1(-bce).clamp_max(-_TINY)
