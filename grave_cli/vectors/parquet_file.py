"""GeoParquet in, the same features as FlatGeobuf in memory out.

Source: https://geoparquet.org/releases/v1.1.0/
"""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiona
import shapely
from pyproj import CRS

from grave_cli.errors import DatasetError

if TYPE_CHECKING:
    import pyarrow as pa

_LAYER = "graves"
_MOST_ROWS = 10_000_000
_LARGEST = 2**63 - 1  # of a whole number; larger ones become text
_REMEDY = "export it as GeoPackage (QGIS: Export > Save Features As)"


def as_flatgeobuf(path: Path) -> bytes:
    """Convert a GeoParquet file, so that GDAL can read it.

    Columns of other types than text, numbers and truth values become text.

    Args:
        path: The file.

    Raises:
        DatasetError: pyarrow is missing, or the file is damaged or holds no geometries as WKB.
    """
    if find_spec("pyarrow") is None:
        raise DatasetError(
            "GeoParquet needs pyarrow, which is not installed",
            where=path,
            remedy=f"pip install pyarrow, or {_REMEDY}",
        )
    import pyarrow as pa
    from pyarrow import parquet

    try:
        size = parquet.read_metadata(path).num_rows
        if size > _MOST_ROWS:
            raise _refused(path, f"{size} rows", f"at most {_MOST_ROWS}")
        table = parquet.read_table(path)
        name, about = _geometry_column(path, table)
        shapes = shapely.from_wkb(table[name].to_pylist())
    except (pa.ArrowException, OSError, shapely.errors.GEOSException, TypeError) as error:
        raise _refused(path, str(error).splitlines()[0], "a whole file") from None
    table = table.drop_columns([name])
    columns = [column for column in table.column_names if column != "bbox"]
    kinds = {column: _kind(table[column]) for column in columns}
    schema = {"geometry": "Unknown", "properties": kinds}
    with fiona.MemoryFile(ext=".fgb") as memory:
        # An index would change the order of the features.
        how = {"driver": "FlatGeobuf", "schema": schema, "layer": _LAYER, "SPATIAL_INDEX": "NO"}
        with memory.open(**how, **_crs(about)) as layer:
            layer.writerecords(
                {
                    "geometry": None if shape is None else shapely.geometry.mapping(shape),
                    "properties": {
                        column: _value(row[column], kind) for column, kind in kinds.items()
                    },
                }
                for shape, row in zip(shapes, table.to_pylist(), strict=True)
            )
        memory.seek(0)
        return bytes(memory.read())


def _geometry_column(path: Path, table: "pa.Table") -> tuple[str, dict[str, Any]]:
    try:
        geo = json.loads((table.schema.metadata or {})[b"geo"])
        name = str(geo["primary_column"])
        about = dict(geo["columns"][name])
    except (KeyError, ValueError, TypeError):
        raise _refused(path, "a table without geometries", "GeoParquet") from None
    if about.get("encoding") != "WKB" or name not in table.column_names:
        raise _refused(path, f"geometries as {about.get('encoding')}", "geometries as WKB")
    return name, about


def _crs(about: dict[str, Any]) -> dict[str, str]:
    """Return the CRS for fiona: longitude and latitude if none is named, none if it is null."""
    named = about.get("crs", "OGC:CRS84")
    return {} if named is None else {"crs_wkt": CRS.from_user_input(named).to_wkt()}


def _kind(column: "pa.ChunkedArray") -> str:
    import pyarrow.compute as compute
    import pyarrow.types as types

    arrow = column.type
    if types.is_uint64(arrow) and (compute.max(column).as_py() or 0) > _LARGEST:
        return "str"
    if types.is_boolean(arrow):
        return "bool"
    if types.is_integer(arrow):
        return "int64"
    if types.is_floating(arrow):
        return "float"
    return "str"


def _value(value: Any, kind: str) -> Any:
    return str(value) if kind == "str" and value is not None else value


def _refused(path: Path, found: str, expected: str) -> DatasetError:
    return DatasetError(
        "GeoParquet cannot be read", where=path, found=found, expected=expected, remedy=_REMEDY
    )
