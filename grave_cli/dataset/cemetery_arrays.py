"""One part of a cemetery as arrays: pixels, heights and graves on the working grid."""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.dataset.annotations import rasterize_instances
from grave_cli.dataset.plans import PartPlan
from grave_cli.dataset.splits import Part
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.dem_heights import open_dem
from grave_cli.rasters.elevation import read_elevation
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto_pixels import read_orthophoto
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.vectors.areas import rasterize_area

_BYTES_PER_PX = 9  # rgb 3, valid 1, instances 4, labelled 1
_BYTES_PER_FEATURE = 4
_COARSE_LOOK = 16  # working pixels per pixel of a coarse look


@dataclass(frozen=True)
class CemeteryArrays:
    """A part of a cemetery as arrays.

    Args:
        part: The part: cemetery, split and strip.
        grid: The grid of its pixels.
        graves: Graves whose centroid lies within the part and the labelled area, in the grid's CRS.
        rgb: Colours.
        valid: True where the orthophoto shows something.
        elevation: Features in their own units, NaN where unknown; None for rgb, and for ground
            without a DEM.
        instances: Grave ids from 1; 0 is background.
        labelled: True in the labelled area; None: everything is labelled.

    Shapes:
        rgb: (3, H, W); valid: (H, W); elevation: (features, H, W); instances: (H, W);
        labelled: (H, W)
    """

    part: Part
    grid: WorkingGrid
    graves: Polygons
    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    elevation: NDArray[np.float32] | None
    instances: NDArray[np.int32]
    labelled: NDArray[np.bool_] | None = None

    @property
    def scored(self) -> NDArray[np.bool_]:
        """True where the ground truth is known: the image is valid and labelled."""
        return self.valid if self.labelled is None else self.valid & self.labelled

    def __getstate__(self) -> dict[str, Any]:
        """Hand over the names of mapped files, not their content, to another process."""
        return {name: _file_of(value) or value for name, value in vars(self).items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the files again."""
        for name, value in state.items():
            known = np.load(value, mmap_mode="r") if isinstance(value, Path) else value
            object.__setattr__(self, name, known)


def read_part(plan: PartPlan, recipe: InputRecipe) -> CemeteryArrays:
    """Read the pixels, heights and graves of a part.

    Args:
        plan: The part.
        recipe: Elevation features and range of 16-bit values.

    Raises:
        RasterReadError: A raster cannot be used.
    """
    pixels = read_orthophoto(plan.whole.orthophoto, plan.grid, recipe.value_range)
    elevation = _read_elevation(plan, recipe)
    instances, labelled = draw_truth(plan)
    return CemeteryArrays(
        plan.part, plan.grid, plan.graves, pixels.rgb, pixels.valid, elevation, instances, labelled
    )


def draw_truth(plan: PartPlan) -> tuple[NDArray[np.int32], NDArray[np.bool_] | None]:
    """Draw the ground truth of a part: its graves and its labelled area.

    Returns:
        Grave ids from 1, with 0 as background; True in the labelled area, None for all of it.

    Shapes:
        each: (H, W)
    """
    area = plan.whole.area
    labelled = None if area is None else rasterize_area(area, plan.grid)
    return rasterize_instances(drawn_graves(plan), plan.grid), labelled


def drawn_graves(plan: PartPlan) -> Polygons:
    """Choose the graves that are drawn in a part.

    A grave cut by the part's edge is included, because the visible rest is a grave. A grave wholly
    outside of the labelled area is not: that a few are labelled there proves nothing.
    """
    graves, area = plan.whole.graves.polygons, plan.whole.area
    drawn = shapely.intersects(graves, shapely.box(*plan.grid.bounds))
    if area is not None:
        drawn &= shapely.intersects(graves, area) & ~shapely.touches(graves, area)
    return np.asarray(graves[drawn])


def memory_bytes(plan: PartPlan, recipe: InputRecipe) -> int:
    """Compute the memory that the arrays of a part take, in bytes."""
    pixels = int(plan.window.width) * int(plan.window.height)
    return pixels * (_BYTES_PER_PX + _BYTES_PER_FEATURE * len(recipe.features))


def _file_of(value: object) -> Path | None:
    """Return the file of an array that maps it as a whole; views map only a part."""
    is_whole = isinstance(value, np.memmap) and isinstance(value.base, mmap.mmap)
    name = getattr(value, "filename", None) if is_whole else None
    return None if name is None else Path(name)


def valid_share(plan: PartPlan) -> float:
    """Estimate the share of usable pixels in a part, from a coarse look at the orthophoto."""
    coarse, area = plan.grid.coarsened(_COARSE_LOOK), plan.whole.area
    valid = read_orthophoto(plan.whole.orthophoto, coarse).valid
    return float((valid if area is None else valid & rasterize_area(area, coarse)).mean())


def _read_elevation(plan: PartPlan, recipe: InputRecipe) -> NDArray[np.float32] | None:
    if recipe.elevation is None or plan.whole.files.dem is None:  # ground may lack a DEM
        return None
    statistics = plan.whole.elevation_statistics(recipe.elevation)
    assert plan.whole.dem is not None  # it has been measured
    with open_dem(plan.whole.dem) as dem:
        return read_elevation(dem, plan.grid, statistics, recipe.features)
