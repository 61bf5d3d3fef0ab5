"""Vector files in, the features of one layer out, flat and in the wanted CRS."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import shapely
from fiona._err import CPLE_BaseError  # GDAL's complaints, in no public module of fiona 1.10
from fiona.errors import FionaError
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.crs import LONLAT, transformer
from grave_cli.rasters.datum_shift import shift_note
from grave_cli.rasters.world_files import read_prj
from grave_cli.vectors.impossible_dates import impossible_dates, left_out_note
from grave_cli.vectors.layer_choice import LayerChoice as LayerChoice  # re-exported
from grave_cli.vectors.layer_choice import find_layer
from grave_cli.vectors.layers import LayerSchema, open_layer, ready_to_read
from grave_cli.vectors.on_earth import on_earth
from grave_cli.vectors.outline_bounds import refuse_endless_outlines
from grave_cli.vectors.shapefile_parts import deleted_rows, sibling
from grave_cli.vectors.vector_files import VectorFile, reading
from grave_cli.wording import counted

GRAVE_LAYER = "graves"
Bounds = tuple[float, float, float, float]

_LISTED = 30  # columns named in an error


@dataclass(frozen=True)
class Features:
    """The features of one layer.

    Args:
        geometries: One per feature, of any type; None without a readable one. They can be invalid,
            have several parts, and have infinite coordinates outside the domain of the CRS.
        crs: Their CRS, as WKT or authority code.
        columns: Names of all columns of the layer.
        values: One value per feature for each requested column that exists; None where empty.
        types: fiona's type of each column of the layer ("str:80", "int32", "date").
        unreadable: Features whose geometry cannot be read, or is missing while GDAL complained.
        notes: Notes for the surveyor, one line each.
    """

    geometries: Polygons
    crs: str
    columns: tuple[str, ...]
    values: Mapping[str, NDArray[np.object_]]
    types: Mapping[str, str] = field(default_factory=dict)
    unreadable: int = 0
    notes: tuple[str, ...] = ()


def read_geometries(
    path: Path, crs: str, choice: LayerChoice | None = None, bounds: Bounds | None = None
) -> Polygons:
    """Read the geometries of one layer, as `read_features` does."""
    return read_features(path, crs, choice, bounds).geometries


def read_features(
    path: Path,
    crs: str | None,
    choice: LayerChoice | None = None,
    bounds: Bounds | None = None,
    columns: Collection[str] | None = (),
) -> Features:
    """Read the features of one layer.

    Curves become lines, heights (Z) are dropped. Of all columns, those with dates that do not exist
    are left out, with a note.

    Args:
        path: A file of one of the formats of `vector_files.py`.
        crs: Target CRS, as WKT or authority code; None keeps that of the layer.
        choice: Layer and condition.
        bounds: Read only features that touch (left, bottom, right, top), in `crs`; None reads all.
        columns: Columns to read, if they exist; None reads all.

    Raises:
        DatasetError: The file cannot be read, the layer is ambiguous, it has no CRS, or the
            condition is invalid or selects no feature.
    """
    choice = choice or LayerChoice()
    try:
        return _read(path, crs, choice, bounds, columns)
    except DatasetError:
        left_out = _impossible_dates(path, choice) if columns is None else ()
        if not left_out:
            raise
    kept = _read(path, crs, choice, bounds, columns, left_out)
    return replace(kept, notes=(*kept.notes, left_out_note(path, left_out)))


def _read(
    path: Path,
    crs: str | None,
    choice: LayerChoice,
    bounds: Bounds | None,
    columns: Collection[str] | None,
    left_out: Collection[str] = (),
) -> Features:
    with ready_to_read(path) as file, reading(path) as complaints:
        found = find_layer(path, file, choice).without(left_out)
        columns = found.columns if columns is None else columns
        wanted = _wanted(file, found, columns, choice.condition)
        with open_layer(file, layer=found.name, include_fields=wanted) as layer:
            source = _source_crs(path, layer)
            target = crs or source
            box = None if bounds is None else _bounds_in(bounds, target, source)
            features = _read_layer(path, layer, found, choice.condition, box)
            if box is None and not choice.condition:
                _refuse_lost(path, file.driver, layer, len(features))
        if not features and choice.condition and bounds is None:
            raise _condition_error("no feature meets the condition", path, found, choice.condition)
    drawn = shapely.force_2d(_objects(shape_of(feature.geometry) for feature in features))
    refuse_endless_outlines(drawn, path)
    flat = on_earth(drawn, source, path)
    to_target = transformer(source, target)
    return Features(
        np.asarray(shapely.transform(flat, to_target.transform, interleaved=False)),
        target,
        found.columns,
        {
            name: _objects(feature.properties[name] for feature in features)
            for name in found.columns
            if name in columns
        },
        types=found.types,
        unreadable=_count_unreadable(features, flat, bool(complaints.lines)),
        notes=_shift_notes(flat, source, target, path),
    )


def _impossible_dates(path: Path, choice: LayerChoice) -> tuple[str, ...]:
    with ready_to_read(path) as file, reading(path):
        return impossible_dates(file, find_layer(path, file, choice))


def _wanted(
    file: VectorFile, layer: LayerSchema, columns: Collection[str], condition: str
) -> list[str] | None:
    """Name the columns that must be read: an impossible date in another one does not matter."""
    if not file.can_skip_columns:
        return None
    used = "" if file.driver == "GPKG" else condition.lower()  # SQLite evaluates it by itself
    return [name for name in layer.columns if name in columns or name.lower() in used]


def _refuse_lost(path: Path, driver: str, layer: fiona.Collection, read: int) -> None:
    """Refuse a file of which GDAL reads only a part, with a message that nobody sees."""
    try:
        count = len(layer)
    except TypeError:  # the driver cannot count
        return
    if driver == "ESRI Shapefile":
        count -= deleted_rows(path)
    if read < count:
        raise DatasetError(
            "file is damaged",
            where=path,
            found=f"{read} of {counted(count, 'feature')}",
            expected="all of them",
            remedy="copy or export it again",
        )


def _count_unreadable(features: list[fiona.Feature], shapes: Polygons, complained: bool) -> int:
    """Count the geometries that are lost; a feature may have none on purpose."""
    missing = shapely.is_missing(shapes)
    if complained:
        return int(missing.sum())
    drawn = (feature.geometry is not None for feature in features)
    return sum(lost and there for lost, there in zip(missing.tolist(), drawn, strict=True))


def _shift_notes(shapes: Polygons, source: str, target: str, path: Path) -> tuple[str, ...]:
    points = shapely.get_coordinates(shapes)
    points = points[np.isfinite(points).all(axis=1)]
    if source == target or not len(points):
        return ()
    x, y = np.median(points, axis=0)
    note = shift_note(source, target, (float(x), float(y)), path)
    return (note,) if note else ()


def _source_crs(path: Path, layer: fiona.Collection) -> str:
    wkt = str(layer.crs_wkt)
    beside = None if wkt else sibling(path, ".prj")
    if beside is not None:
        wkt = read_prj(beside)
    if not wkt:
        raise DatasetError(
            "vector file has no CRS",
            where=path,
            remedy="set it in QGIS (Layer > Set CRS) and export it as GeoPackage, or add its .prj "
            "file",
        )
    try:
        parsed = CRS.from_wkt(wkt)
        Transformer.from_crs(parsed, LONLAT)
    except ProjError:
        raise DatasetError(
            "CRS has no known place on Earth",
            where=path,
            found=" ".join(wkt.split())[:60],
            expected="a projected or geographic CRS",
            remedy="set it in QGIS (Layer > Set CRS)",
        ) from None
    return wkt


def _bounds_in(bounds: Bounds, crs: str, target: str) -> Bounds | None:
    """Transform bounds to another CRS; None if they have no finite bounds there."""
    moved = Transformer.from_crs(crs, target, always_xy=True).transform_bounds(*bounds)
    return moved if all(math.isfinite(value) for value in moved) else None


def _read_layer(
    path: Path, layer: fiona.Collection, found: LayerSchema, condition: str, box: Bounds | None
) -> list[fiona.Feature]:
    try:
        return list(layer.filter(bbox=box, where=condition or None))
    except (FionaError, CPLE_BaseError) as error:
        if not condition:
            raise
        what = f"condition is invalid: {error.__cause__ or error}"
        raise _condition_error(what, path, found, condition) from None


def _objects(values: Iterable[Any]) -> NDArray[np.object_]:
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array


def shape_of(geometry: fiona.Geometry | None) -> shapely.Geometry | None:
    """Return a geometry that was read; None for none, or a damaged one."""
    try:
        return None if geometry is None else shapely.geometry.shape(geometry)
    except (ValueError, shapely.errors.GEOSException):  # a ring of two points, or not of numbers
        return None


def _condition_error(what: str, path: Path, layer: LayerSchema, condition: str) -> DatasetError:
    shown = layer.columns[:_LISTED]
    columns = ", ".join([*shown, "…"] if len(shown) < len(layer.columns) else shown) or "none"
    return DatasetError(
        what,
        where=path,
        found=condition,
        expected=f"a condition on the columns of layer {layer.name}: {columns}",
        remedy="correct data.annotation_filter",
    )
