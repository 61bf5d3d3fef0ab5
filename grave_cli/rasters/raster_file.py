"""Raster files, opened so that every fault is one error that names the file."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import rasterio
from rasterio._err import CPLE_BaseError  # GDAL's complaints, in no public module of rasterio 1.4
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

import grave_cli.rasters.warning_filters  # noqa: F401 - sets them
from grave_cli.errors import RasterReadError
from grave_cli.rasters.gdal_messages import unprinted
from grave_cli.rasters.raster_check import check_raster, refuse_linked_overviews
from grave_cli.rasters.raster_formats import FORMATS, GEOPACKAGE, TIFF
from grave_cli.remote import find_remote, is_link, shown

_MOST_PIXELS = 4e11  # 6.3 km a side at 1 cm: more than any cemetery
READ_ERRORS = (RasterioError, CPLE_BaseError, UnicodeError)


@contextmanager
def open_raster(path: Path, **options: str) -> Iterator[DatasetReader]:
    """Open a raster; whatever GDAL cannot read in it while it is open is one error.

    Args:
        path: The file, of a format of `raster_formats.py`, or a link to a GeoTIFF on a server.
        options: Options of GDAL's driver. With OVERVIEW_LEVEL, GDAL looks for overviews at once:
            the file has been opened without it before.

    Raises:
        RasterReadError: The file is missing, is not a raster, is damaged, or would open other
            files than those of its folder; or it is a link, and remote data is not allowed.
    """
    name, driver = _place_of(path)
    try:
        with unprinted():
            dataset = rasterio.open(name, driver=driver, **options)
    except READ_ERRORS as error:
        raise _unopened(path, error, driver) from None
    # `with dataset` would enter an environment that only the same thread can leave.
    with closing(dataset):
        try:
            refuse_linked_overviews(dataset, path)
            _refuse_endless(dataset, path)
            yield dataset
        except READ_ERRORS as error:
            raise damaged_file(path, error) from None


def _place_of(path: Path) -> tuple[Path | str, str]:
    """Return the name by which GDAL opens a raster, and the only driver that may open it."""
    if is_link(path):
        return find_remote(path).gdal_name, TIFF
    driver = check_raster(path)
    return path.absolute(), driver  # from the root on, never taken for a connection string


def _unopened(path: Path, error: Exception, driver: str) -> RasterReadError:
    if is_link(path):
        return RasterReadError(
            "cannot be opened as a raster",
            where=path,
            found=shown(error, path),
            expected="a GeoTIFF on a server that gives ranges of files",
            remedy="check the address and the network",
        )
    is_vector = driver == GEOPACKAGE and "not recognized" in str(error)
    return RasterReadError(
        "cannot be opened as a raster",
        where=path,
        found="a GeoPackage without pixels" if is_vector else error,
        expected=FORMATS,
        remedy="name a raster" if is_vector else "copy or export it again",
    )


def _refuse_endless(dataset: DatasetReader, path: Path) -> None:
    """Refuse a raster that nobody could read to its end, even if most of it is empty."""
    if dataset.width * dataset.height > _MOST_PIXELS:
        raise RasterReadError(
            "raster is too large",
            where=path,
            found=f"{dataset.width} x {dataset.height} pixels",
            expected=f"at most {_MOST_PIXELS / 1e9:g} billion pixels",
            remedy="cut the cemetery out of it with `gdal_translate -projwin`",
        )


def damaged_file(path: Path, error: Exception) -> RasterReadError:
    """Make the error for a file whose pixels cannot all be read."""
    if is_link(path):
        return RasterReadError(
            "some of its pixels cannot be fetched",
            where=path,
            found=shown(error.__cause__ or error, path),
            expected="all of its pixels",
            remedy="try again, or check the file on the server",
        )
    return RasterReadError(
        "file is damaged",
        where=path,
        found=error.__cause__ or error,  # rasterio only says "See previous exception"
        expected="all of its pixels",
        remedy="copy or export it again",
    )


def refuse_complex(dataset: DatasetReader, path: Path) -> None:
    """Refuse complex numbers, of which GDAL would silently drop the imaginary part.

    Raises:
        RasterReadError: A band has complex numbers, as raw radar images do.
    """
    if any(dtype.startswith("complex") for dtype in dataset.dtypes):
        raise RasterReadError(
            "complex numbers are not read",
            where=path,
            found=", ".join(sorted(set(dataset.dtypes))),
            expected="real numbers",
            remedy="export the file again",
        )
