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
from grave_cli.rasters.gdal_messages import check_name, unprinted

READ_ERRORS = (RasterioError, CPLE_BaseError, UnicodeError)


@contextmanager
def open_raster(path: Path, **options: str) -> Iterator[DatasetReader]:
    """Open a raster; whatever GDAL cannot read in it while it is open is one error.

    Args:
        path: The file.
        options: Options of GDAL's driver.

    Raises:
        RasterReadError: The file is missing, is not a raster, or is damaged.
    """
    if not path.exists():
        raise RasterReadError(
            "file is missing",
            where=path,
            found="nothing",
            expected="a raster",
            remedy="check the name and the folder",
        )
    check_name(path, RasterReadError)
    try:
        with unprinted():
            dataset = rasterio.open(path, **options)
    except READ_ERRORS as error:
        raise RasterReadError(
            "cannot be opened as a raster",
            where=path,
            found=error,
            expected="GeoTIFF or another raster that GDAL reads",
            remedy="copy or export it again",
        ) from None
    # `with dataset` would enter an environment that only the same thread can leave.
    with closing(dataset):
        try:
            yield dataset
        except READ_ERRORS as error:
            raise damaged_file(path, error) from None


def damaged_file(path: Path, error: Exception) -> RasterReadError:
    """Make the error for a file whose pixels cannot all be read."""
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
