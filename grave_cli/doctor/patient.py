"""One cemetery under examination: its pixels, heights and graves on a coarse grid."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from grave_cli.dataset.manifest import Cemetery
from grave_cli.dataset.plans import CemeteryPlan
from grave_cli.rasters.dem_heights import Heights, read_dem
from grave_cli.rasters.grid import WorkingGrid, geodesic_areas_m2
from grave_cli.rasters.orthophoto_pixels import GridPixels, read_orthophoto
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
        whole: The cemetery, its grid and graves.
        settings: Channels and sizes of graves.
    """

    def __init__(self, whole: CemeteryPlan, settings: Settings) -> None:
        self.whole = whole
        self.settings = settings

    @property
    def cemetery(self) -> Cemetery:
        """Its files."""
        return self.whole.files

    @property
    def name(self) -> str:
        """Cemetery id."""
        return self.cemetery.name

    @cached_property
    def grid(self) -> WorkingGrid:
        """The coarse grid of the examination."""
        grid = self.whole.grid
        pixels = grid.width * grid.height
        return grid.coarsened(max(_COARSER, float(np.sqrt(pixels / _MOST_PIXELS))))

    @cached_property
    def pixels(self) -> GridPixels:
        """The orthophoto."""
        return read_orthophoto(self.whole.orthophoto, self.grid)

    @cached_property
    def heights(self) -> Heights | None:
        """The DEM, metres; None without one."""
        return None if self.whole.dem is None else read_dem(self.whole.dem, self.grid)

    @cached_property
    def terrain(self) -> Heights | None:
        """The DTM below the DEM, metres; None without one."""
        dem = self.whole.dem
        return None if dem is None or dem.terrain is None else read_dem(dem.terrain, self.grid)

    @cached_property
    def areas_m2(self) -> NDArray[np.float64]:
        """True areas of the graves."""
        return geodesic_areas_m2(self.whole.graves.polygons, self.whole.grid.crs)

    @cached_property
    def layout(self) -> FileLayout:
        """The storage layout of the orthophoto."""
        orthophoto = self.whole.orthophoto
        return FileLayout(
            megapixels=orthophoto.megapixels,
            is_tiled=not orthophoto.is_stored_in_rows,
            has_overviews=bool(orthophoto.overviews),
            crs=_short_name(CRS.from_user_input(orthophoto.georeference.file_crs)),
            gsd_m=orthophoto.gsd_m(self.whole.grid),
        )


def _short_name(crs: CRS) -> str:
    authority = crs.to_authority(min_confidence=70)
    return ":".join(authority) if authority else str(crs.name)
