"""Graves in, a GeoPackage out: written whole or not at all."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import shapely
from fiona.errors import FionaError
from pyproj import Transformer

from grave_cli.atomic_writes import whole_file
from grave_cli.errors import ExportError
from grave_cli.mapping.result import PredictionResult

_GRAVE_COLUMNS = {
    "grave_id": "str",
    "cemetery_id": "str",
    "field": "int",
    "row": "int",
    "number": "int",
    "confidence": "float",
    "area_m2": "float",
    "length_m": "float",
    "width_m": "float",
    "azimuth_deg": "float",
    "height_m": "float",
    "shape": "str",
    "flags": "str",
    "needs_review": "bool",
}
_DECIMALS = {"confidence": 3, "azimuth_deg": 1}
_TABLE = "gravecli_provenance"
_LOGS = ("-wal", "-shm", "-journal")  # SQLite's files beside a database that is open


def write_geopackage(result: PredictionResult, path: Path, crs: str | None = None) -> None:
    """Write the graves of a cemetery.

    Layers: `graves` (outline and attributes), `graves_raw` (the outline before it was regularised,
    same grave_id), `coverage` (footprint of the valid imagery), and the table `gravecli_provenance`
    (key, value).

    Args:
        result: The graves.
        path: The file; an existing one is replaced.
        crs: CRS of the file; None keeps the orthophoto's.

    Raises:
        ExportError: It cannot be written; an existing file is untouched.
    """
    with whole_file(path) as new:
        try:
            _write_layers(result, new, crs or result.source_crs)
        except FionaError as error:
            raise ExportError(f"cannot be written: {error}", where=path) from None
        # If QGIS has the old file open, SQLite would play its log into the new file.
        place = path.resolve()
        for suffix in _LOGS:
            place.with_name(place.name + suffix).unlink(missing_ok=True)


def _write_layers(result: PredictionResult, path: Path, crs: str) -> None:
    to_target = Transformer.from_crs(result.crs, crs, always_xy=True)

    def moved(polygons: np.ndarray) -> np.ndarray:
        if crs == result.crs:
            return polygons
        return np.asarray(shapely.transform(polygons, to_target.transform, interleaved=False))

    ids = [{"grave_id": row["grave_id"]} for row in result.attributes]
    graves = zip(moved(result.polygons), result.attributes, strict=True)
    raw = zip(moved(result.raw_polygons), ids, strict=True)
    _write(path, "graves", crs, _GRAVE_COLUMNS, graves)
    _write(path, "graves_raw", crs, {"grave_id": "str"}, raw)
    (footprint,) = moved(np.array([result.coverage], dtype=object))
    cemetery = {"cemetery_id": result.cemetery}
    _write(path, "coverage", crs, {"cemetery_id": "str"}, [(footprint, cemetery)])
    rows = ({"key": key, "value": str(value)} for key, value in result.provenance.items())
    _write(path, _TABLE, None, {"key": "str", "value": "str"}, ((None, row) for row in rows))


def _write(
    path: Path,
    layer: str,
    crs: str | None,
    columns: Mapping[str, str],
    rows: Iterable[tuple[shapely.Geometry | None, Mapping[str, Any]]],
) -> None:
    kind = "None" if crs is None else "MultiPolygon" if layer == "coverage" else "Polygon"
    schema = {"geometry": kind, "properties": dict(columns)}
    with fiona.open(path, "w", driver="GPKG", layer=layer, crs_wkt=crs, schema=schema) as file:
        file.writerecords(_records(rows, columns))


def _records(
    rows: Iterable[tuple[shapely.Geometry | None, Mapping[str, Any]]], columns: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    for geometry, row in rows:
        yield {
            "geometry": None if geometry is None else shapely.geometry.mapping(geometry),
            "properties": {name: _cell(name, row[name]) for name in columns},
        }


def _cell(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return round(value, _DECIMALS.get(name, 3)) if np.isfinite(value) else None
