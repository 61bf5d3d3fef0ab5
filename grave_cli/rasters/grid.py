"""The working grid: a grid of fixed ground sampling distance (GSD) over an orthophoto.

Everything after reading works on this grid. Its pixels have one size *on the ground*, in a
projected CRS, whatever the orthophoto's own pixel size and the length of its map units.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.windows import Window as Window  # re-exported: rooms without rasterio use it

from grave_cli.errors import GridError
from grave_cli.rasters.crs import GEOD as GEOD  # re-exported
from grave_cli.rasters.crs import LONLAT, transformer
from grave_cli.rasters.working_crs import ground_axes

_WHOLE = 1e-4  # a pixel still counts as whole if rounding errors cost it no more than this share


@dataclass(frozen=True)
class WorkingGrid:
    """Georeference of the working pixels, and their size on the ground.

    Args:
        crs: Projected CRS, as WKT.
        transform: Pixel (column, row) -> CRS units; axis-aligned, north up.
        width: Columns.
        height: Rows.
        gsd_m: Edge of a pixel in metres on the ground.
    """

    crs: str
    transform: Affine
    width: int
    height: int
    gsd_m: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def pixel_size(self) -> float:
        """Edge of a pixel in CRS units."""
        return self.transform.a

    @property
    def metres_per_unit(self) -> float:
        """Metres on the ground per CRS unit (0.67 in EPSG:3857 at 48 degrees north)."""
        return self.gsd_m / self.pixel_size

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right, top in CRS units."""
        left, top = self.transform.c, self.transform.f
        right, bottom = self.transform @ (self.width, self.height)
        return left, bottom, right, top

    @property
    def megapixels(self) -> float:
        """Number of pixels, in millions."""
        return self.height * self.width / 1e6

    @property
    def window(self) -> Window:
        """The window over the whole grid."""
        return Window(0, 0, self.width, self.height)

    def crop(self, window: Window) -> "WorkingGrid":
        """Return the grid of a window of whole pixels, which may extend beyond this grid."""
        return replace(
            self,
            transform=self.transform @ Affine.translation(window.col_off, window.row_off),
            width=int(window.width),
            height=int(window.height),
        )

    def coarsened(self, factor: float) -> "WorkingGrid":
        """Return a grid of larger pixels over the same area, cut to whole pixels.

        Args:
            factor: Pixels of this grid per pixel of the coarser one, at least 1.
        """
        return replace(
            self,
            transform=self.transform @ Affine.scale(factor),
            width=max(1, math.floor(self.width / factor + _WHOLE)),
            height=max(1, math.floor(self.height / factor + _WHOLE)),
            gsd_m=self.gsd_m * factor,
        )

    def metres_to_px(self, metres: float, minimum: int = 0) -> int:
        """Round a length on the ground to whole pixels, at least `minimum`."""
        return max(minimum, round(metres / self.gsd_m))


@dataclass(frozen=True)
class Tile:
    """One window of a tiling: the pixels that are read, and the core that is kept of them.

    Args:
        window: The pixels that are read; they may extend beyond the grid.
        core: The part that belongs to this tile alone. Cores cover the grid once.
    """

    window: Window
    core: Window

    @property
    def core_in_tile(self) -> tuple[slice, slice]:
        """Rows and columns of the core within the tile's own pixels."""
        row = int(self.core.row_off - self.window.row_off)
        col = int(self.core.col_off - self.window.col_off)
        return slice(row, row + int(self.core.height)), slice(col, col + int(self.core.width))


def plan_tiles(height: int, width: int, tile_px: int, halo_px: int) -> list[Tile]:
    """Cut a grid into tiles whose cores cover every pixel exactly once.

    Tile 8, halo 1, width 15: cores start at 0, 6 and 12 with widths 6, 6 and 3; each tile is read 8
    wide, from -1, 5 and 11. All tiles have one size; at the edges they extend beyond the grid.

    Args:
        height: Rows of the grid.
        width: Columns of the grid.
        tile_px: Edge of a tile, halo included, in pixels.
        halo_px: Border that is discarded, in pixels.

    Raises:
        ValueError: The halo leaves no core.
    """
    step = tile_px - 2 * halo_px
    if step < 1:
        raise ValueError(f"halo {halo_px} px leaves no core in tiles of {tile_px} px")
    return [
        Tile(
            window=Window(col - halo_px, row - halo_px, tile_px, tile_px),
            core=Window(col, row, min(step, width - col), min(step, height - row)),
        )
        for row in range(0, height, step)
        for col in range(0, width, step)
    ]


def lay_grid(
    crs: str, bounds: tuple[float, float, float, float], gsd_m: float, where: Path | str
) -> WorkingGrid:
    """Lay a working grid over bounds given in a projected CRS.

    It has whole pixels only: less than one pixel is cut off at the right and at the lower edge.

    Args:
        crs: Projected CRS, as WKT or authority code.
        bounds: Left, bottom, right, top in CRS units.
        gsd_m: Edge of a working pixel in metres on the ground.
        where: The file, named in errors.

    Raises:
        GridError: The CRS is unknown or not projected, or cannot map the bounds to the ground.
    """
    try:
        parsed = CRS.from_user_input(crs)
    except CRSError:
        raise GridError("its CRS cannot be parsed", where=where, found=crs) from None
    if not parsed.is_projected:
        raise GridError(
            "no working grid can be laid in this CRS",
            where=where,
            found=parsed.name,
            expected="a projected CRS",
            remedy="`gdalwarp -t_srs EPSG:25832` reprojects it",
        )
    left, bottom, right, top = bounds
    scale = ground_scale(parsed.to_wkt(), (left + right) / 2, (bottom + top) / 2)
    if not (math.isfinite(scale) and scale > 0):
        raise GridError(
            "its position cannot be mapped to the ground",
            where=where,
            found=f"bounds {bounds} in {parsed.name}",
            expected="a place on the Earth",
            remedy="the CRS is probably wrong",
        )
    pixel = gsd_m / scale
    spans = (right - left, top - bottom)
    width, height = (max(1, math.floor(span / pixel + _WHOLE)) for span in spans)
    transform = Affine(pixel, 0, left, 0, -pixel, top)
    return WorkingGrid(parsed.to_wkt(), transform, width, height, gsd_m)


def ground_scale(crs: str, x: float, y: float) -> float:
    """Measure the metres on the ground per CRS unit around a point: the mean of both axes.

    Args:
        crs: Projected CRS, as WKT or authority code.
        x: Easting in CRS units.
        y: Northing in CRS units.
    """
    along_x, along_y, _ = ground_axes(crs, x, y)
    return (along_x + along_y) / 2


def geodesic_areas_m2(polygons: np.ndarray, crs: str) -> np.ndarray:
    """Compute the true area of each polygon on the ground.

    Args:
        polygons: Shapely polygons in `crs`, with or without holes.
        crs: Their CRS, as WKT or authority code.

    Returns:
        Areas in square metres.
    """
    to_lonlat = transformer(crs, LONLAT)
    # pyproj adds a hole that runs the same way as its shell; people draw holes either way.
    turned = shapely.orient_polygons(polygons)
    on_ellipsoid = shapely.transform(turned, to_lonlat.transform, interleaved=False)
    return np.array([abs(GEOD.geometry_area_perimeter(polygon)[0]) for polygon in on_ellipsoid])


def iter_windows(grid: WorkingGrid, size_px: int) -> Iterator[Window]:
    """Yield whole-pixel windows of at most size_px x size_px that cover the grid once."""
    for tile in plan_tiles(grid.height, grid.width, size_px, 0):
        yield tile.core
