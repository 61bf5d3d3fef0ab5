"""A vector file of graves in; a survey out: one outline per grave, with all columns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.delivery.layer import Layer
from grave_cli.delivery.simple_files import long_names
from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons
from grave_cli.resurvey.removed import read_removed
from grave_cli.vectors.outline_repair import clean_outlines
from grave_cli.vectors.vector_io import GRAVE_LAYER, Features, LayerChoice, read_features

OLD_LAYER_OPTION = "--set compare.layer"
_COVERAGE = "coverage"


@dataclass(frozen=True)
class Survey:
    """The graves of one survey of a cemetery.

    Args:
        name: Its file, for messages.
        crs: CRS of the outlines, as WKT or authority code.
        outlines: Valid outlines, a polygon or multi-polygon for each grave.
        types: fiona's type of each column.
        rows: The columns of each grave, by name; None where empty.
        coverage: Footprint of the imagery, in `crs`; None if it is unknown.
        removed: Removed graves and candidates (`removed.py`), in `crs`; None if none is recorded.
        notes: Repairs and omissions, one line each.
    """

    name: str
    crs: str
    outlines: Polygons
    types: Mapping[str, str]
    rows: tuple[Mapping[str, Any], ...]
    coverage: shapely.Geometry | None = None
    removed: Layer | None = None
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> list[Any]:
        """Return a column, None where it is empty or missing."""
        return [row.get(name) for row in self.rows]

    @property
    def retired(self) -> list[str]:
        """Ids of graves that are gone, removed or merged: they are not given again."""
        rows = self.removed.rows if self.removed else ()
        removed = [str(row["grave_id"]) for row in rows if row["grave_id"]]
        return [*removed, *split_ids(self.column("merged_ids"))]

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Survey":
        """Select graves by a mask, or by indices in the wanted order."""
        chosen = np.arange(len(self.rows))[keep]
        rows = tuple(self.rows[index] for index in chosen)
        return replace(self, outlines=self.outlines[chosen], rows=rows)


def read_survey(path: Path, layer: str, option: str, crs: str | None = None) -> Survey:
    """Read the graves of a vector file with all columns.

    Args:
        path: A file of any supported format.
        layer: Layer of the graves; empty: `graves`, or the only polygon layer.
        option: Option by which a user names the layer, for error messages.
        crs: Target CRS; None keeps that of the file.

    Raises:
        DatasetError: The file cannot be read, has no CRS, or holds no grave.
    """
    choice = LayerChoice(layer, preferred=GRAVE_LAYER, besides="graves_raw", named_with=option)
    found = read_features(path, crs, choice, columns=None)
    clean = clean_outlines(
        found.geometries, 0.0, drop_duplicates=False, unreadable=found.unreadable
    )
    owners, outlines = _one_each(clean.polygons, clean.source)
    if not len(outlines):
        raise DatasetError("file holds no grave", where=path, expected="polygons of graves")
    words = tuple(f"{path}: {sentence}" for sentence in clean.findings.sentences())
    long = long_names(found.types)  # of a map that was written as a Shapefile
    rows = rows_of(found, owners.tolist())
    return Survey(
        str(path),
        found.crs,
        outlines,
        {long[name]: kind for name, kind in found.types.items()},
        tuple({long[name]: value for name, value in row.items()} for row in rows),
        _read_coverage(path, found.crs),
        read_removed(path, found.crs),
        (*words, *found.notes),
    )


def rows_of(features: Features, index: Sequence[int]) -> tuple[dict[str, Any], ...]:
    """Return the columns of some features as one mapping each."""
    return tuple({name: features.values[name][i] for name in features.columns} for i in index)


def split_ids(cells: Iterable[Any]) -> list[str]:
    """Return the ids in cells such as those of `merged_ids`, which commas part."""
    return [one for cell in cells if cell for one in str(cell).split(",") if one]


def _one_each(polygons: Polygons, source: NDArray[np.intp]) -> tuple[NDArray[np.intp], Polygons]:
    """Join the parts of each feature; return the features that have any, and their outlines."""
    owners, first, count = np.unique(source, return_index=True, return_counts=True)
    joined = polygons[first]
    for index in np.flatnonzero(count > 1):
        joined[index] = shapely.union_all(polygons[source == owners[index]])
    return owners, joined


def _read_coverage(path: Path, crs: str) -> shapely.Geometry | None:
    """Read the footprint of the imagery of one of our own maps."""
    try:
        found = read_features(path, crs, LayerChoice(_COVERAGE))
    except DatasetError:
        return None
    clean = clean_outlines(found.geometries, 0.0)
    return shapely.union_all(clean.polygons) if len(clean.polygons) else None
