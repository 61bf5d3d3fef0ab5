"""One cemetery as the doctor looks at it: pixels, heights and graves on a coarser grid."""

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

_COARSER = 2.0  # how much coarser than the working grid the doctor looks
_MOST_PIXELS = 4e6  # and coarser still where that would be more


@dataclass(frozen=True)
class FileLayout:
    """How an orthophoto's pixels lie in its file.

    Args:
        megapixels: Size.
        is_tiled: In blocks, not in strips.
        has_overviews: Smaller copies are in it.
        crs: Authority and code of its CRS, else its name.
        gsd_m: True size of its pixels.
    """

    megapixels: float
    is_tiled: bool
    has_overviews: bool
    crs: str
    gsd_m: float


class Patient:
    """A cemetery under examination; what is looked at twice is read once.

    Args:
        whole: The cemetery, its grid and graves.
        settings: Channels, sizes of graves.
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
        """The grid that is looked at."""
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
    def areas_m2(self) -> NDArray[np.float64]:
        """True areas of its graves."""
        return geodesic_areas_m2(self.whole.graves.polygons, self.whole.grid.crs)

    @cached_property
    def layout(self) -> FileLayout:
        """How its orthophoto lies in the file."""
        orthophoto = self.whole.orthophoto
        return FileLayout(
            megapixels=orthophoto.megapixels,
            is_tiled=not orthophoto.is_stored_in_rows,
            has_overviews=bool(orthophoto.overviews),
            crs=_short_name(CRS.from_user_input(orthophoto.georeference.crs)),
            gsd_m=orthophoto.gsd_m(self.whole.grid),
        )


def _short_name(crs: CRS) -> str:
    authority = crs.to_authority(min_confidence=70)
    return ":".join(authority) if authority else str(crs.name)
