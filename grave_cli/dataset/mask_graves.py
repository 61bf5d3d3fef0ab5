"""A mask in, its graves as polygons out.

Its graves are its connected pixels above 0. Pixels that touch only at a corner are not connected
(4-connectivity), so that two graves set corner to corner stay two. If the values number the graves,
as tools for instance segmentation write them, graves that touch are two as well:

    0 1 1 2 2 0      two graves: each value is one region
    0 1 1 0 2 1      connected pixels: these values are classes, as each is in several places
"""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from scipy import ndimage

from grave_cli.errors import DatasetError, RasterReadError
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.datum_shift import shift_note
from grave_cli.rasters.georeference import Georeference, read_georeference
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.raster_file import READ_ERRORS, damaged_file, open_raster, refuse_complex
from grave_cli.wording import counted, quoted

_MOST_MARKED = 0.8  # share of an orthophoto; no cemetery has so many graves
_SEAMS = 0.25  # largest share of neighbouring pixels of unlike values, if values are numbers
_NEAR = 24  # values of a lossy mask lie this close to 0 or to 255
_NEAR_SHARE = 0.9  # at least this share of those above 0; the rest lies along edges
_NOISE_LEVELS = 5  # fewer different low values are classes
_PARTS = 1.5  # regions per value: a thing before a grave may cut it in two
_RINGS = 0.5  # share of regions with a hole: grey edges make rings around each grave


def read_mask_graves(path: Path, grid: WorkingGrid) -> tuple[Polygons, tuple[str, ...]]:
    """Outline the graves of a mask, resampled by nearest neighbour.

    Args:
        path: Raster with graves above 0.
        grid: The whole working grid of an orthophoto.

    Returns:
        The graves in the CRS of the grid; notes on how exactly they lie.

    Raises:
        DatasetError: No pixel is above 0.
        GridError: It has no usable CRS or geotransform.
        RasterReadError: It cannot be used.
    """
    values, marked, place = _read_mask(path, grid)
    if not marked.any():
        raise DatasetError(
            "no graves within the orthophoto",
            where=path,
            found="no pixel above 0",
            remedy="the mask is empty, or its CRS or position is wrong",
        )
    x, y = place.at(np.array([(place.width / 2, place.height / 2)]))
    note = shift_note(place.crs, grid.crs, (float(x[0]), float(y[0])), path)
    return _outlines(values, marked, grid), (note,) if note else ()


def _outlines(values: NDArray[Any], marked: NDArray[np.bool_], grid: WorkingGrid) -> Polygons:
    numbers, numbered = np.unique(values[marked], return_inverse=True)
    if len(numbers) > 1 and (np.mod(numbers, 1) == 0).all():
        labels = np.zeros(marked.shape, np.int32)
        labels[marked] = numbered + 1
        if _seams(labels) <= _SEAMS:
            regions = _trace(labels, grid)
            rings = shapely.get_num_interior_rings(regions) > 0
            if len(regions) <= _PARTS * len(numbers) and rings.mean() < _RINGS:
                return regions
    components, _ = ndimage.label(marked)
    return _trace(components.astype(np.int32, copy=False), grid)


def _is_lossy(values: NDArray[np.uint8]) -> bool:
    """Tell whether values are about 0 and about 255, as lossy compression leaves them."""
    low, high = values <= _NEAR, values >= 255 - _NEAR
    is_noise = len(np.unique(values[low])) >= _NOISE_LEVELS and bool(high.any())
    return is_noise and bool((low | high).mean() >= _NEAR_SHARE)


def _seams(labels: NDArray[np.int32]) -> float:
    """Measure the share of pairs of neighbouring marked pixels that have unlike values."""
    pairs = [(labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])]
    both = sum(int(((one > 0) & (other > 0)).sum()) for one, other in pairs)
    unlike = sum(int(((one > 0) & (other > 0) & (one != other)).sum()) for one, other in pairs)
    return unlike / max(both, 1)


def _trace(labels: NDArray[np.int32], grid: WorkingGrid) -> Polygons:
    """Outline the connected pixels of each label."""
    shapes = rasterio.features.shapes(labels, mask=labels > 0, transform=grid.transform)
    return np.array([shapely.geometry.shape(shape) for shape, _ in shapes], dtype=object)


def _read_mask(
    path: Path, grid: WorkingGrid
) -> tuple[NDArray[Any], NDArray[np.bool_], Georeference]:
    """Read the values of a mask, which of them mark graves, and where it lies."""
    with open_raster(path) as dataset:
        refuse_complex(dataset, path)
        if dataset.count != 1:
            raise RasterReadError(
                "not a mask",
                where=path,
                found=counted(dataset.count, "band"),
                expected="one band",
                remedy=f"`gdal_translate -b 1 {quoted(path.name)} mask.tif` keeps the first band",
            )
        place = read_georeference(dataset, path)
        moved = {"src_transform": place.transform} if place.recentred_from else {}
        try:
            with WarpedVRT(
                dataset,
                src_crs=place.crs,
                **moved,
                crs=grid.crs,
                transform=grid.transform,
                width=grid.width,
                height=grid.height,
                resampling=Resampling.nearest,
            ) as vrt:
                values, known = vrt.read(1), vrt.dataset_mask()
        except READ_ERRORS as error:
            raise damaged_file(path, error) from None
    marked = np.asarray((values > 0) & (known > 0))
    if values.dtype == np.uint8 and _is_lossy(values[marked]):
        marked &= values >= 128
    if marked.mean() > _MOST_MARKED:
        raise RasterReadError(
            "mask marks nearly everything as graves",
            where=path,
            found=f"{marked.mean():.0%} of the orthophoto above 0",
            expected="0 on the ground between the graves",
            remedy=f"if it marks the ground, `gdal_calc.py -A {quoted(path.name)} --calc 'A==0' "
            "--outfile mask.tif` inverts it",
        )
    return values, marked, place
