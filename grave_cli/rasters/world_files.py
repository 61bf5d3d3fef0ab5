"""Files beside a raster that say where it lies: world files, `.prj` and `.aux.xml` files.

GDAL reads a world file only where the raster says nothing itself, and no `.prj` file at all. People
correct a place in these files and wonder why nothing moves; a note tells them. An `.aux.xml` file
counts before the raster, also one that was left behind when the raster was replaced.

Source: https://gdal.org/en/stable/drivers/raster/wld.html,
    https://gdal.org/en/stable/drivers/raster/gtiff.html (GEOREF_SOURCES)
"""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import ProjError
from rasterio.io import DatasetReader

from grave_cli.rasters.crs import GEOD, LONLAT, parsed, transformer
from grave_cli.rasters.raster_formats import TIFF
from grave_cli.wording import quoted

_MOST_AUX_BYTES = 1 << 24
_MOST_BYTES = 1000  # of a world file: it has six numbers
_APART_PX = 1.0  # half a pixel is the usual quarrel over corners and centres
_APART_M = 1.0  # WGS 84 and ETRS89 lie closer, and are often confused


def read_prj(path: Path) -> str:
    """Read a `.prj` file; its encoding shows in its byte order mark.

    Raises:
        OSError: It cannot be read.
    """
    data = path.read_bytes()
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if is_utf16 else "utf-8-sig", "replace").strip()


def prj_beside(raster: Path) -> str | None:
    """Read the `.prj` file beside a raster; None without one."""
    for suffix in (".prj", ".PRJ"):
        beside = raster.with_suffix(suffix)
        if beside.is_file():
            return read_prj(beside) or None
    return None


def is_placeless(wkt: str) -> bool:
    """Tell whether a CRS says nothing of a place on the Earth, such as a local one."""
    try:
        return bool(parsed(wkt).is_engineering)
    except ProjError:
        return True


def ignored_notes(
    raster: Path, transform: Affine, size: tuple[int, int], crs: str, prj: str | None
) -> Iterator[str]:
    """Name the files beside a raster that contradict it, and do not count.

    Args:
        raster: The raster.
        transform: Its geotransform.
        size: Its columns and rows.
        crs: Its CRS.
        prj: Text of its `.prj` file; None if there is none, or if the CRS comes from it.
    """
    corners = np.array([(0, 0), (size[0], 0), (0, size[1])]).T
    for world in _world_files(raster):
        stated = _read_world_file(world)
        if stated is not None and stated.determinant:
            off = np.subtract(~transform @ (stated @ corners), corners)
            if np.abs(off).max() > _APART_PX:
                yield (
                    f"{raster}: {world.name} gives it another place, which does not count, because "
                    f"the file has its own (`gdal_edit.py -unsetgt {quoted(raster.name)}` removes "
                    "that)"
                )
    if prj is not None and _are_apart(crs, prj, *(transform @ (size[0] / 2, size[1] / 2))):
        yield f"{raster}: the .prj file beside it names another CRS, which does not count"


def aux_notes(dataset: DatasetReader, raster: Path) -> Iterator[str]:
    """Say that the `.aux.xml` file of a GeoTIFF gives it another place than the GeoTIFF itself.

    Args:
        dataset: The raster.
        raster: Its file.
    """
    aux = raster.with_name(f"{raster.name}.aux.xml")
    if dataset.driver != TIFF or not aux.is_file() or aux.stat().st_size > _MOST_AUX_BYTES:
        return
    if not re.search(rb"<(GeoTransform|SRS)", aux.read_bytes()):
        return
    with rasterio.open(raster.absolute(), driver=TIFF, GEOREF_SOURCES="INTERNAL") as alone:
        moved = alone.transform not in (Affine.identity(), dataset.transform)
        middle = dataset.transform @ (dataset.width / 2, dataset.height / 2)
        both = [crs.to_wkt() for crs in (alone.crs, dataset.crs) if crs]
        if moved or (len(both) > 1 and _are_apart(both[0], both[1], *middle)):
            yield (
                f"{raster}: {aux.name} gives it another {'place' if moved else 'CRS'} than the "
                "file itself, and counts; delete it if it is of an older file"
            )


def _world_files(raster: Path) -> Iterator[Path]:
    ending = raster.suffix[1:]
    for name in (f"{ending[:1]}{ending[-1:]}w", f"{ending}w", "wld"):
        for suffix in dict.fromkeys((f".{name.lower()}", f".{name.upper()}")):
            if (beside := raster.with_suffix(suffix)).is_file():
                yield beside


def _read_world_file(path: Path) -> Affine | None:
    """Read a geotransform; the file gives the centre of the first pixel."""
    try:
        with path.open("rb") as file:
            numbers = file.read(_MOST_BYTES).decode("ascii", "replace").replace(",", ".").split()
        a, d, b, e, x, y = (float(number) for number in numbers[:6])
    except (OSError, ValueError):
        return None
    return Affine(a, b, x, d, e, y) @ Affine.translation(-0.5, -0.5)


def _are_apart(one: str, other: str, x: float, y: float) -> bool:
    """Tell whether a point lies in two places, in two CRSs; not if one of them cannot be read."""
    try:
        CRS.from_wkt(other)
        places = [transformer(crs, LONLAT).transform(x, y) for crs in (one, other)]
        *_, apart_m = GEOD.inv(*places[0], *places[1])
    except (ProjError, ValueError):
        return False
    return not apart_m <= _APART_M
