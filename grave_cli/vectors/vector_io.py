"""Vector files in, the features of one layer out, flat and in the wanted CRS."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
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

GRAVE_LAYER = "graves"
Bounds = tuple[float, float, float, float]

_POLYGONAL = ("Polygon", "MultiPolygon", "CurvePolygon", "MultiSurface", "Surface")
_MIXED = ("Unknown", "GeometryCollection")
_LINEAR = (
    "LineString",
    "MultiLineString",
    "CompoundCurve",
    "MultiCurve",
    "Curve",
    "CircularString",
)


@dataclass(frozen=True)
class LayerChoice:
    """The choice of a layer and its features in a vector file.

    Without a name, the only polygon layer is chosen, or the preferred one of several. In a file
    without polygons it is the only layer of mixed or unknown geometry, or else the only line layer
    (outlines from CAD).

    Args:
        name: Name of the layer; empty: chosen as described above.
        condition: SQL condition on the columns, as after WHERE; empty: all features.
        preferred: Name of the layer that is chosen if several qualify.
        besides: Name of a layer that does not qualify; empty: none.
        named_with: Option by which a user names the layer, for error messages.
    """

    name: str = ""
    condition: str = ""
    preferred: str = ""
    besides: str = ""
    named_with: str = "--set data.annotation_layer"


@dataclass(frozen=True)
class Features:
    """The features of one layer.

    Args:
        geometries: One per feature, of any type; None without a readable one. They can be invalid,
            have several parts, and have infinite coordinates outside the domain of the CRS.
        crs: Their CRS, as WKT or authority code.
        columns: Names of all columns of the layer.
        values: One value per feature for each requested column that exists; None where empty.
    """

    geometries: Polygons
    crs: str
    columns: tuple[str, ...]
    values: Mapping[str, NDArray[np.object_]]


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
    columns: Collection[str] = (),
) -> Features:
    """Read the features of one layer.

    Curves become lines, heights (Z) are dropped.

    Args:
        path: GeoPackage, GeoJSON, Shapefile or FlatGeobuf.
        crs: Target CRS, as WKT or authority code; None keeps that of the layer.
        choice: Layer and condition.
        bounds: Read only features that touch (left, bottom, right, top), in `crs`; None reads all.
        columns: Columns to read, if they exist.

    Raises:
        DatasetError: The file cannot be read, the layer is ambiguous, it has no CRS, or the
            condition is invalid or selects no feature.
    """
    choice = choice or LayerChoice()
    _check_files(path)
    with _one_line(path), fiona.open(path, layer=_find_layer(path, choice)) as layer:
        source = _source_crs(path, layer)
        target = crs or source
        box = None if bounds is None else _bounds_in(bounds, target, source)
        names = tuple(layer.schema["properties"])
        features = _read_layer(path, layer, choice.condition, box)
        if not features and choice.condition and bounds is None:
            raise _condition_error("no feature meets the condition", path, layer, choice.condition)
    flat = shapely.force_2d(_objects(_shape(feature.geometry) for feature in features))
    to_target = Transformer.from_crs(source, target, always_xy=True)
    return Features(
        np.asarray(shapely.transform(flat, to_target.transform, interleaved=False)),
        target,
        names,
        {
            name: _objects(feature.properties[name] for feature in features)
            for name in names
            if name in columns
        },
    )


def _check_files(path: Path) -> None:
    if not path.is_file():
        raise DatasetError("file is missing", where=path)
    if path.suffix.lower() == ".shp" and not _sibling(path, ".shx"):
        raise DatasetError(
            "a file of the Shapefile is missing",
            where=path,
            found="no .shx",
            expected=".shp, .shx, .dbf and .prj side by side",
            remedy="copy all of them",
        )


def _sibling(path: Path, suffix: str) -> bool:
    return any(path.with_suffix(ending).is_file() for ending in (suffix, suffix.upper()))


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn errors of GDAL, fiona and pyproj into one line that names the file."""
    try:
        yield
    except (FionaError, CPLE_BaseError, OSError, UnicodeError) as error:
        reason = error.__cause__ or error
        raise DatasetError(f"cannot be read as a vector file: {reason}", where=path) from None


def _find_layer(path: Path, choice: LayerChoice) -> str:
    kinds: dict[str, str] = {}
    for name in fiona.listlayers(path):
        with fiona.open(path, layer=name) as layer:
            kinds[name] = layer.schema["geometry"].removeprefix("3D ").removeprefix("Measured ")
    if choice.name:
        return _named_layer(path, choice.name, kinds)
    for family in (_POLYGONAL, _MIXED, _LINEAR):
        fitting = [name for name in kinds if kinds[name] in family and name != choice.besides]
        if choice.preferred in fitting:
            return choice.preferred
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise DatasetError(
                "layer is ambiguous",
                where=path,
                found=f"{len(fitting)} layers: {', '.join(fitting)}",
                expected="one layer, or its name",
                remedy=f"name it with {choice.named_with}=NAME",
            )
    raise DatasetError(
        "no polygon layer",
        where=path,
        found=_listing(kinds) or "no layers",
        expected="polygons, or closed lines",
    )


def _named_layer(path: Path, name: str, kinds: dict[str, str]) -> str:
    if name in kinds:
        return name
    raise DatasetError(
        "layer is missing", where=path, found=_listing(kinds) or "no layers", expected=name
    )


def _listing(kinds: dict[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in kinds.items())


def _source_crs(path: Path, layer: fiona.Collection) -> str:
    wkt = str(layer.crs_wkt)
    if not wkt:
        raise DatasetError(
            "vector file has no CRS",
            where=path,
            remedy="set it in QGIS (Layer > Set CRS), or add the .prj of the Shapefile",
        )
    try:
        parsed = CRS.from_wkt(wkt)
        Transformer.from_crs(parsed, "EPSG:4326")
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
    path: Path, layer: fiona.Collection, condition: str, box: Bounds | None
) -> list[fiona.Feature]:
    try:
        return list(layer.filter(bbox=box, where=condition or None))
    except (FionaError, CPLE_BaseError) as error:
        if not condition:
            raise
        what = f"condition is invalid: {error.__cause__ or error}"
        raise _condition_error(what, path, layer, condition) from None


def _objects(values: Iterable[Any]) -> NDArray[np.object_]:
    listed = list(values)
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array


def _shape(geometry: fiona.Geometry | None) -> shapely.Geometry | None:
    try:
        return None if geometry is None else shapely.geometry.shape(geometry)
    except ValueError:  # a ring of two points
        return None


def _condition_error(
    what: str, path: Path, layer: fiona.Collection, condition: str
) -> DatasetError:
    columns = ", ".join(layer.schema["properties"]) or "none"
    return DatasetError(
        what,
        where=path,
        found=condition,
        expected=f"a condition on the columns of layer {layer.name}: {columns}",
        remedy="correct data.annotation_filter",
    )
