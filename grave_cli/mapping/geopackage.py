"""Graves in, a GeoPackage out: written whole or not at all."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import shapely
from fiona._err import CPLE_BaseError  # GDAL's complaints, in no public module of fiona 1.10
from fiona.errors import FionaError
from fiona.io import MemoryFile
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from grave_cli.atomic_writes import whole_file
from grave_cli.errors import ExportError, GridError
from grave_cli.mapping.geopackage_seal import (
    refuse_open_geopackage,
    remove_sidecars,
    seal_geopackage,
)
from grave_cli.mapping.result import PredictionResult
from grave_cli.mapping.row_record import PROVENANCE
from grave_cli.rasters.georeference import mover
from grave_cli.rasters.grid import WorkingGrid

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
_ROUND_TRIP_M = 0.01  # a valid transformation comes back within a fraction of this
_NEAR_DEGREES = 10.0  # neighbouring zones and countries are used on purpose
_DECIMALS = {"confidence": 3, "azimuth_deg": 1}


def write_geopackage(result: PredictionResult, path: Path, crs: str | None = None) -> None:
    """Write the graves of a cemetery.

    Layers: `graves` (outline and attributes), `graves_raw` (the outline before it was regularised,
    same grave_id), `coverage` (footprint of the valid imagery), and the table `gravecli_provenance`
    (key, value), which also seals the content: `geopackage_seal.why_keep_map` tells by the seal
    whether somebody has changed the file.

    Args:
        result: The graves.
        path: The file; an existing one is replaced.
        crs: CRS of the file; None keeps the orthophoto's.

    Raises:
        ExportError: It cannot be written, or another program has it open; an existing file is
            untouched.
    """
    refuse_open_geopackage(path)
    with whole_file(path) as new:
        try:
            # In memory: on a full disk GDAL writes half a database and reports anything but that.
            with MemoryFile(ext=".gpkg") as memory:
                _write_layers(result, memory.name, crs or result.source_crs)
                new.write_bytes(memory.read())
            seal_geopackage(new)
        except (FionaError, CPLE_BaseError, sqlite3.Error) as error:
            raise ExportError(f"cannot be written: {error}", where=path) from None
        refuse_open_geopackage(path)  # QGIS may have opened it meanwhile
        remove_sidecars(path)


def check_reach(grid: WorkingGrid, crs: str) -> None:
    """Check that a CRS has coordinates for a place, before its graves are mapped.

    Args:
        grid: The working grid.
        crs: CRS of the GeoPackage.

    Raises:
        GridError: The place has no coordinates in this CRS, or is far outside of its region.
    """
    if not (_returns(grid, crs) and _is_near(grid, CRS(crs))):
        raise GridError(
            "this CRS is not for the place of the orthophoto",
            where="--crs",
            found=CRS(crs).name,
            expected="a CRS of this region",
            remedy="without --crs, the CRS of the orthophoto is used",
        )


def _returns(grid: WorkingGrid, crs: str) -> bool:
    """Move the grid's corners to a CRS and back: do they return to their place?"""
    corners = np.array(shapely.box(*grid.bounds).exterior.coords).T
    try:
        there = Transformer.from_crs(grid.crs, crs, always_xy=True).transform(*corners)
        back = Transformer.from_crs(crs, grid.crs, always_xy=True).transform(*there)
    except ProjError:
        return False
    distances_m = np.hypot(*(np.array(back) - corners)) * grid.metres_per_unit
    return bool((distances_m < _ROUND_TRIP_M).all())


def _is_near(grid: WorkingGrid, crs: CRS) -> bool:
    """Tell whether a grid lies within some degrees of the region that a CRS is made for."""
    region = crs.area_of_use
    if region is None:
        return True
    centre = shapely.box(*grid.bounds).centroid
    place = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = place.transform(centre.x, centre.y)
    width = (region.east - region.west) % 360 or 360  # a region may lie across the antimeridian
    east_of_it = (longitude - region.west) % 360
    beside = 0 if east_of_it <= width else min(east_of_it - width, 360 - east_of_it)
    above = max(region.south - latitude, latitude - region.north, 0)
    return bool(max(beside, above) < _NEAR_DEGREES)


def _write_layers(result: PredictionResult, path: str, crs: str) -> None:
    left, bottom, right, top = result.grid.bounds
    move = mover(result.crs, crs, ((left + right) / 2, (bottom + top) / 2))

    def moved(polygons: np.ndarray) -> np.ndarray:
        if crs == result.crs:
            return polygons
        return np.asarray(shapely.transform(polygons, move, interleaved=False))

    ids = [{"grave_id": row["grave_id"]} for row in result.attributes]
    graves = zip(moved(result.polygons), result.attributes, strict=True)
    raw = zip(moved(result.raw_polygons), ids, strict=True)
    _write(path, "graves", crs, _GRAVE_COLUMNS, graves)
    _write(path, "graves_raw", crs, {"grave_id": "str"}, raw)
    (footprint,) = moved(np.array([result.coverage], dtype=object))
    cemetery = {"cemetery_id": result.cemetery}
    _write(path, "coverage", crs, {"cemetery_id": "str"}, [(footprint, cemetery)])
    rows = ({"key": key, "value": str(value)} for key, value in result.provenance.items())
    _write(path, PROVENANCE, None, {"key": "str", "value": "str"}, ((None, row) for row in rows))


def _write(
    path: str,
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
