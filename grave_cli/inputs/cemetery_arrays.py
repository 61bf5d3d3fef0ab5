"""One part of a cemetery, read once: its pixels, heights and graves on the working grid, ready to be cut into chips."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from grave_cli.errors import DatasetError
from grave_cli.inputs.annotations import Graves, Polygons, rasterize_instances, read_graves
from grave_cli.inputs.elevation import elevation_features, measure_elevation, read_dem
from grave_cli.inputs.grid import WorkingGrid
from grave_cli.inputs.raster_io import orthophoto_grid, read_orthophoto
from grave_cli.inputs.recipe import InputRecipe
from grave_cli.inputs.splits import Part, strip_window
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.tree import Settings

_BYTES_PER_PX = 8  # rgb 3, valid 1, instances 4
_BYTES_PER_FEATURE = 4
_COARSE_LOOK = 16  # working pixels per pixel of a coarse look


@dataclass(frozen=True)
class CemeteryArrays:
    """A part of a cemetery as arrays.

    Args:
        part: Which part.
        grid: Where its pixels lie.
        graves: Its graves, in the grid's CRS; those whose centroid lies within.
        rgb: Colours.
        valid: Where the orthophoto shows something.
        elevation: Features in their own units, NaN where unknown; None for rgb.
        instances: Grave ids from 1, 0 is background.

    Shapes:
        rgb: (3, H, W); valid: (H, W); elevation: (features, H, W); instances: (H, W)
    """

    part: Part
    grid: WorkingGrid
    graves: Polygons
    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    elevation: NDArray[np.float32] | None
    instances: NDArray[np.int32]

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Where loss and metrics count: the image is valid, and heights are known if used."""
        if self.elevation is None:
            return self.valid
        return self.valid & np.isfinite(self.elevation).all(axis=0)


@dataclass(frozen=True)
class PartPlan:
    """What will be read for a part, known before any pixel is.

    Args:
        part: Which part.
        cemetery_grid: The whole cemetery's grid.
        window: The part's pixels on it.
        graves: The part's graves, in the grid's CRS.
        found: How the cemetery's annotations were.
    """

    part: Part
    cemetery_grid: WorkingGrid
    window: Window
    graves: Polygons
    found: Graves

    @property
    def grid(self) -> WorkingGrid:
        """The part's own grid."""
        return self.cemetery_grid.crop(self.window)


def plan_part(part: Part, settings: Settings) -> PartPlan:
    """Lay the grid of a part and find its graves.

    Args:
        part: Which part.
        settings: GSD, and the guard between strips.

    Raises:
        DatasetError: The part has no graves.
        GridError: No grid can be laid on the orthophoto.
        RasterReadError: The orthophoto cannot be used.
    """
    cemetery = part.cemetery
    grid = orthophoto_grid(cemetery.orthophoto, settings.grid.gsd_m, settings.grid.max_upsampling)
    found = read_graves(cemetery, grid)
    window = grid.window
    if part.strip is not None:
        window = strip_window(grid, found.polygons, part.strip, settings.data.guard_m)
    inside = shapely.contains(
        shapely.box(*grid.crop(window).bounds), shapely.centroid(found.polygons)
    )
    if not inside.any():
        raise DatasetError(f"no graves in {part.name} ({part.split})", where=cemetery.labels)
    return PartPlan(part, grid, window, found.polygons[inside], found)


def read_part(plan: PartPlan, recipe: InputRecipe) -> CemeteryArrays:
    """Read a part's pixels, heights and graves.

    Args:
        plan: Which part, and its grid.
        recipe: Which elevation features.

    Raises:
        RasterReadError: A raster cannot be used.
    """
    grid, cemetery = plan.grid, plan.part.cemetery
    pixels = read_orthophoto(cemetery.orthophoto, grid)
    elevation = None
    if recipe.elevation is not None:
        assert cemetery.dem is not None  # checked when the parts were assigned
        statistics = measure_elevation(cemetery.dem, plan.cemetery_grid, recipe.elevation)
        heights = read_dem(cemetery.dem, grid)
        elevation = elevation_features(heights, grid, statistics, recipe.features)
    # Graves cut by the part's edge are drawn too: what shows of them is a grave.
    touching = shapely.intersects(plan.found.polygons, shapely.box(*grid.bounds))
    instances = rasterize_instances(plan.found.polygons[touching], grid)
    return CemeteryArrays(
        plan.part, grid, plan.graves, pixels.rgb, pixels.valid, elevation, instances
    )


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
    """Estimate which share of a part's pixels shows something, from a coarse look."""
    coarse = plan.grid.coarsened(_COARSE_LOOK)
    return float(read_orthophoto(plan.part.cemetery.orthophoto, coarse).valid.mean())


def _cache_key(plan: PartPlan, recipe: InputRecipe) -> str:
    stamps = [(str(path.resolve()), path.stat().st_mtime_ns) for path in plan.part.cemetery.files]
    text = repr((stamps, plan.window, recipe.model_dump_json()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _array_names() -> tuple[str, ...]:
    plain = {"part", "grid", "graves"}
    return tuple(field.name for field in fields(CemeteryArrays) if field.name not in plain)


def _save(arrays: CemeteryArrays, folder: Path) -> None:
    """Write the arrays beside their final place, then rename: a killed run leaves no half cache."""
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name in _array_names():
        array = getattr(arrays, name)
        if array is not None:
            np.save(unfinished / f"{name}.npy", array)
    unfinished.rename(folder)


def _load(plan: PartPlan, folder: Path) -> CemeteryArrays:
    stored = {
        name: np.load(folder / f"{name}.npy", mmap_mode="r")
        for name in _array_names()
        if (folder / f"{name}.npy").exists()
    }
    return CemeteryArrays(plan.part, plan.grid, plan.graves, **{"elevation": None, **stored})
