"""Hard examples: background mistaken for graves in training chips, to be revisited later."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_MAX_EXAMPLES = 256
_DECAY = 0.5  # of an example's weight, per epoch
_NEAR_PX = 4  # within this distance of a grave, a false positive is an imprecise edge


class HardExamples:
    """Remembers where the chips with the most false positives were cut; older ones fade.

    Examples found in an epoch are drawn from the next one on, so that chips do not depend on the
    order in which workers cut them.
    """

    def __init__(self) -> None:
        self.places: NDArray[np.int64] = np.empty((0, 3), np.int64)
        self.shares: NDArray[np.float64] = np.empty(0)
        self._new: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []

    def __len__(self) -> int:
        """Return the number of examples to draw from."""
        return len(self.places)

    def add(self, places: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
        """Note examples, to be drawn from the next epoch on.

        Args:
            places: Part, row and column of the centre of each chip.
            shares: Share of false positives in each chip; chips with 0 are forgotten.

        Shapes:
            places: (N, 3); shares: (N,)
        """
        self._new.append((places, shares))

    def end_epoch(self) -> None:
        """Let older examples fade, and keep the worst of the old and the new ones."""
        places = np.concatenate([self.places, *(places for places, _ in self._new)])
        shares = np.concatenate([self.shares * _DECAY, *(shares for _, shares in self._new)])
        # A stable sort keeps the order of ties, so that runs are reproducible.
        worst = np.argsort(-shares, kind="stable")[:_MAX_EXAMPLES]
        worst = worst[shares[worst] > 0]
        self.places, self.shares = places[worst], shares[worst]
        self._new.clear()

    def draw(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """Draw part, row and column of an example, in proportion to its share."""
        part, row, column = rng.choice(self.places, p=self.shares / self.shares.sum())
        return int(part), int(row), int(column)


def false_positive_shares(probability: Tensor, body: Tensor, scored: Tensor) -> Tensor:
    """Measure the share of each chip that is background predicted as grave.

    Pixels within 4 px of a grave are left out: there, only the edge is imprecise.

    Args:
        probability: Probability of body.
        body: Ground truth, 0 or 1.
        scored: 1 where the ground truth is known.

    Shapes:
        each: (N, H, W); returns: (N,)
    """
    near = functional.max_pool2d(body[:, None], 2 * _NEAR_PX + 1, 1, _NEAR_PX)[:, 0]
    return ((probability > 0.5) * (1 - near) * scored).mean(dim=(1, 2))


class MineHardExamples(Callback):
    """Collects the hard examples of the training steps for the chips of later epochs.

    Args:
        examples: Receives them.
    """

    def __init__(self, examples: HardExamples) -> None:
        self._examples = examples

    @property
    def state_key(self) -> str:
        """Name in checkpoints, kept from before this class was renamed."""
        return "RememberConfusion"

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        batch_idx: int,
    ) -> None:
        """Note the examples of a batch."""
        shares = outputs["false_positive_shares"].cpu().numpy().astype(np.float64)
        self._examples.add(batch["place"].cpu().numpy(), shares)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the new examples available to the next epoch."""
        self._examples.end_epoch()

    def state_dict(self) -> dict[str, Any]:
        """Return the examples, for a checkpoint."""
        return {
            "places": torch.from_numpy(self._examples.places),
            "shares": torch.from_numpy(self._examples.shares),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the examples of an interrupted training."""
        self._examples.places = state_dict["places"].numpy()
        self._examples.shares = state_dict["shares"].numpy()
