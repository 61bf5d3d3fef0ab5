"""One cemetery under examination: its pixels, heights and graves on a coarse grid."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from grave_cli.dataset.cemetery_arrays import PartPlan
from grave_cli.dataset.manifest import Cemetery
from grave_cli.rasters.dem import Heights, read_dem
from grave_cli.rasters.grid import WorkingGrid, geodesic_areas_m2
from grave_cli.rasters.orthophoto import GridPixels, open_orthophoto, read_orthophoto, source_gsd_m
from grave_cli.settings.tree import Settings

_COARSER = 2.0  # times the pixel size of the working grid
_MOST_PIXELS = 4e6  # larger cemeteries are examined on an even coarser grid


@dataclass(frozen=True)
class FileLayout:
    """The storage layout of an orthophoto.

    Args:
        megapixels: Number of pixels in millions.
        is_tiled: Whether it is stored in blocks rather than strips.
        has_overviews: Whether the file contains overviews.
        crs: Authority and code of its CRS, or else its name.
        gsd_m: True size of its pixels.
    """

    megapixels: float
    is_tiled: bool
    has_overviews: bool
    crs: str
    gsd_m: float


class Patient:
    """A cemetery under examination; each input is read at most once.

    Args:
        plan: The cemetery, its grid and graves.
        settings: Channels and sizes of graves.
    """

    def __init__(self, plan: PartPlan, settings: Settings) -> None:
        self.plan = plan
        self.settings = settings

    @property
    def cemetery(self) -> Cemetery:
        """Its files."""
        return self.plan.part.cemetery

    @property
    def name(self) -> str:
        """Cemetery id."""
        return self.cemetery.name

    @cached_property
    def grid(self) -> WorkingGrid:
        """The coarse grid of the examination."""
        whole = self.plan.cemetery_grid
        pixels = whole.width * whole.height
        return whole.coarsened(max(_COARSER, float(np.sqrt(pixels / _MOST_PIXELS))))

    @cached_property
    def pixels(self) -> GridPixels:
        """The orthophoto."""
        return read_orthophoto(self.cemetery.orthophoto, self.grid)

    @cached_property
    def heights(self) -> Heights | None:
        """The DEM, metres; None without one."""
        return None if self.cemetery.dem is None else read_dem(self.cemetery.dem, self.grid)

    @cached_property
    def areas_m2(self) -> NDArray[np.float64]:
        """True areas of the graves."""
        return geodesic_areas_m2(self.plan.found.polygons, self.plan.cemetery_grid.crs)

    @cached_property
    def layout(self) -> FileLayout:
        """The storage layout of the orthophoto."""
        with open_orthophoto(self.cemetery.orthophoto) as opened:
            dataset = opened.dataset
            return FileLayout(
                megapixels=dataset.width * dataset.height / 1e6,
                is_tiled=dataset.block_shapes[0][1] < dataset.width,
                has_overviews=bool(dataset.overviews(1)),
                crs=_short_name(CRS.from_user_input(opened.georeference.crs)),
                gsd_m=source_gsd_m(opened.georeference, self.plan.cemetery_grid),
            )


def _short_name(crs: CRS) -> str:
    authority = crs.to_authority(min_confidence=70)
    return ":".join(authority) if authority else str(crs.name)
