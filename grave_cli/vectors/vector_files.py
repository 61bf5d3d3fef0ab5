"""Vector files, told by their first bytes and opened so that every fault is one error.

The formats that are read safely are listed here; GDAL reads many more, some of which follow links
into other files or into the net.
"""

import codecs
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fiona._err import CPLE_BaseError  # GDAL's complaints, in no public module of fiona 1.10
from fiona.errors import FionaError
from pyproj.exceptions import ProjError

from grave_cli.errors import DatasetError
from grave_cli.rasters.gdal_messages import check_name, unprinted
from grave_cli.rasters.geopackage_check import check_geopackage
from grave_cli.rasters.geopackage_edits import with_edits
from grave_cli.regular_files import check_regular
from grave_cli.vectors.geojson_crs import refuse_linked_crs
from grave_cli.vectors.other_json import other_json
from grave_cli.vectors.shapefile_parts import check_shapefile, table_encoding
from grave_cli.vectors.text_ends import refuse_cut_text

_ERRORS = (
    *(FionaError, CPLE_BaseError, ProjError, OSError, ValueError),
    RecursionError,  # deep JSON
    UnboundLocalError,  # fiona 1.10 on a .prj file of garbage
    SystemError,  # fiona 1.10 on messages of GDAL that quote text that is no UTF-8
)
FORMATS = (
    "GeoPackage, GeoJSON, Shapefile, FlatGeobuf, GeoParquet, KML, GML, DXF or File Geodatabase"
)
PARQUET = "Parquet"

_HEAD_BYTES = 4096
_OPTIONS: dict[str, dict[str, Any]] = {
    # By itself, GDAL writes a .gfs file beside a GML file, and may fetch its schema.
    "GML": {"WRITE_GFS": "NO", "DOWNLOAD_SCHEMA": "NO"},
    "GeoJSON": {"DATE_AS_STRING": "YES"},  # as dates, impossible ones could not be read
}
_OTHER_FORMATS = {
    b"PK\x03\x04": ("a zip archive", "unpack it and name the file in it"),
    b"II*\0": ("a raster", "name a file of outlines"),
    b"MM\0*": ("a raster", "name a file of outlines"),
    b"II+\0": ("a raster", "name a file of outlines"),
    b"%PDF": ("PDF", "export it as GeoPackage (QGIS: Export > Save Features As)"),
    b"AC10": ("DWG", "save it as DXF, or import it in QGIS and export it as GeoPackage"),
}


@dataclass(frozen=True)
class VectorFile:
    """A vector file of a format that is read.

    Args:
        path: The file, or the folder of a File Geodatabase.
        driver: Name of GDAL's driver.
        options: Options to open it with.
    """

    path: Path
    driver: str
    options: dict[str, Any]

    @property
    def can_skip_columns(self) -> bool:
        """Whether columns can be left unread."""
        return self.driver in ("GPKG", "ESRI Shapefile", "FlatGeobuf", "OpenFileGDB")


@dataclass
class Complaints:
    """Messages of GDAL while a file was read, which says little of their gravity."""

    lines: list[str] = field(default_factory=list)


def identify(path: Path) -> VectorFile:
    """Tell the format of a vector file, and check that its parts are whole.

    Raises:
        DatasetError: It is missing, incomplete or cut short, or of a format that is not read.
    """
    check_name(path, DatasetError)
    if path.suffix.lower() == ".gdb" and path.is_dir():
        with reading(path):
            _check_parts(path.iterdir(), path)
        return VectorFile(path, "OpenFileGDB", {})
    check_regular(path, DatasetError, "a vector file")
    start = f"{path.stem}.".lower()
    with reading(path):
        beside = path.absolute().parent.iterdir()
        _check_parts((part for part in beside if part.name.lower().startswith(start)), path)
    if path.suffix.lower() == ".shp":
        check_shapefile(path)
        encoding = table_encoding(path)
        return VectorFile(path, "ESRI Shapefile", {"encoding": encoding} if encoding else {})
    with reading(path), path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(0)
        lines = file.readline(), file.readline()
    driver = _driver(head, path.suffix.lower())
    if driver == "GeoJSON" and lines[0].rstrip().endswith(b"}") and lines[1].startswith(b"{"):
        driver = "GeoJSONSeq"  # the other driver would read the first line alone
    if driver is None or (driver == "GeoJSON" and other_json(head) is not None):
        raise _not_read(path, head)
    if driver == "GPKG":
        with with_edits(path, DatasetError) as whole:
            check_geopackage(whole, DatasetError, path)
    with reading(path):
        if driver in ("GeoJSON", "GeoJSONSeq"):
            refuse_linked_crs(path, by_line=driver == "GeoJSONSeq")
        refuse_cut_text(path, driver)
    return VectorFile(path, driver, _OPTIONS.get(driver, {}))


@contextmanager
def reading(path: Path) -> Iterator[Complaints]:
    """Turn errors of GDAL, fiona and pyproj into one line, and keep their messages to itself.

    Args:
        path: The file, named in the error.

    Raises:
        DatasetError: The file cannot be read.
    """
    complaints = Complaints()
    try:
        with _listening(complaints):
            yield complaints
    except _ERRORS as error:
        reason = error.__cause__ or error
        raise DatasetError(
            f"cannot be read as a vector file: {reason}",
            where=path,
            expected=f"an undamaged file of {FORMATS}",
            remedy="copy or export it again",
        ) from None


class _Listener(logging.Handler):
    def __init__(self, complaints: Complaints) -> None:
        super().__init__(logging.WARNING)
        self._complaints = complaints

    def emit(self, record: logging.LogRecord) -> None:
        self._complaints.lines.append(record.getMessage())


@contextmanager
def _listening(complaints: Complaints) -> Iterator[None]:
    """Collect what fiona logs of GDAL's messages instead of printing it."""
    logger, listener = logging.getLogger("fiona"), _Listener(complaints)
    with unprinted() as caught:
        propagate = logger.propagate
        logger.addHandler(listener)
        logger.propagate = False
        try:
            yield
        finally:
            complaints.lines += caught
            logger.propagate = propagate
            logger.removeHandler(listener)


def _driver(head: bytes, suffix: str) -> str | None:
    text = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if head.startswith(b"SQLite format 3\0"):
        return "GPKG"
    if head.startswith(b"fgb"):
        return "FlatGeobuf"
    if head.startswith(b"PAR1"):
        return PARQUET
    if text.startswith(b"{"):
        return "GeoJSON"
    if text.startswith(b"<") and b"OGRVRTDataSource" not in head:
        if re.search(rb"<(\w+:)?kml[\s>]", head):
            return "KML"
        return "GML" if suffix == ".gml" or b"opengis.net/gml" in head else None
    return "DXF" if suffix == ".dxf" else None


def _not_read(path: Path, head: bytes) -> DatasetError:
    ending = f"a file ending in {path.suffix}" if path.suffix else "a file without an ending"
    unknown = (ending, "export it as GeoPackage (QGIS: Export > Save Features As)")
    known = (what for magic, what in _OTHER_FORMATS.items() if head.startswith(magic))
    name, remedy = other_json(head) or next(known, unknown)
    return DatasetError(
        "cannot be read as a vector file",
        where=path,
        found=name if head else "an empty file",
        expected=FORMATS,
        remedy=remedy,
    )


def _check_parts(parts: Iterable[Path], path: Path) -> None:
    """Refuse pipes and devices among the files that belong to another, such as .prj and .dbf."""
    for part in parts:
        if part.exists() and not part.is_dir():
            check_regular(part, DatasetError, f"a part of {path.name}")
