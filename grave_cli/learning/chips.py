"""Random chips out of cemetery arrays, varied, with their targets.

A chip is cut larger than needed, turned and scaled with its instance ids, and only then are targets
made: bands keep their width, and corners do not fill with nothing.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
import torch
from numpy.typing import NDArray
from rasterio.windows import Window
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from grave_cli.errors import DatasetError
from grave_cli.graves.targets import encode
from grave_cli.inputs.cemetery_arrays import CemeteryArrays
from grave_cli.inputs.recipe import InputRecipe
from grave_cli.settings.sections import ChipSettings
from grave_cli.settings.tree import Settings

_COVERAGE = 4  # times that an epoch sees the training area
_LEAST_CHIPS = 128


@dataclass(frozen=True)
class Chip:
    """Arrays under one window; beyond the cemetery's edge nothing is valid.

    Shapes:
        rgb: (3, H, W); valid: (H, W); scored: (H, W); elevation: (features, H, W);
            instances: (H, W)
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    elevation: NDArray[np.float32] | None
    instances: NDArray[np.int32]


def cut_chip(arrays: CemeteryArrays, window: Window) -> Chip:
    """Cut a window, which may reach beyond the arrays, out of them."""
    height, width = arrays.grid.shape
    rows, above = _overlap(int(window.row_off), int(window.height), height)
    columns, beside = _overlap(int(window.col_off), int(window.width), width)
    margins = (above, beside)

    def cut(array: NDArray[Any], fill: float = 0) -> NDArray[Any]:
        inside = array[..., rows, columns]
        if margins == ((0, 0), (0, 0)):
            return np.asarray(inside)
        around = ((0, 0),) * (array.ndim - 2) + margins
        return np.pad(inside, around, constant_values=fill)

    valid = cut(arrays.valid)
    elevation = None if arrays.elevation is None else cut(arrays.elevation, np.nan)
    known = True if elevation is None else np.isfinite(elevation).all(axis=0)
    labelled = True if arrays.labelled is None else cut(arrays.labelled)
    return Chip(cut(arrays.rgb), valid, valid & labelled & known, elevation, cut(arrays.instances))


def _overlap(start: int, size: int, length: int) -> tuple[slice, tuple[int, int]]:
    """Find the part of a range within [0, length), and what is missing before and after it.

    From -2, size 5, length 10: 0 to 3, 2 missing before. From 12: nothing, 5 missing after.
    """
    first, last = (min(max(edge, 0), length) for edge in (start, start + size))
    before = min(max(-start, 0), size)
    return slice(first, last), (before, size - before - (last - first))


class ChipDataset(Dataset[dict[str, Tensor]]):
    """Random, varied chips of the training cemeteries.

    Item i of an epoch depends on seed, epoch and i alone. Every chip is centred on a pixel that is
    usable: valid, and within the labelled area.

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
        self.parts = parts
        self.recipe = recipe
        self.settings = settings
        self.epoch = 0
        sizes = np.array([len(part.graves) for part in parts], dtype=np.float64)
        self._usable_by_row = [_count_usable(part) for part in parts]
        areas = np.array([rows.sum() for rows in self._usable_by_row], dtype=np.float64)
        self.length = settings.chips.per_epoch or chips_for_area(areas.sum(), settings.chips)
        self._by_graves = sizes / sizes.sum()
        self._by_area = areas / areas.sum()
        self._centres = [_pixel_centres(part) for part in parts]
        self._vary = _variation(settings.chips)
        self._tint = v2.ColorJitter(
            brightness=settings.chips.color_jitter,
            contrast=settings.chips.color_jitter,
            saturation=settings.chips.color_jitter,
        )

    def __len__(self) -> int:
        """Chips per epoch."""
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Draw a chip: input (C, H, W), targets (3, H, W) and scored (1, H, W), all float32."""
        seed = [self.settings.training.seed, self.epoch, index]
        rng = np.random.default_rng(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(2**31)))
            return self._finish(self._varied(self._draw(rng)), rng)

    def _draw(self, rng: np.random.Generator) -> Chip:
        near_grave = rng.random() < self.settings.chips.grave_share
        number = rng.choice(len(self.parts), p=self._by_graves if near_grave else self._by_area)
        part, size = self.parts[number], _read_size(self.settings.chips)
        row, column = self._near_grave(number, rng) if near_grave else self._anywhere(number, rng)
        return cut_chip(part, Window(column - size // 2, row - size // 2, size, size))

    def _near_grave(self, number: int, rng: np.random.Generator) -> tuple[int, int]:
        """Draw a usable pixel near the centre of a grave; anywhere when there is none."""
        centre = rng.choice(self._centres[number])
        jitter = rng.uniform(-0.35, 0.35, 2) * self.settings.chips.size_px
        for column, row in (centre + jitter, centre):
            if _is_usable(self.parts[number], int(row), int(column)):
                return int(row), int(column)
        return self._anywhere(number, rng)

    def _anywhere(self, number: int, rng: np.random.Generator) -> tuple[int, int]:
        """Draw a usable pixel, each with the same chance."""
        rows = self._usable_by_row[number]
        row = rng.choice(len(rows), p=rows / rows.sum())
        return int(row), int(rng.choice(np.flatnonzero(_usable_row(self.parts[number], row))))

    def _varied(self, chip: Chip) -> Chip:
        """Turn, scale, flip and tint a chip: colours and heights smoothly, ids by the nearest."""
        smooth = [chip.rgb.astype(np.float32)]
        if chip.elevation is not None:
            smooth.append(np.nan_to_num(chip.elevation, nan=0.0))
        exact = np.stack([chip.instances, chip.valid, chip.scored]).astype(np.int32)
        image, mask = self._vary(
            tv_tensors.Image(torch.from_numpy(np.concatenate(smooth))),
            tv_tensors.Mask(torch.from_numpy(exact)),
        )
        instances, valid, scored = mask.numpy()
        return Chip(
            rgb=self._tint(image[:3].round().byte()).numpy(),
            valid=valid > 0,
            scored=scored > 0,
            elevation=None if chip.elevation is None else image[3:].numpy(),
            instances=instances,
        )

    def _finish(self, chip: Chip, rng: np.random.Generator) -> dict[str, Tensor]:
        blank = rng.random() < self.settings.chips.dem_dropout
        elevation = None if blank else chip.elevation
        return to_tensors(chip, elevation, self.recipe, self.settings)


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


def _read_size(settings: ChipSettings) -> int:
    """Edge of what is cut so that a turned and scaled chip has no empty corners, in pixels."""
    turned = math.sqrt(2) if settings.rotate else 1.0
    return math.ceil(settings.size_px * turned / settings.scale_range[0])


def _variation(settings: ChipSettings) -> v2.Compose:
    degrees = 180 if settings.rotate else 0
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.RandomAffine(
                degrees=degrees,
                scale=settings.scale_range,
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            v2.CenterCrop(settings.size_px),
        ]
    )


def _count_usable(part: CemeteryArrays) -> NDArray[np.int64]:
    """Count the usable pixels of each row; a part without any cannot be trained on."""
    rows: NDArray[np.int64] = part.usable.sum(axis=1)
    if not rows.any():
        raise DatasetError(
            f"nothing to train on in {part.part.name}",
            where=part.part.cemetery.orthophoto,
            found="no valid pixel within the labelled area",
        )
    return rows


def _is_usable(part: CemeteryArrays, row: int, column: int) -> bool:
    height, width = part.grid.shape
    within = 0 <= row < height and 0 <= column < width
    return within and bool(_usable_row(part, row)[column])


def _usable_row(part: CemeteryArrays, row: int) -> NDArray[np.bool_]:
    valid: NDArray[np.bool_] = part.valid[row]
    return valid if part.labelled is None else valid & part.labelled[row]


def _pixel_centres(part: CemeteryArrays) -> NDArray[np.float64]:
    points = shapely.get_coordinates(shapely.centroid(part.graves))
    columns, rows = ~part.grid.transform @ (points[:, 0], points[:, 1])
    return np.column_stack([columns, rows])
