"""Training chips: drawn, cut, varied, with their targets; the same for the same seed."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.graves.targets import encode
from grave_cli.learning.augmentation import cut_varied, draw_matrix, tint
from grave_cli.learning.cutting import Chip
from grave_cli.learning.hard_places import ConfusedPlaces
from grave_cli.learning.pasting import paste_graves
from grave_cli.learning.places import ChipPlaces, Place
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.learning import ChipSettings
from grave_cli.settings.tree import Settings

_COVERAGE = 4  # times that an epoch sees the training area
_LEAST_CHIPS = 128
_WIDEST_RIM_PX = 4  # drawn anew each time, lest the rim of what is pasted be learnt


class ChipDataset(Dataset[dict[str, Tensor]]):
    """Random, varied chips of the training cemeteries.

    Item i of an epoch depends on seed, epoch, i, and on the background that was confused with
    graves in the epochs before.

    Args:
        parts: What to train on.
        recipe: How arrays become input.
        settings: Chip size, their variation, the widths of the target bands.

    Raises:
        DatasetError: A part has nothing to train on.
    """

    def __init__(
        self, parts: list[CemeteryArrays], recipe: InputRecipe, settings: Settings
    ) -> None:
        self.recipe = recipe
        self.settings = settings
        self.epoch = 0
        self.places = ChipPlaces(parts, settings.chips)
        self.confused = ConfusedPlaces()
        area_px = self.places.usable_px
        self.length = settings.chips.per_epoch or chips_for_area(area_px, settings.chips)
        self._tint = tint(settings.chips)

    def __len__(self) -> int:
        """Chips per epoch."""
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Draw a chip: input, targets and scored as of `to_tensors`, and its place (3,)."""
        rng = np.random.default_rng([self.settings.training.seed, self.epoch, index])
        chips = self.settings.chips
        place = self.places.draw(rng, self.confused)
        chip = self._cut(place, rng)
        if rng.random() < chips.paste_share:
            donor = self._cut(self.places.draw_grave(rng), rng)
            chip = paste_graves(chip, donor, int(rng.integers(_WIDEST_RIM_PX + 1)))
        elevation = None if rng.random() < chips.dem_dropout else chip.elevation
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would note the call for GPUs, too, which takes a millisecond.
            torch.default_generator.manual_seed(int(rng.integers(2**31)))
            chip.rgb[:] = self._tint(torch.from_numpy(chip.rgb)).numpy()
        tensors = to_tensors(chip, elevation, self.recipe, self.settings)
        return {**tensors, "place": torch.tensor([place.part, place.row, place.column])}

    def _cut(self, place: Place, rng: np.random.Generator) -> Chip:
        chips = self.settings.chips
        part = self.places.parts[place.part]
        return cut_varied(part, place, draw_matrix(chips, rng), chips.size_px)


def to_tensors(
    chip: Chip, elevation: NDArray[np.float32] | None, recipe: InputRecipe, settings: Settings
) -> dict[str, Tensor]:
    """Make the network's input and its targets out of a chip.

    Args:
        chip: The chip.
        elevation: Its elevation features, or None to blank them.
        recipe: How arrays become input.
        settings: Widths of the target bands.
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
    """Count the chips that cover an area of valid pixels four times, at least 128.

    So many that validating once per epoch takes a small part of the time.
    """
    return max(_LEAST_CHIPS, math.ceil(_COVERAGE * valid_px / settings.size_px**2))
