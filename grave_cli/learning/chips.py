"""Training chips: random, augmented, with their targets; reproducible from the seed."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.graves.targets import encode
from grave_cli.learning.augmentation import cut_augmented, draw_matrix, recolored
from grave_cli.learning.cutting import Chip
from grave_cli.learning.hard_examples import HardExamples
from grave_cli.learning.pasting import paste_graves
from grave_cli.learning.places import ChipPlaces, Place
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.learning import ChipSettings
from grave_cli.settings.tree import Settings

_COVERAGE = 4  # chips over each pixel of the training area, per epoch
_MIN_CHIPS = 128
_MAX_RIM_PX = 4  # the width is random: a constant rim would betray pasted graves


class ChipDataset(Dataset[dict[str, Tensor]]):
    """Random, augmented chips of the training cemeteries.

    An item is asked for by epoch and index. It depends only on these, on the seed and on the hard
    examples of earlier epochs, so that any number of workers prepares the same chips.

    Args:
        parts: Parts to train on.
        recipe: Turns arrays into network input.
        settings: Chip size, augmentation, widths of the target bands.
        generated: Generated parts to train on as well.

    Raises:
        DatasetError: A part has no usable pixel.
    """

    def __init__(
        self,
        parts: list[CemeteryArrays],
        recipe: InputRecipe,
        settings: Settings,
        generated: Sequence[CemeteryArrays] = (),
    ) -> None:
        self.recipe = recipe
        self.settings = settings
        self.places = ChipPlaces(parts, settings.chips, generated)
        self.hard_examples = HardExamples()
        area_px = self.places.usable_px
        self.length = settings.chips.per_epoch or chips_for_area(area_px, settings.chips)

    def __len__(self) -> int:
        """Return the number of chips per epoch."""
        return self.length

    def __getitem__(self, item: tuple[int, int]) -> dict[str, Tensor]:
        """Draw a chip: the tensors of `to_tensors`, and `place` (part, row and column)."""
        rng = np.random.default_rng([self.settings.training.seed, *item])
        chips = self.settings.chips
        place = self.places.draw(rng, self.hard_examples)
        chip = self._cut(place, rng)
        if rng.random() < chips.paste_share:
            donor = self._cut(self.places.draw_grave(rng), rng)
            chip = paste_graves(chip, donor, int(rng.integers(_MAX_RIM_PX + 1)))
        elevation = None if rng.random() < chips.dem_dropout else chip.elevation
        chip.rgb[:] = recolored(chip.rgb, chips, rng)
        tensors = to_tensors(chip, elevation, self.recipe, self.settings)
        return {**tensors, "place": torch.tensor([place.part, place.row, place.column])}

    def _cut(self, place: Place, rng: np.random.Generator) -> Chip:
        chips = self.settings.chips
        part = self.places.parts[place.part]
        return cut_augmented(part, place, draw_matrix(chips, rng), chips.size_px)


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields the epoch and the index of each chip, so that workers live on from epoch to epoch.

    Lightning calls `set_epoch` before each epoch. Of several processes, each yields its share of
    every batch: with batches of 4, rank 0 of 2 yields 0, 1, 4, 5, … and rank 1 2, 3, 6, 7, ….

    Args:
        length: Chips per epoch.
        epoch: First epoch; a resumed training begins with a later one.
        batch_size: Chips in a batch of all processes.
        rank: Number of this process.
        world_size: Number of processes; it divides the batch.
    """

    def __init__(
        self, length: int, epoch: int, batch_size: int = 1, rank: int = 0, world_size: int = 1
    ) -> None:
        self.epoch = epoch
        share = min(batch_size, length) // world_size
        if world_size == 1:
            self.indices = list(range(length))
        else:
            starts = range(0, length - share * world_size + 1, max(1, share * world_size))
            self.indices = [
                start + rank * share + index for start in starts for index in range(share)
            ]

    def set_epoch(self, epoch: int) -> None:
        """Yield the chips of an epoch from now on."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield epoch and index."""
        epoch = self.epoch
        return ((epoch, index) for index in self.indices)

    def __len__(self) -> int:
        """Return the number of chips per epoch in this process."""
        return len(self.indices)


def to_tensors(
    chip: Chip, elevation: NDArray[np.float32] | None, recipe: InputRecipe, settings: Settings
) -> dict[str, Tensor]:
    """Turn a chip into the tensors `input`, `targets` and `scored`.

    Args:
        chip: The chip.
        elevation: Its elevation features, or None to blank them.
        recipe: Turns arrays into network input.
        settings: Widths of the target bands.

    Shapes:
        input: (channels, H, W); targets: (3, H, W); scored: (1, H, W)
    """
    training = settings.training
    targets = encode(
        chip.instances, recipe.gsd_m, training.border_width_m, training.contact_width_m
    )
    return {
        "input": torch.from_numpy(recipe.network_input(chip.rgb, elevation, chip.valid)),
        "targets": torch.from_numpy(targets).float(),
        "scored": torch.from_numpy(chip.scored[None]).float(),
    }


def chips_for_area(valid_px: float, settings: ChipSettings) -> int:
    """Return the number of chips that cover an area of valid pixels four times, at least 128.

    An epoch of that length takes much longer than its validation.
    """
    return max(_MIN_CHIPS, math.ceil(_COVERAGE * valid_px / settings.size_px**2))
