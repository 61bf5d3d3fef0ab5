"""DEMs in, on any grid and in any CRS; metres on the working grid out, NaN where unknown.

Heights are read in their own pixels, cleared of everything that is no height, and only then
interpolated: a marker such as -32767 that nobody declared never bleeds into the heights beside it.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import CRSError as RasterioCRSError
from rasterio.errors import RasterioIOError
from rasterio.io import DatasetReader
from rasterio.warp import reproject
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

from grave_cli.errors import RasterReadError
from grave_cli.rasters.bands import look
from grave_cli.rasters.georeference import Georeference, read_georeference, transformer
from grave_cli.rasters.grid import WorkingGrid, iter_windows
from grave_cli.rasters.grid_reads import WARP
from grave_cli.rasters.orthophoto import damaged, open_raster

Heights = NDArray[np.float32]

# No ground lies lower: -9999 and -32767 are no heights. With a scale of its own (whole centimetres,
# say) a stored -9000 can be one.
_LOWEST, _LOWEST_SCALED, _HIGHEST = -9000.0, -32767.0, 1e6
_METRES = {
    **dict.fromkeys(("m", "metre", "meter", "metres", "meters"), 1.0),
    **dict.fromkeys(("ft", "foot", "feet", "international foot"), 0.3048),
    **dict.fromkeys(("us-ft", "ftus", "us survey foot", "us foot", "foot_us"), 1200 / 3937),
    **dict.fromkeys(("cm", "centimetre", "centimeter"), 0.01),
}
_MARGIN_PX = 3  # source pixels around a window that interpolation and averaging may touch
_PIECE_PX = 1024  # heights are read in pieces of this many working pixels
_PIECE_SOURCE_PX = 4096  # and of at most about this many of the file's own


@dataclass(frozen=True)
class Dem:
    """A DEM that is open and has been checked; one per thread.

    Args:
        path: Its file.
        dataset: The open file.
        georeference: Where it lies.
        scale: Metres per stored unit.
        offset: Metres of a stored 0.
        unit_note: How the unit of heights was understood, where that is worth a line.
    """

    path: Path
    dataset: DatasetReader
    georeference: Georeference
    scale: float
    offset: float
    unit_note: str | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the surveyor should know of how it is read."""
        notes = [self.unit_note] if self.unit_note else []
        notes += _marker_note(self.dataset, self.path)
        if self.georeference.from_prj:
            notes.append(f"{self.path}: its CRS is taken from the .prj file beside it")
        return tuple(notes)

    def read(self, grid: WorkingGrid) -> Heights:
        """Read heights onto a grid: interpolated where the DEM is coarser, averaged where finer.

        Args:
            grid: The working grid or any crop of it.

        Returns:
            Heights in metres, NaN where there are none.

        Raises:
            RasterReadError: The file is damaged.
        """
        heights = np.full(grid.shape, np.nan, np.float32)
        ratio = math.sqrt(grid.pixel_size**2 / self.georeference.pixel_area_in(grid.crs))
        piece = max(1, min(_PIECE_PX, int(_PIECE_SOURCE_PX / ratio)))
        how = Resampling.average if ratio > 1 else Resampling.bilinear
        margin = _MARGIN_PX + math.ceil(ratio)
        try:
            for window in iter_windows(grid, piece):
                heights[window.toslices()] = self._read_piece(grid.crop(window), how, margin)
        except RasterioIOError as error:
            raise damaged(self.path, error) from None
        return heights

    def _read_piece(self, grid: WorkingGrid, how: Resampling, margin: int) -> Heights:
        heights = np.full(grid.shape, np.nan, np.float32)
        window = self._window_under(grid, margin)
        if window is None:
            return heights
        reproject(
            self._heights(window),
            heights,
            src_transform=window_transform(window, self.georeference.transform),
            src_crs=self.georeference.crs,
            src_nodata=np.nan,
            dst_transform=grid.transform,
            dst_crs=grid.crs,
            dst_nodata=np.nan,
            resampling=how,
            **WARP,
        )
        return heights

    def _heights(self, window: Window) -> Heights:
        """Read stored values and turn them into metres, NaN where there is no height."""
        stored = self.dataset.read(1, window=window)
        missing = (self.dataset.read_masks(1, window=window) == 0) | self._impossible(stored)
        if self.dataset.count == 2:  # GDAL takes an alpha channel of floats for no mask
            missing |= self.dataset.read(2, window=window) == 0
        heights = stored.astype(np.float32) * np.float32(self.scale) + np.float32(self.offset)
        heights[missing] = np.nan
        return np.asarray(heights)

    def _impossible(self, stored: NDArray[np.generic]) -> NDArray[np.bool_]:
        return impossible(stored, self.dataset.scales[0] != 1)

    def _window_under(self, grid: WorkingGrid, margin: int) -> Window | None:
        """Find the file's pixels under a grid, with some around them."""
        place = self.georeference
        points = Georeference(grid.crs, grid.transform, grid.width, grid.height).outline()
        xs, ys = transformer(grid.crs, place.crs).transform(*points.T)
        columns, rows = ~place.transform @ (np.asarray(xs), np.asarray(ys))
        if not (np.isfinite(columns).all() and np.isfinite(rows).all()):
            return None
        left, top = (max(0, math.floor(axis.min()) - margin) for axis in (columns, rows))
        right = min(place.width, math.ceil(columns.max()) + margin)
        bottom = min(place.height, math.ceil(rows.max()) + margin)
        if right <= left or bottom <= top:
            return None
        return Window(left, top, right - left, bottom - top)


@contextmanager
def open_dem(path: Path) -> Iterator[Dem]:
    """Open a DEM, after checking that it is one.

    Args:
        path: Raster of heights, on any grid and in any CRS.

    Raises:
        GridError: It has no CRS or geotransform that can be used.
        RasterReadError: It cannot be opened, or holds no heights.
    """
    with open_raster(path) as dataset:
        _check(dataset, path)
        place = read_georeference(dataset, path)
        unit, unit_note = _metres_per_unit(dataset, path)
        yield Dem(
            path,
            dataset,
            place,
            scale=dataset.scales[0] * unit,
            offset=dataset.offsets[0] * unit,
            unit_note=unit_note,
        )


def read_dem(path: Path, grid: WorkingGrid) -> Heights:
    """Read heights onto a grid; see `Dem.read`.

    Args:
        path: The DEM.
        grid: The working grid or any crop of it.

    Raises:
        GridError: It has no CRS or geotransform that can be used.
        RasterReadError: It is damaged, or holds no heights.
    """
    with open_dem(path) as dem:
        return dem.read(grid)


def impossible(stored: NDArray[np.generic], scaled: bool) -> NDArray[np.bool_]:
    """Find stored values that are no heights, whatever the nodata tag says.

    Args:
        stored: Values as they are in the file.
        scaled: The file gives them a scale of their own.
    """
    values = stored.astype(np.float64, copy=False)
    lowest = _LOWEST_SCALED if scaled else _LOWEST
    return ~((values > lowest) & (values < (np.inf if scaled else _HIGHEST)))


def _check(dataset: DatasetReader, path: Path) -> None:
    found = f"{dataset.count} band(s) of {'/'.join(sorted(set(dataset.dtypes)))}"
    eight_bit = set(dataset.dtypes) == {"uint8"} and dataset.scales[0] == 1
    if dataset.count in (1, 3, 4) and eight_bit:
        raise RasterReadError(
            "this is a picture of a DEM: its colours are no heights",
            where=path,
            found=found,
            expected="one band of heights in metres",
            remedy="export the DEM itself (float32), not its coloured or shaded view",
        )
    with_alpha = dataset.count == 2 and dataset.colorinterp[1] == ColorInterp.alpha
    if dataset.count != 1 and not with_alpha:
        raise RasterReadError(
            "not a DEM",
            where=path,
            found=found,
            expected="one band of heights in metres",
            remedy=f"`gdal_translate -b 1 {path.name} dem.tif` keeps the first band",
        )


def _marker_note(dataset: DatasetReader, path: Path) -> Iterator[str]:
    """Say which values are taken for "no height" though the file does not say so."""
    stored = look(dataset, 1)[look(dataset, 1, mask=True) > 0]
    strange = stored[impossible(stored, dataset.scales[0] != 1)]
    strange = strange[~np.isnan(strange.astype(np.float64))]
    if strange.size:
        values, counts = np.unique(strange, return_counts=True)
        common = float(values[counts.argmax()])
        yield (
            f"{path}: heights of {common:g} are taken as missing, though no nodata tag says so "
            f"(`gdal_edit.py -a_nodata {common:g} {path.name}` adds it)"
        )


def _metres_per_unit(dataset: DatasetReader, path: Path) -> tuple[float, str | None]:
    """Find the unit of heights in the band's tag or the vertical CRS; else it is the metre."""
    stated = (dataset.units[0] or "").strip().lower()
    if stated in _METRES:
        factor = _METRES[stated]
    elif stated:
        return 1.0, f"{path}: unknown unit of heights {stated!r}, metres are assumed"
    else:
        factor = _vertical_unit(dataset)
    if factor == 1.0:
        return 1.0, None
    return factor, f"{path}: heights are brought to metres (times {factor:.6g})"


def _vertical_unit(dataset: DatasetReader) -> float:
    try:
        crs = CRS.from_wkt(dataset.crs.to_wkt()) if dataset.crs else None
    except (CRSError, RasterioCRSError):
        return 1.0
    if crs is None or not crs.is_compound:
        return 1.0
    return float(crs.sub_crs_list[1].axis_info[0].unit_conversion_factor)
