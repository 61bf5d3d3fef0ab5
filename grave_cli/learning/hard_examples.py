"""Hard examples: background mistaken for graves in training chips, to be revisited later."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from grave_cli.learning import ranks

_MAX_EXAMPLES = 256
_DECAY = 0.5  # of an example's weight, per epoch
_NEAR_PX = 4  # within this distance of a grave, a false positive is an imprecise edge


class HardExamples:
    """Remembers where the chips with the most false positives were cut; older ones fade.

    Examples found in an epoch are drawn from the next one on, so that chips do not depend on the
    order in which workers cut them. They lie in shared memory, where the workers of a data loader
    see those of each new epoch.
    """

    def __init__(self) -> None:
        self._places = _shared(torch.zeros(_MAX_EXAMPLES, 3, dtype=torch.int64))
        self._shares = _shared(torch.zeros(_MAX_EXAMPLES, dtype=torch.float64))
        self._new: list[tuple[Tensor, Tensor]] = []

    def __len__(self) -> int:
        """Return the number of examples to draw from."""
        return len(self.shares)

    @property
    def places(self) -> NDArray[np.int64]:
        """Part, row and column of each example, (N, 3)."""
        return np.asarray(self._places.numpy()[: len(self)])

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of false positives of each example, (N,), the largest first."""
        shares = self._shares.numpy()
        return np.asarray(shares[shares > 0])

    def add(self, places: Tensor, shares: Tensor) -> None:
        """Note examples, to be drawn from the next epoch on; they stay on their device until then.

        Args:
            places: Part, row and column of the centre of each chip.
            shares: Share of false positives in each chip; chips with 0 are forgotten.

        Shapes:
            places: (N, 3); shares: (N,)
        """
        self._new.append((places, shares))

    def end_epoch(self) -> None:
        """Let older examples fade, and keep the worst of the old and the new ones."""
        places, shares = self.places, self.shares * _DECAY
        found = [torch.cat(tensors).cpu().numpy() for tensors in zip(*self._new, strict=True)]
        for new in ranks.gathered(found):  # the chips of all processes
            if new:
                places = np.concatenate([places, new[0]])
                shares = np.concatenate([shares, new[1]])
        # A stable sort keeps the order of ties, so that runs are reproducible.
        worst = np.argsort(-shares, kind="stable")[:_MAX_EXAMPLES]
        worst = worst[shares[worst] > 0]
        self.replace(places[worst], shares[worst])
        self._new.clear()

    def replace(self, places: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
        """Draw from these examples from now on, with the shapes of `places` and `shares`."""
        self._shares.zero_()
        self._places[: len(places)] = torch.from_numpy(places.copy())
        self._shares[: len(shares)] = torch.from_numpy(shares.copy())

    def draw(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """Draw part, row and column of an example, in proportion to its share."""
        shares = self.shares
        part, row, column = rng.choice(self.places, p=shares / shares.sum())
        return int(part), int(row), int(column)


def _shared(tensor: Tensor) -> Tensor:
    """Move a tensor to memory that child processes see."""
    tensor.share_memory_()  # type: ignore[no-untyped-call]
    return tensor


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
    edge = 2 * _NEAR_PX + 1
    # Along the rows, then along the columns: the same square in a third of the time.
    along = functional.max_pool2d(body[:, None], (1, edge), 1, (0, _NEAR_PX))
    near = functional.max_pool2d(along, (edge, 1), 1, (_NEAR_PX, 0))[:, 0]
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
        self._examples.add(batch["place"], outputs["false_positive_shares"])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the new examples available to the next epoch."""
        self._examples.end_epoch()

    def state_dict(self) -> dict[str, Any]:
        """Return the examples, for a checkpoint."""
        return {
            "places": torch.from_numpy(self._examples.places.copy()),
            "shares": torch.from_numpy(self._examples.shares.copy()),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the examples of an interrupted training."""
        self._examples.replace(state_dict["places"].numpy(), state_dict["shares"].numpy())
