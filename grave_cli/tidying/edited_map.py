"""A map that was edited in QGIS in; its layers as values out. The file is not changed."""

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from grave_cli.delivery.candidate_columns import CANDIDATES
from grave_cli.delivery.geometry_blobs import geometry_of
from grave_cli.delivery.geopackage_edit import quoted
from grave_cli.delivery.geopackage_seal import (
    content_seal,
    open_unlocked,
    read_provenance,
    refuse_open_geopackage,
)
from grave_cli.delivery.grave_columns import GRAVE_COLUMNS
from grave_cli.delivery.row_record import (
    GRAVES,
    PROVENANCE,
    RECORD_KEY,
    SEAL_KEY,
    RowTrace,
    own_tables,
    trace_rows,
)
from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons
from grave_cli.resurvey.removed import REMOVED
from grave_cli.vectors.outline_repair import clean_outlines
from grave_cli.vectors.vector_files import identify
from grave_cli.vectors.vector_io import LayerChoice, read_features

RAW, COVERAGE = "graves_raw", "coverage"
HISTORY_COLUMNS = ("merged_ids", "split_from")
"""Columns of graves that a comparison with an older survey adds."""

_READ = (*GRAVE_COLUMNS, *HISTORY_COLUMNS)


@dataclass(frozen=True)
class Table:
    """The rows of a layer.

    Args:
        fids: Their numbers in the file.
        outlines: Their geometries; None without a readable one.
        rows: Values of the columns that gravecli knows.
        columns: Names of all columns but those of number and geometry.
        holds_parts: Its outlines may have several parts.
    """

    fids: tuple[int, ...] = ()
    outlines: Polygons = field(default_factory=lambda: np.empty(0, dtype=object))
    rows: tuple[Mapping[str, Any], ...] = ()
    columns: tuple[str, ...] = ()
    holds_parts: bool = False


@dataclass(frozen=True)
class EditedMap:
    """A map as it is now, and as gravecli wrote it.

    Args:
        path: The GeoPackage.
        crs: CRS of its layers, as WKT.
        graves: The graves.
        raw: The outlines before regularisation.
        candidates: Graves below the thresholds, with the decisions of the office.
        removed: What earlier reviews removed; None without this layer.
        coverage: Footprint of the imagery; None if it is not known.
        trace: What became of the rows that gravecli wrote; None if the map does not tell.
        provenance: Origin of the map.
        is_sealed: Nothing was changed since gravecli wrote it.
    """

    path: Path
    crs: str
    graves: Table
    raw: Table
    candidates: Table
    removed: Table | None
    coverage: shapely.Geometry | None
    trace: RowTrace | None
    provenance: Mapping[str, str]
    is_sealed: bool


def read_edited_map(path: Path) -> EditedMap:
    """Read a map that predict-cemetery, compare or join wrote and somebody may have edited.

    Args:
        path: The GeoPackage.

    Raises:
        DatasetError: The file is no map of gravecli, or its graves cannot be read.
        ExportError: Another program has it open, or has left edits beside it.
    """
    refuse_open_geopackage(path)
    if identify(path).driver != "GPKG":
        raise _no_map(path, "another format")
    try:
        with closing(open_unlocked(path)) as database:
            provenance = read_provenance(database)
            tables = own_tables(database)
            recorded = provenance.get(RECORD_KEY)
            trace = trace_rows(database, recorded) if isinstance(recorded, str) else None
            is_sealed = provenance.get(SEAL_KEY) == content_seal(database)
    except sqlite3.Error as error:
        raise _no_map(path, error) from None
    if GRAVES not in tables:
        raise _no_map(path, ", ".join(tables))
    crs = read_features(path, None, LayerChoice(GRAVES)).crs
    read = {name: _read_table(path, name) for name in tables if name in _WANTED}
    graves = read[GRAVES]
    if "grave_id" not in graves.columns:
        raise DatasetError(
            "graves have no column of ids",
            where=path,
            found=", ".join(graves.columns) or "no columns",
            expected="grave_id",
            remedy="add it in QGIS (Open Field Calculator), of type text",
        )
    coverage = clean_outlines(read.get(COVERAGE, Table()).outlines, 0.0).polygons
    return EditedMap(
        path=path,
        crs=crs,
        graves=graves,
        raw=read.get(RAW, Table()),
        candidates=read.get(CANDIDATES, Table()),
        removed=read.get(REMOVED),
        coverage=shapely.union_all(coverage) if len(coverage) else None,
        trace=trace,
        provenance={key: value for key, value in provenance.items() if isinstance(value, str)},
        is_sealed=is_sealed,
    )


_WANTED: Mapping[str, Collection[str]] = {
    GRAVES: _READ,
    RAW: ("grave_id",),
    CANDIDATES: ("candidate_id", "probability", "decision"),
    REMOVED: ("grave_id", "candidate_id"),
    COVERAGE: (),
}
"""Columns that are read of each layer."""


def _read_table(path: Path, name: str) -> Table:
    try:
        with closing(open_unlocked(path)) as database:
            database.text_factory = lambda raw: raw.decode("utf-8", "replace")
            head = database.execute(f"SELECT * FROM {quoted(name)} LIMIT 0").description
            columns = [column[0] for column in head]
            known = [column for column in columns if column in _WANTED[name]]
            chosen = ", ".join(["fid", "geom", *map(quoted, known)])
            found = database.execute(f"SELECT {chosen} FROM {quoted(name)} ORDER BY fid").fetchall()
            kind = database.execute(
                "SELECT geometry_type_name FROM gpkg_geometry_columns WHERE table_name = ?", (name,)
            ).fetchone()
    except sqlite3.Error as error:
        raise DatasetError(
            f"layer {name} cannot be read: {error}",
            where=path,
            expected="the layer as gravecli wrote it, with fid and geom",
        ) from None
    outlines = np.empty(len(found), dtype=object)
    outlines[:] = [geometry_of(row[1]) for row in found]
    return Table(
        tuple(int(row[0]) for row in found),
        outlines,
        tuple(dict(zip(known, row[2:], strict=True)) for row in found),
        tuple(column for column in columns if column not in ("fid", "geom")),
        bool(kind) and str(kind[0]).upper() == "MULTIPOLYGON",
    )


def _no_map(path: Path, found: object) -> DatasetError:
    return DatasetError(
        "not a map of gravecli",
        where=path,
        found=found,
        expected=f"a GeoPackage of predict-cemetery, with the tables {GRAVES} and {PROVENANCE}",
    )
