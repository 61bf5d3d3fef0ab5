"""Vector files in, the records of one layer or table out, with their places if they have any."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Transformer
from pyproj.exceptions import ProjError

from grave_cli.errors import DatasetError
from grave_cli.rasters.crs import LONLAT
from grave_cli.vectors.impossible_dates import impossible_dates, left_out_note
from grave_cli.vectors.layers import LayerSchema, layers_of, open_layer, ready_to_read
from grave_cli.vectors.vector_files import VectorFile, reading
from grave_cli.vectors.vector_io import shape_of

_OWN = ("layer_styles", "gravecli_provenance")


@dataclass(frozen=True)
class Records:
    """The records of a layer or table.

    Args:
        types: fiona's type of each column.
        rows: The records.
        points: Centre of each record's geometry, NaN without one; None if the layer has none.
        crs: CRS of the points; None if it is not known.
        notes: Notes for the surveyor, one line each.
    """

    types: Mapping[str, str]
    rows: tuple[Mapping[str, Any], ...]
    points: NDArray[np.float64] | None
    crs: str | None
    notes: tuple[str, ...] = ()


def read_records(path: Path, layer: str = "") -> Records:
    """Read all records of a layer of any geometry, or of a table without geometries.

    Args:
        path: A file of one of the formats of `vector_files.py`.
        layer: Name of the layer; empty: the only one.

    Raises:
        DatasetError: The file cannot be read, the layer is missing or ambiguous, or is empty.
    """
    with ready_to_read(path) as file, reading(path):
        layers = layers_of(file)
        left_out: tuple[str, ...] = ()
        schema = layers[_choose(path, [name for name in layers if name not in _OWN], layer)]
        try:
            features, wkt = _read(file, schema)
        except ValueError:
            if not (left_out := impossible_dates(file, schema)):
                raise
            schema = schema.without(left_out)
            features, wkt = _read(file, schema)
    if not features:
        raise DatasetError("list has no records", where=path, found=f"layer {schema.name} is empty")
    rows = tuple(dict(feature.properties) for feature in features)
    places = [_centre(feature.geometry) for feature in features]
    has_places = bool(np.isfinite(places).any())
    notes = (left_out_note(path, left_out),) if left_out else ()
    return Records(schema.types, rows, np.array(places) if has_places else None, wkt, notes)


def _read(file: VectorFile, layer: LayerSchema) -> tuple[list[fiona.Feature], str | None]:
    """Read all features with the columns of a schema, and their CRS."""
    fields = layer.columns if file.can_skip_columns else None
    with open_layer(file, layer=layer.name, include_fields=fields) as source:
        return list(source), _crs_of(source)


def _crs_of(layer: fiona.Collection) -> str | None:
    """Return the CRS of a layer; None for none, or one that has no known place on Earth."""
    wkt = str(layer.crs_wkt)
    try:
        Transformer.from_crs(wkt, LONLAT)
    except ProjError:
        return None
    return wkt


def _choose(path: Path, names: list[str], layer: str) -> str:
    if layer in names or (len(names) == 1 and not layer):
        return layer or names[0]
    found = ", ".join(names) or "no layers"
    if layer:
        raise DatasetError("layer is missing", where=path, found=found, expected=layer)
    raise DatasetError("layer is ambiguous", where=path, found=found, remedy="name it with --sheet")


def _centre(geometry: Any) -> tuple[float, float]:
    centre = shapely.centroid(shape_of(geometry))
    return (np.nan, np.nan) if centre is None or centre.is_empty else (centre.x, centre.y)
