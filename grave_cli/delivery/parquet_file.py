"""A layer in, a GeoParquet file out."""

import json
from importlib.util import find_spec
from pathlib import Path

import shapely
from pyproj import CRS

from grave_cli.atomic_writes import whole_file
from grave_cli.delivery.layer import Layer
from grave_cli.errors import ExportError

_GEOMETRY = "geometry"


def check_parquet(path: Path) -> None:
    """Check that GeoParquet can be written here.

    Args:
        path: The file, named in the error.

    Raises:
        ExportError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise ExportError(
            "GeoParquet needs pyarrow, which is not installed",
            where=path,
            remedy="pip install pyarrow",
        )


def write_parquet(layer: Layer, path: Path) -> None:
    """Write a layer as GeoParquet.

    Args:
        layer: The layer.
        path: The file; an existing one is replaced.

    Raises:
        ExportError: It cannot be written.

    Source: https://geoparquet.org/releases/v1.1.0/
    """
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    layer = layer.plain()
    rows = list(layer.cells())
    columns = {
        name: pa.array([row[name] for row in rows], kinds[column.kind])
        for name, column in layer.columns.items()
    }
    outlines = layer.polygons()
    geometry = _GEOMETRY
    while geometry in columns:  # an office may have a column of this name
        geometry += "_"
    columns[geometry] = pa.array(shapely.to_wkb(outlines), pa.binary())
    about = {
        "encoding": "WKB",
        "geometry_types": [layer.geometry_type],
        "crs": CRS(layer.crs).to_json_dict(),
    }
    if len(outlines):
        about["bbox"] = shapely.total_bounds(outlines).tolist()
    geo = {"version": "1.1.0", "primary_column": geometry, "columns": {geometry: about}}
    table = pa.table(columns).replace_schema_metadata({"geo": json.dumps(geo)})
    with whole_file(path) as new:
        parquet.write_table(table, new)
