"""A raster and the files beside it are checked before GDAL opens them.

GDAL chooses a driver by the content of a file, whatever its name, and opens what the file names:
sources of a VRT, overviews (.ovr, or by a tag), masks (.msk). Only the promised formats are opened,
and only files in or below the folder of the first.
"""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError  # GDAL's complaints, in no public module of rasterio 1.4
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from grave_cli.errors import RasterReadError
from grave_cli.rasters.gdal_messages import check_name, unprinted
from grave_cli.rasters.geopackage_check import check_geopackage
from grave_cli.rasters.raster_formats import GEOPACKAGE, TIFF, VRT, raster_driver
from grave_cli.rasters.vrt_check import vrt_sources
from grave_cli.regular_files import check_regular
from grave_cli.wording import quoted

_WITH_PIXELS = (".ovr", ".msk")
_DEEPEST = 6  # VRTs in VRTs, overviews of overviews
_MOST_READS = 1_000_000
_OVERVIEW_DOMAIN, _OVERVIEW_KEY = "OVERVIEWS", "OVERVIEW_FILE"


def check_raster(path: Path) -> str:
    """Check a raster, its sources and the files beside it, once for each version of the file.

    Args:
        path: The raster.

    Returns:
        Name of the driver that may open it.

    Raises:
        RasterReadError: It is not a file, is of a format that is not read, or would open something
            else than files of its folder.
    """
    check_regular(path, RasterReadError, "a raster")
    check_name(path, RasterReadError)
    status = path.stat()
    return _check(path, path.absolute(), status.st_mtime_ns, status.st_size)


def refuse_linked_overviews(dataset: DatasetReader, path: Path) -> None:
    """Refuse an open raster whose metadata name a file of overviews, before GDAL looks for them.

    Args:
        dataset: The raster; nothing has been asked about its overviews yet.
        path: Its file, named in the error.

    Raises:
        RasterReadError: Its metadata do, or those in its .aux.xml file.
    """
    named = dataset.tags(ns=_OVERVIEW_DOMAIN).get(_OVERVIEW_KEY)
    if named is not None:
        raise RasterReadError(
            "its overviews are said to be in another file",
            where=path,
            found=f"{_OVERVIEW_KEY} = {named}",
            expected="overviews in it, or in its .ovr file",
            remedy=f"delete its .aux.xml file, or `gdal_translate {quoted(path.name)} "
            f"{quoted(path.stem + '-copy.tif')}` and `gdaladdo` make a copy with its own",
        )


@lru_cache(maxsize=1024)
def _check(path: Path, place: Path, mtime_ns: int, size: int) -> str:
    check = _Check()
    check.add(path, ())
    return raster_driver(path)


class _Check:
    """The check of one raster, of all that it names, and of all that these name in turn."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, list[str]]] = {}
        self._reads: dict[Path, int] = {}

    def add(self, path: Path, within: tuple[Path, ...]) -> int:
        """Check a raster that others name.

        Args:
            path: The raster.
            within: The rasters through which it is named, from the first on.

        Returns:
            Number of files that are read if each mention of a source counts.
        """
        if path in within or len(within) > _DEEPEST:
            raise _endless(within[0], path.name)
        if path not in self._reads:
            self._reads[path] = self._count(path, within)
        return self._reads[path]

    def _count(self, path: Path, within: tuple[Path, ...]) -> int:
        driver = raster_driver(path)
        if driver == GEOPACKAGE:
            check_geopackage(path, RasterReadError)
        for beside in self._beside(path):
            _refuse_other_than_tiff(beside)
            self.add(beside, (*within, path))
        reads = 1
        for source in vrt_sources(path) if driver == VRT else ():
            if source not in self._reads:
                check_regular(source, RasterReadError, "a raster")
            reads += self.add(source, (*within, path))
            if reads > _MOST_READS:
                raise _endless(path, f"more than {_MOST_READS} mentions of a file")
        if within:
            _check_metadata(path, driver)
        return reads

    def _beside(self, path: Path) -> Iterator[Path]:
        """Yield the files of overviews and masks beside a raster; none of its parts is a pipe."""
        folder = path.parent
        if folder not in self._folders:
            self._folders[folder] = _names_by_start(folder)
        for name in self._folders[folder].get(path.stem.lower(), ()):
            beside = folder / name
            if name == path.name or beside.is_dir() or not beside.exists():
                continue
            check_regular(beside, RasterReadError, f"a part of {path.name}")
            is_read = name.lower() in (f"{path.name.lower()}{ending}" for ending in _WITH_PIXELS)
            if is_read and beside.stat().st_size:
                yield beside


def _names_by_start(folder: Path) -> dict[str, list[str]]:
    """List a folder by the beginnings of its names: a.tif.ovr -> a, a.tif."""
    found: dict[str, list[str]] = {}
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as error:
        raise RasterReadError("cannot be read", where=folder, found=error.strerror) from None
    for name in names:
        start = name.lower()
        while "." in start[1:]:
            start = start.rpartition(".")[0]
            found.setdefault(start, []).append(name)
    return found


def _check_metadata(path: Path, driver: str) -> None:
    try:
        with unprinted(), rasterio.open(path, driver=driver) as dataset:
            refuse_linked_overviews(dataset, path)
    except (RasterioError, CPLE_BaseError, UnicodeError) as error:
        raise RasterReadError(
            "cannot be opened as a raster",
            where=path,
            found=error,
            expected="a raster without damage",
            remedy="copy or export it again",
        ) from None


def _refuse_other_than_tiff(path: Path) -> None:
    try:
        is_tiff = raster_driver(path) == TIFF
    except RasterReadError:
        is_tiff = False
    if not is_tiff:
        raise RasterReadError(
            "is not a file of overviews or of a mask",
            where=path,
            found="another format",
            expected="a TIFF, as GDAL writes it",
            remedy="delete it",
        )


def _endless(path: Path, found: str) -> RasterReadError:
    return RasterReadError(
        "VRT names itself or too many files",
        where=path,
        found=found,
        expected="a mosaic of raster files",
        remedy="build it again with gdalbuildvrt",
    )
