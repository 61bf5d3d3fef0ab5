"""Cemeteries and their parts, planned before any pixel is read: grids, graves, labelled areas.

The parts of one cemetery share its `CemeteryPlan`: each input file is inspected and each grave file
read and repaired once per cemetery, not once per split.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from grave_cli.dataset.annotations import Graves, read_graves, read_labelled_area
from grave_cli.dataset.in_threads import map_in_threads
from grave_cli.dataset.manifest import Cemetery
from grave_cli.dataset.splits import SPLITS, Part, strip_window
from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.dem import Dem, inspect_dem
from grave_cli.rasters.dem_heights import open_dem
from grave_cli.rasters.elevation import ElevationStatistics, measure_elevation
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import Orthophoto, inspect_orthophoto, orthophoto_grid
from grave_cli.settings.inputs import ElevationSettings
from grave_cli.settings.tree import Settings
from grave_cli.vectors.areas import Area, within_area
from grave_cli.wording import counted


@dataclass(frozen=True)
class CemeteryPlan:
    """A cemetery as it will be read.

    Args:
        files: The cemetery's files.
        orthophoto: Its orthophoto, inspected.
        grid: Its working grid.
        graves: Its graves and the findings about them, in the grid's CRS.
        area: The labelled part, in the grid's CRS; None: everything is labelled.
    """

    files: Cemetery
    orthophoto: Orthophoto
    grid: WorkingGrid
    graves: Graves
    area: Area | None
    _statistics: dict[tuple[float, float], ElevationStatistics] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )

    @cached_property
    def dem(self) -> Dem | None:
        """Its DEM with its DTM, inspected when it is first needed; None without one.

        Raises:
            GridError: The DEM has no usable CRS or geotransform.
            RasterReadError: It cannot be opened, or holds no heights.
        """
        files = self.files
        return inspect_dem(files.dem, files.dtm) if files.dem else None

    def elevation_statistics(self, settings: ElevationSettings) -> ElevationStatistics:
        """Measure the heights of the whole cemetery, once for all of its parts.

        Args:
            settings: Cell size and radius of the local ground.

        Raises:
            RasterReadError: The DEM is damaged, or has no heights under the orthophoto.
        """
        key = settings.ground_cell_m, settings.ground_radius_m
        if key not in self._statistics:
            assert self.dem is not None  # checked when the parts were assigned
            with open_dem(self.dem) as dem:
                self._statistics[key] = measure_elevation(dem, self.grid, settings)
        return self._statistics[key]


@dataclass(frozen=True)
class PartPlan:
    """A part of a cemetery as it will be read.

    Args:
        part: The part: cemetery, split and strip.
        whole: The plan of the whole cemetery.
        window: The part's pixels on the cemetery's grid.
        graves: The part's graves, in the grid's CRS.
    """

    part: Part
    whole: CemeteryPlan
    window: Window
    graves: Polygons

    @property
    def grid(self) -> WorkingGrid:
        """The part's own grid."""
        return self.whole.grid.crop(self.window)

    @property
    def areas_m2(self) -> NDArray[np.float64]:
        """The areas of its graves, in square metres on the ground."""
        return np.asarray(shapely.area(self.graves) * self.whole.grid.metres_per_unit**2)

    def owns(self, graves: Polygons) -> NDArray[np.bool_]:
        """Tell which graves belong to the part: those whose centroid lies in it."""
        mine = within_area(graves, self.whole.area)
        if self.part.strip is not None:
            mine &= within_area(graves, shapely.box(*self.grid.bounds))
        return mine


def plan_parts(parts: Iterable[Part], settings: Settings) -> Iterator[PartPlan]:
    """Plan parts of cemeteries; the parts of one cemetery share its plan.

    Args:
        parts: Parts of any number of cemeteries.
        settings: GSD, layers and filter of the annotations, guard between strips.

    Raises:
        DatasetError: A part has no graves, or its labels or labelled area cannot be used.
        GridError: No working grid can be laid on an orthophoto.
        RasterReadError: An orthophoto cannot be used.
    """
    parts = list(parts)
    cemeteries = list(dict.fromkeys(part.cemetery for part in parts))
    planned = map_in_threads(partial(plan_cemetery, settings=settings), cemeteries)
    wholes = dict(zip(cemeteries, planned, strict=True))
    return (plan_part(part, wholes[part.cemetery], settings) for part in parts)


def plan_cemetery(cemetery: Cemetery, settings: Settings) -> CemeteryPlan:
    """Inspect the orthophoto of a cemetery, lay its grid and read its graves.

    Args:
        cemetery: The cemetery; it has labels, or is ground without graves.
        settings: GSD, layers and filter of the annotations.

    Raises:
        DatasetError: It has no graves, or its labels or labelled area cannot be used.
        GridError: No working grid can be laid on the orthophoto.
        RasterReadError: The orthophoto cannot be used.
    """
    orthophoto = inspect_orthophoto(cemetery.orthophoto)
    grid = orthophoto_grid(orthophoto, settings.grid.gsd_m, settings.grid.max_upsampling)
    graves = _read_graves(cemetery, grid, settings)
    area = read_labelled_area(cemetery, grid, settings.data)
    if not cemetery.is_ground and not within_area(graves.polygons, area).any():
        raise DatasetError("no graves in the labelled area", where=cemetery.area or cemetery.labels)
    return CemeteryPlan(cemetery, orthophoto, grid, graves, area)


def plan_part(part: Part, whole: CemeteryPlan, settings: Settings) -> PartPlan:
    """Find the pixels and the graves of a part.

    Args:
        part: The part.
        whole: The plan of its cemetery.
        settings: Guard between strips.

    Raises:
        DatasetError: The part has no graves, or the guard leaves nothing of it.
    """
    graves = whole.graves.polygons[within_area(whole.graves.polygons, whole.area)]
    window = whole.grid.window
    if part.strip is not None:
        where = whole.files.orthophoto
        window = strip_window(whole.grid, tuple(graves), part.strip, settings.data.guard_m, where)
    plan = PartPlan(part, whole, window, graves)
    plan = replace(plan, graves=graves[plan.owns(graves)])
    if not len(plan.graves) and not part.cemetery.is_ground:
        raise DatasetError(
            f"no graves in {part.name} ({part.split})",
            where=whole.files.labels,
            found=f"{counted(len(graves), 'grave')} in all",
            expected=f"at least one in each of {', '.join(SPLITS)}",
            remedy="set a smaller data.guard_m (0 if graves lie in few columns), or add a second "
            "cemetery",
        )
    return plan


def _read_graves(cemetery: Cemetery, grid: WorkingGrid, settings: Settings) -> Graves:
    if cemetery.is_ground:
        return Graves(np.array([], dtype=object))
    return read_graves(cemetery, grid, settings.data)
