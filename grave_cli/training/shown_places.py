"""Validation samples that a training draws every few epochs: a few places, chosen once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

import numpy as np
import shapely
import torch
from numpy.typing import NDArray

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.dataset.plans import PartPlan
from grave_cli.dataset.training_data import TrainingData
from grave_cli.learning.cutting import Chip, cut_chip
from grave_cli.learning.task import GraveTask
from grave_cli.mapping.probability_map import to_probabilities
from grave_cli.mapping.read_ahead import SectionInput
from grave_cli.mapping.sections import Section
from grave_cli.mapping.tile_runner import run_tiles
from grave_cli.rasters.dem_heights import open_dem
from grave_cli.rasters.elevation import read_elevation
from grave_cli.rasters.grid import Tile, Window, plan_tiles
from grave_cli.rasters.recipe import InputRecipe

SAMPLE_PX = 256
_MULTIPLE = 32  # the sides of network inputs are multiples of it


@dataclass(frozen=True)
class Sample:
    """A square place of a validation cemetery.

    Args:
        cemetery: Name of the cemetery.
        number: Number of the place within the cemetery, from 1.
        chip: Arrays of the place.
        heights: Metres above local ground, NaN where unknown; None for rgb.

    Shapes:
        heights: (H, W)
    """

    cemetery: str
    number: int
    chip: Chip
    heights: NDArray[np.float32] | None

    @property
    def name(self) -> str:
        """Unique name: cemetery and number."""
        return f"{self.cemetery}-{self.number}"


def choose_samples(data: TrainingData, recipe: InputRecipe, count: int) -> list[Sample]:
    """Choose places with graves, spread over the validation cemeteries; deterministic.

    The cemeteries take turns, each with its place of most graves first.

    Args:
        data: Training data; the validation parts are used.
        recipe: Elevation features of the data.
        count: Maximum number of places; fewer are returned if fewer hold graves.

    Raises:
        RasterReadError: A DEM cannot be read.
    """
    if not count:
        return []
    size = _common_size(data.val)
    pairs = list(zip(data.val, data.plan.split("val"), strict=True))
    ranked = [[(part, plan, w) for w in _by_graves(part, size)] for part, plan in pairs]
    in_turn = (place for places in zip_longest(*ranked) for place in places if place is not None)
    samples: list[Sample] = []
    for part, plan, window in islice(in_turn, count):
        cemetery = part.part.cemetery.name
        number = 1 + sum(sample.cemetery == cemetery for sample in samples)
        chip = cut_chip(part, window)
        heights = _heights(plan, window, chip, recipe)
        samples.append(Sample(cemetery, number, chip, heights))
    return samples


def predict_samples(
    task: GraveTask, samples: Sequence[Sample], recipe: InputRecipe
) -> list[NDArray[np.float32]]:
    """Compute the probabilities of samples with the current weights of a network.

    Shapes:
        returns: (3, H, W) each, 0 where the orthophoto has no pixels
    """
    was_training = task.training
    task.eval()
    engine = _TaskEngine(task)
    results = [to_probabilities(run_tiles(_as_section(s, recipe), engine, 1)) for s in samples]
    task.train(was_training)
    return results


class _TaskEngine:
    """Runs a network that is still being trained as an engine.

    Args:
        task: The network, in evaluation mode.
    """

    name = "torch"
    batch_mpx = 1.0

    def __init__(self, task: GraveTask) -> None:
        self._task = task

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute probabilities like `Engine.probabilities`."""
        with torch.inference_mode():
            logits = self._task(torch.from_numpy(batch).to(self._task.device)).float()
            return np.asarray(torch.sigmoid(logits).cpu().numpy())


def _as_section(sample: Sample, recipe: InputRecipe) -> SectionInput:
    """Shape a sample as a section of one tile without halo."""
    chip = sample.chip
    height, width = chip.valid.shape
    window = Window(0, 0, width, height)
    tile = Tile(window=window, core=window)
    return SectionInput(
        section=Section((0, 0), window, (tile,)),
        tiles=(tile,),
        window=window,
        pixels=recipe.network_input(chip.rgb, chip.elevation, chip.valid),
        valid=chip.valid,
    )


def _common_size(parts: Sequence[CemeteryArrays]) -> int:
    """Return the edge of all samples, in pixels; small if all parts are small."""
    longest = max(max(part.grid.shape) for part in parts)
    return min(SAMPLE_PX, _MULTIPLE * -(-longest // _MULTIPLE))


def _by_graves(part: CemeteryArrays, size: int) -> Iterator[Window]:
    """Yield the places of a part that hold graves, the fullest first."""
    height, width = part.grid.shape
    points = shapely.get_coordinates(shapely.centroid(part.graves))
    columns, rows = ~part.grid.transform @ (points[:, 0], points[:, 1])
    found = []
    for tile in plan_tiles(height, width, size, 0):
        top = _inwards(tile.window.row_off, size, height)
        left = _inwards(tile.window.col_off, size, width)
        inside = (rows >= top) & (rows < top + size) & (columns >= left) & (columns < left + size)
        if inside.any():
            found.append((-int(inside.sum()), top, left))
    taken: list[tuple[int, int]] = []
    for _, top, left in sorted(found):
        # A place moved back into the part may nearly coincide with its neighbour.
        if all(max(abs(top - row), abs(left - col)) >= size / 2 for row, col in taken):
            taken.append((top, left))
            yield Window(left, top, size, size)


def _inwards(start: int, size: int, length: int) -> int:
    """Move a place back into its part, or centre it on a part that is smaller."""
    return (length - size) // 2 if length < size else min(int(start), length - size)


def _heights(
    plan: PartPlan, window: Window, chip: Chip, recipe: InputRecipe
) -> NDArray[np.float32] | None:
    if recipe.elevation is None or chip.elevation is None:
        return None
    if "height" in recipe.features:
        heights: NDArray[np.float32] = chip.elevation[recipe.features.index("height")]
        return heights
    statistics = plan.whole.elevation_statistics(recipe.elevation)
    assert plan.whole.dem is not None  # it has been measured
    with open_dem(plan.whole.dem) as dem:
        return np.asarray(read_elevation(dem, plan.grid.crop(window), statistics, ("height",))[0])
