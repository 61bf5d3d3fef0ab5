"""The formats of rasters that are read, told by their first bytes.

GDAL reads many more, by content whatever the name; some of them fetch from the net or read other
files. A format that is not listed here is never opened.
"""

import re
from pathlib import Path

from grave_cli.errors import RasterReadError
from grave_cli.wording import quoted

FORMATS = "GeoTIFF, JPEG 2000, GeoPackage or VRT"

TIFF, JPEG_2000, GEOPACKAGE, VRT = "GTiff", "JP2OpenJPEG", "GPKG", "VRT"
"""GDAL's drivers for these formats."""

HEAD_BYTES = 4096
_MAGIC = {
    b"II*\0": TIFF,
    b"MM\0*": TIFF,
    b"II+\0": TIFF,
    b"MM\0+": TIFF,
    b"\0\0\0\x0cjP  \r\n\x87\n": JPEG_2000,
    b"\xff\x4f\xff\x51": JPEG_2000,
    b"SQLite format 3\0": GEOPACKAGE,
}
_VRT_TAG = re.compile(rb"<VRTDataset", re.IGNORECASE)


def raster_driver(path: Path) -> str:
    """Tell the driver for a raster by its first bytes.

    Raises:
        RasterReadError: It cannot be read, or is of a format that is not read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise RasterReadError("cannot be opened", where=path, found=error.strerror) from None
    # GDAL takes any file with this tag for a VRT.
    if _VRT_TAG.search(head):
        return VRT
    for magic, driver in _MAGIC.items():
        if head.startswith(magic):
            return driver
    raise RasterReadError(
        "cannot be opened as a raster",
        where=path,
        found="another format" if head else "an empty file",
        expected=FORMATS,
        remedy=f"copy it again, or `gdal_translate {quoted(path.name)} "
        f"{quoted(path.stem + '-copy.tif')}` converts it",
    )
