"""A layer in, a GeoJSON, FlatGeobuf or Shapefile out, written by GDAL."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import fiona
from fiona._err import CPLE_BaseError  # GDAL's complaints, in no public module of fiona 1.10
from fiona.errors import FionaError
from fiona.io import MemoryFile

from grave_cli.atomic_writes import whole_file
from grave_cli.delivery.layer import Column, Layer
from grave_cli.errors import ExportError

SHAPEFILE_ENDINGS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
SHAPEFILE_NAMES: Mapping[str, str] = {
    "cemetery_id": "cemetery",
    "azimuth_deg": "azimuth",
    "needs_review": "review",
    "review_rank": "rev_rank",
    "review_reason": "rev_reason",
}
"""Columns whose names are too long for a Shapefile, and their names there."""

_INDEXES = (".qix", ".sbn", ".sbx")  # made by other programs; of another Shapefile, they mislead
_LONGEST_NAME = 10
_LONGEST_TEXT = 254  # bytes
_MOST_DECIMALS = 9
_DEGREE_DECIMALS = 9  # 0.1 mm


def write_geojson(layer: Layer, path: Path) -> None:
    """Write a layer as GeoJSON (RFC 7946).

    Args:
        layer: The layer, in WGS 84.
        path: The file; an existing one is replaced.

    Raises:
        ExportError: It cannot be written.
    """
    options = {"RFC7946": "YES", "COORDINATE_PRECISION": _DEGREE_DECIMALS}
    _write_one(layer, path, ".geojson", "GeoJSON", layer.name, **options)


def write_flatgeobuf(layer: Layer, path: Path) -> None:
    """Write a layer as FlatGeobuf, with a spatial index.

    Args:
        layer: The layer.
        path: The file; an existing one is replaced.

    Raises:
        ExportError: It cannot be written.
    """
    _write_one(layer, path, ".fgb", "FlatGeobuf", layer.name)


def write_shapefile(layer: Layer, path: Path) -> None:
    """Write a layer as Shapefile: five files side by side, with text in UTF-8.

    Args:
        layer: The layer.
        path: The `.shp` file; existing files are replaced.

    Raises:
        ExportError: It cannot be written.
    """
    with _faults(path):
        # GDAL packs a .shz by itself, so that nothing is on the disk until all of it is there.
        packed = BytesIO(
            _bytes_of(_for_shapefile(layer.plain()), ".shz", "ESRI Shapefile", "layer")
        )
        parts = {Path(part).suffix: content for part, content in _unpacked(packed)}
    with ExitStack() as files:
        # The last one entered is renamed first: a program that has the .shp open on Windows stops
        # it before any other part is replaced.
        for ending in reversed(SHAPEFILE_ENDINGS):
            new = files.enter_context(whole_file(_part(path, ending)))
            new.write_bytes(parts[ending])
    for ending in _INDEXES:
        path.with_suffix(ending).unlink(missing_ok=True)


def shapefile_parts(path: Path) -> tuple[Path, ...]:
    """Return the files of a Shapefile, the `.shp` first."""
    return tuple(_part(path, ending) for ending in SHAPEFILE_ENDINGS)


def shapefile_names(names: Iterable[str]) -> dict[str, str]:
    """Return a name of at most ten letters for each column, all different.

    Args:
        names: Names of the columns.
    """
    short: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        wanted = SHAPEFILE_NAMES.get(name, name[:_LONGEST_NAME])
        found, count = wanted, 1
        while found.lower() in taken:
            count += 1
            found = f"{wanted[: _LONGEST_NAME - len(str(count)) - 1]}_{count}"
        taken.add(found.lower())
        short[name] = found
    return short


def long_names(names: Collection[str]) -> dict[str, str]:
    """Return the name that each column of a file has in a GeoPackage: a Shapefile shortens some.

    Args:
        names: Names of the columns of a file; those of other files stay as they are.
    """
    is_map = set(SHAPEFILE_NAMES.values()) <= set(names)
    long = {short: name for name, short in SHAPEFILE_NAMES.items()} if is_map else {}
    return {name: long.get(name, name) for name in names}


def _part(path: Path, ending: str) -> Path:
    return path if ending == ".shp" else path.with_suffix(ending)


def _for_shapefile(layer: Layer) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """Return schema and records with short names; yes and no are 1 and 0."""
    names = shapefile_names(layer.columns)
    records = [
        {
            **record,
            "properties": {names[name]: value for name, value in record["properties"].items()},
        }
        for record in layer.records()
    ]
    kinds = {
        names[name]: _dbf_kind(column, [record["properties"][names[name]] for record in records])
        for name, column in layer.columns.items()
    }
    schema = {**layer.schema(), "properties": kinds}
    return {"schema": schema, "crs_wkt": layer.crs, "encoding": "UTF-8"}, iter(records)


def _dbf_kind(column: Column, values: Sequence[Any]) -> str:
    """Return type and width of a column in the table of a Shapefile."""
    kind = column.kind
    if kind == "str":
        longest = max((len(value.encode()) for value in values if value), default=1)
        return f"str:{min(longest, _LONGEST_TEXT)}"
    if kind == "int":
        return "int32:9" if all(abs(value or 0) < 10**9 for value in values) else "int64:18"
    decimals = _MOST_DECIMALS if column.decimals is None else column.decimals
    return "int32:1" if kind == "bool" else f"float:18.{decimals}"


def _unpacked(packed: BytesIO) -> Iterator[tuple[str, bytes]]:
    with ZipFile(packed) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


def _write_one(
    layer: Layer, path: Path, ending: str, driver: str, name: str, **options: Any
) -> None:
    with _faults(path):
        layer = layer.plain()
        how = {"schema": layer.schema(), "crs_wkt": layer.crs, **options}
        content = _bytes_of((how, layer.records()), ending, driver, name)
    with whole_file(path) as new:
        new.write_bytes(content)


def _bytes_of(
    what: tuple[dict[str, Any], Iterator[dict[str, Any]]], ending: str, driver: str, name: str
) -> bytes:
    # In memory: on a full disk GDAL writes half a file and reports anything but that.
    how, records = what
    with MemoryFile(ext=ending) as memory:
        with fiona.open(memory.name, "w", driver=driver, layer=name, **how) as file:
            file.writerecords(records)
        return bytes(memory.read())


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except (FionaError, CPLE_BaseError) as error:
        raise ExportError(f"cannot be written: {error}", where=path) from None
