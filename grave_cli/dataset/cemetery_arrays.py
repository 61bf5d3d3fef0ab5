"""One part of a cemetery, read once: pixels, heights and graves on the working grid."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from grave_cli.atomic_writes import whole_folder
from grave_cli.dataset.annotations import (
    Graves,
    rasterize_instances,
    read_graves,
    read_labelled_area,
)
from grave_cli.dataset.identity.dataset_id import dataset_id
from grave_cli.dataset.manifest import Manifest
from grave_cli.dataset.splits import Part, strip_window
from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.elevation import measure_elevation, read_elevation
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import orthophoto_grid, read_orthophoto
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.tree import Settings
from grave_cli.vectors.areas import Area, rasterize_area, within_area

_BYTES_PER_PX = 9  # rgb 3, valid 1, instances 4, labelled 1
_BYTES_PER_FEATURE = 4
_COARSE_LOOK = 16  # working pixels per pixel of a coarse look


@dataclass(frozen=True)
class CemeteryArrays:
    """A part of a cemetery as arrays.

    Args:
        part: Which part.
        grid: Where its pixels lie.
        graves: Its graves, in the grid's CRS; those whose centroid lies within it and within the
            labelled area.
        rgb: Colours.
        valid: Where the orthophoto shows something.
        elevation: Features in their own units, NaN where unknown; None for rgb.
        instances: Grave ids from 1, 0 is background.
        labelled: Where graves would have been labelled; None is everywhere.

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
        """Where the ground truth is known: the image is valid and the ground has been labelled."""
        return self.valid if self.labelled is None else self.valid & self.labelled


@dataclass(frozen=True)
class PartPlan:
    """What will be read for a part, known before any pixel is.

    Args:
        part: Which part.
        cemetery_grid: The whole cemetery's grid.
        window: The part's pixels on it.
        graves: The part's graves, in the grid's CRS.
        found: How the cemetery's annotations were.
        area: The part of the cemetery that has been labelled, in the grid's CRS; None is all.
    """

    part: Part
    cemetery_grid: WorkingGrid
    window: Window
    graves: Polygons
    found: Graves
    area: Area | None = None

    @property
    def grid(self) -> WorkingGrid:
        """The part's own grid."""
        return self.cemetery_grid.crop(self.window)

    def owns(self, graves: Polygons) -> NDArray[np.bool_]:
        """Say which graves belong to the part: by their centroid, as everywhere."""
        mine = within_area(graves, self.area)
        if self.part.strip is not None:
            mine &= within_area(graves, shapely.box(*self.grid.bounds))
        return mine


def plan_part(part: Part, settings: Settings) -> PartPlan:
    """Lay the grid of a part and find its graves.

    Args:
        part: Which part.
        settings: GSD, layers and filter of the annotations, and the guard between strips.

    Raises:
        DatasetError: The part has no graves, or its labels or labelled area cannot be used.
        GridError: No grid can be laid on the orthophoto.
        RasterReadError: The orthophoto cannot be used.
    """
    cemetery = part.cemetery
    grid = orthophoto_grid(cemetery.orthophoto, settings.grid.gsd_m, settings.grid.max_upsampling)
    found = read_graves(cemetery, grid, settings.data)
    area = read_labelled_area(cemetery, grid, settings.data)
    graves = found.polygons[within_area(found.polygons, area)]
    if not len(graves):
        raise DatasetError("no graves in the labelled area", where=cemetery.area or cemetery.labels)
    window = grid.window
    if part.strip is not None:
        guard_m, where = settings.data.guard_m, cemetery.orthophoto
        window = strip_window(grid, tuple(graves), part.strip, guard_m, where)
    plan = PartPlan(part, grid, window, graves, found, area)
    plan = replace(plan, graves=graves[plan.owns(graves)])
    if not len(plan.graves):
        raise DatasetError(f"no graves in {part.name} ({part.split})", where=cemetery.labels)
    return plan


def read_part(plan: PartPlan, recipe: InputRecipe) -> CemeteryArrays:
    """Read a part's pixels, heights and graves.

    Args:
        plan: Which part, and its grid.
        recipe: Which elevation features.

    Raises:
        RasterReadError: A raster cannot be used.
    """
    grid, cemetery = plan.grid, plan.part.cemetery
    pixels = read_orthophoto(cemetery.orthophoto, grid, recipe.value_range)
    elevation = None
    if recipe.elevation is not None:
        assert cemetery.dem is not None  # checked when the parts were assigned
        statistics = measure_elevation(cemetery.dem, plan.cemetery_grid, recipe.elevation)
        elevation = read_elevation(cemetery.dem, grid, statistics, recipe.features)
    instances, labelled = draw_truth(plan)
    return CemeteryArrays(
        plan.part, grid, plan.graves, pixels.rgb, pixels.valid, elevation, instances, labelled
    )


def draw_truth(plan: PartPlan) -> tuple[NDArray[np.int32], NDArray[np.bool_] | None]:
    """Draw the ground truth of a part: its graves, and where graves have been labelled.

    Returns:
        Grave ids from 1, 0 is background; the labelled ground, None for all of it.

    Shapes:
        each: (H, W)
    """
    labelled = None if plan.area is None else rasterize_area(plan.area, plan.grid)
    return rasterize_instances(_drawn_graves(plan), plan.grid), labelled


def read_parts(
    plans: Sequence[PartPlan],
    recipe: InputRecipe,
    *,
    max_bytes: float,
    cache: Path,
    progress: Progress = SILENT,
) -> list[CemeteryArrays]:
    """Read all parts, into memory when they fit, else into memory-mapped files.

    Args:
        plans: What to read.
        recipe: Which elevation features.
        max_bytes: Largest sum of the arrays that is held in memory, bytes.
        cache: Folder for memory-mapped files; made only when needed.
        progress: Is told of each part.
    """
    mapped = sum(memory_bytes(plan, recipe) for plan in plans) > max_bytes
    arrays = []
    with progress.task("Reading cemeteries", len(plans), "parts") as advance:
        for plan in plans:
            folder = cache / _cache_key(plan, recipe)
            if mapped and folder.is_dir():
                arrays.append(_load(plan, folder))
            elif mapped:
                _save(read_part(plan, recipe), folder)
                arrays.append(_load(plan, folder))
            else:
                arrays.append(read_part(plan, recipe))
            advance(1)
    return arrays


def memory_bytes(plan: PartPlan, recipe: InputRecipe) -> int:
    """Say how much memory a part's arrays take, in bytes."""
    pixels = int(plan.window.width) * int(plan.window.height)
    return pixels * (_BYTES_PER_PX + _BYTES_PER_FEATURE * len(recipe.features))


def valid_share(plan: PartPlan) -> float:
    """Estimate which share of a part's pixels is usable, from a coarse look."""
    coarse = plan.grid.coarsened(_COARSE_LOOK)
    valid = read_orthophoto(plan.part.cemetery.orthophoto, coarse).valid
    return float((valid if plan.area is None else valid & rasterize_area(plan.area, coarse)).mean())


def _drawn_graves(plan: PartPlan) -> Polygons:
    """Choose the graves that show in a part.

    Those cut by its edge are drawn too: what shows of them is a grave. Those wholly outside of the
    labelled area are not, because the few that happen to be labelled there say nothing.
    """
    graves = plan.found.polygons
    drawn = shapely.intersects(graves, shapely.box(*plan.grid.bounds))
    if plan.area is not None:
        drawn &= shapely.intersects(graves, plan.area) & ~shapely.touches(graves, plan.area)
    return np.asarray(graves[drawn])


def _cache_key(plan: PartPlan, recipe: InputRecipe) -> str:
    cemetery = plan.part.cemetery
    place = cemetery.orthophoto.resolve()
    files = dataset_id(Manifest(cemetery.orthophoto.parent.parent, (cemetery,)))
    # Layers and filters change what the same files mean.
    shapes = [shapely.to_wkb(plan.found.polygons).tolist(), shapely.to_wkb(plan.area)]
    text = repr((place, files, shapes, plan.window, recipe.model_dump_json()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _array_names() -> tuple[str, ...]:
    plain = {"part", "grid", "graves"}
    return tuple(field.name for field in fields(CemeteryArrays) if field.name not in plain)


def _save(arrays: CemeteryArrays, folder: Path) -> None:
    with whole_folder(folder) as new:
        for name in _array_names():
            array = getattr(arrays, name)
            if array is not None:
                np.save(new / f"{name}.npy", array)


def _load(plan: PartPlan, folder: Path) -> CemeteryArrays:
    stored = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r")
        for name in _array_names()
        if (folder / f"{name}.npy").exists()
    }
    absent = {"elevation": None, "labelled": None}
    return CemeteryArrays(plan.part, plan.grid, plan.graves, **{**absent, **stored})
