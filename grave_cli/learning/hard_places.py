"""Background that the network takes for graves: measured on training chips, remembered by place."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

_KEPT = 256  # places
_FADING = 0.5  # of what is remembered, with each epoch
_NEAR_PX = 4  # so far from a grave, a false pixel is a blurred edge


class ConfusedPlaces:
    """Remembers the places of chips with the most false pixels; older ones fade.

    What an epoch finds counts from the next one on: its chips do not depend on who cuts them when.
    """

    def __init__(self) -> None:
        self.places: NDArray[np.int64] = np.empty((0, 3), np.int64)
        self.shares: NDArray[np.float64] = np.empty(0)
        self._new: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []

    def __len__(self) -> int:
        """Places to draw from."""
        return len(self.places)

    def add(self, places: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
        """Note places.

        Args:
            places: Part, row and column of the middle of each chip.
            shares: Share of each chip that was taken for graves; 0 is not remembered.

        Shapes:
            places: (N, 3); shares: (N,)
        """
        self._new.append((places, shares))

    def end_epoch(self) -> None:
        """Let what is remembered fade, and keep the worst of it and of what was noted."""
        places = np.concatenate([self.places, *(places for places, _ in self._new)])
        shares = np.concatenate([self.shares * _FADING, *(shares for _, shares in self._new)])
        worst = np.argsort(-shares, kind="stable")[:_KEPT]
        worst = worst[shares[worst] > 0]
        self.places, self.shares = places[worst], shares[worst]
        self._new.clear()

    def draw(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """Draw part, row and column of a place, the more confused the likelier."""
        part, row, column = rng.choice(self.places, p=self.shares / self.shares.sum())
        return int(part), int(row), int(column)


def false_shares(probability: Tensor, body: Tensor, scored: Tensor) -> Tensor:
    """Measure which share of each chip is background that is taken for a grave.

    Pixels within 4 px of a grave are left out: there it is only the edge that is off.

    Args:
        probability: Of the body.
        body: 0 or 1.
        scored: 1 where the truth is known.

    Shapes:
        each: (N, H, W); returns: (N,)
    """
    near = functional.max_pool2d(body[:, None], 2 * _NEAR_PX + 1, 1, _NEAR_PX)[:, 0]
    return ((probability > 0.5) * (1 - near) * scored).mean(dim=(1, 2))


class RememberConfusion(Callback):
    """Hands what the training steps find confusing to the places that chips are drawn from.

    Args:
        confused: Where it is remembered.
    """

    def __init__(self, confused: ConfusedPlaces) -> None:
        self._confused = confused

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        batch_idx: int,
    ) -> None:
        """Remember the places of a batch."""
        shares = outputs["false_shares"].cpu().numpy().astype(np.float64)
        self._confused.add(batch["place"].cpu().numpy(), shares)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the next epoch's chips be drawn from it."""
        self._confused.end_epoch()

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training goes on with."""
        return {
            "places": torch.from_numpy(self._confused.places),
            "shares": torch.from_numpy(self._confused.shares),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what an interrupted training remembered."""
        self._confused.places = state_dict["places"].numpy()
        self._confused.shares = state_dict["shares"].numpy()
