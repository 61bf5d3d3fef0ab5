"""What the network is punished for: cross-entropy and soft Dice, over scored pixels only."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_SMOOTH = 1.0  # pixels; keeps an empty chip from dividing by zero


class GraveLoss(nn.Module):
    """Weighted sum over channels of bce_weight x BCE + (1 - bce_weight) x (1 - soft Dice).

    Soft Dice is taken over the whole batch, per channel: 2 sum(p t) / (sum p + sum t). Per chip it
    would be undefined on chips without graves.

    Source: Milletari et al. 2016, V-Net (with first powers in the denominator).

    Args:
        bce_weight: Share of the cross-entropy, in [0, 1].
        channel_weights: Weights of body, border and contact; normalised to sum 1.
    """

    weights: Tensor

    def __init__(self, bce_weight: float, channel_weights: Sequence[float]) -> None:
        super().__init__()
        self.bce_weight = bce_weight
        weights = torch.tensor(channel_weights, dtype=torch.float32)
        self.register_buffer("weights", weights / weights.sum(), persistent=False)

    def forward(self, logits: Tensor, targets: Tensor, scored: Tensor) -> Tensor:
        """Compute the loss of a batch.

        Args:
            logits: Raw network output.
            targets: 0 or 1.
            scored: 1 where the loss counts.

        Shapes:
            logits: (N, 3, H, W); targets: (N, 3, H, W); scored: (N, 1, H, W); returns: ()
        """
        logits = logits.float()
        dims = (0, 2, 3)
        count = scored.sum().clamp_min(1.0)
        bce = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        bce = (bce * scored).sum(dims) / count
        probability = torch.sigmoid(logits) * scored
        targets = targets * scored
        common = 2 * (probability * targets).sum(dims) + _SMOOTH
        dice = common / (probability.sum(dims) + targets.sum(dims) + _SMOOTH)
        per_channel = self.bce_weight * bce + (1 - self.bce_weight) * (1 - dice)
        return (self.weights * per_channel).sum()
