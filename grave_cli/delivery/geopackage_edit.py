"""Rows of a GeoPackage that exists already are changed in a copy, which then takes its place.

Everything else in the file stays: other layers, columns and styles of the office. SQLite runs the
triggers of GDAL's spatial index, which call functions of GDAL; they are given here.
"""

import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import fiona
import shapely
from fiona._err import CPLE_BaseError  # GDAL's complaints, in no public module of fiona 1.10
from fiona.errors import FionaError
from fiona.io import MemoryFile

from grave_cli.atomic_writes import whole_file
from grave_cli.delivery.geometry_blobs import blob_of, bound_of, geometry_of
from grave_cli.delivery.geopackage_seal import (
    refuse_open_geopackage,
    remove_sidecars,
    seal_geopackage,
)
from grave_cli.delivery.geopackage_tables import describe_layer
from grave_cli.delivery.layer import Layer
from grave_cli.delivery.metadata_record import with_count
from grave_cli.delivery.row_record import GRAVES
from grave_cli.errors import ExportError
from grave_cli.settings.output import Language

# The table of a layer, its spatial index without that one's own tables, and their triggers.
_SCHEMA = (
    "SELECT sql FROM sqlite_master WHERE name = :name OR name = 'rtree_' || :name || '_geom' "
    "OR (type = 'trigger' AND tbl_name = :name) ORDER BY type, rowid"
)
_LISTS = ("gpkg_contents", "gpkg_geometry_columns", "gpkg_ogr_contents", "gpkg_extensions")
_LONGEST_S = 60.0
_STEPS = 100_000  # instructions of SQLite between two looks at the clock
_BOUNDS = {"ST_MinX": 0, "ST_MinY": 1, "ST_MaxX": 2, "ST_MaxY": 3}


@contextmanager
def edited_geopackage(
    path: Path, new_layers: Sequence[Layer], language: Language
) -> Iterator[sqlite3.Connection]:
    """Change a GeoPackage, all of it or nothing, and seal it.

    Args:
        path: The GeoPackage.
        new_layers: Layers to add, without their rows.
        language: Language of their texts.

    Yields:
        A copy with the new layers; if the block ends well, it replaces the file.

    Raises:
        ExportError: It cannot be written, or another program has it open; the file is untouched.
    """
    refuse_open_geopackage(path)
    with whole_file(path) as new:
        try:
            shutil.copyfile(path, new)
            with closing(sqlite3.connect(new)) as database:
                database.execute("PRAGMA journal_mode = delete")  # no log beside the copy
            with closing(sqlite3.connect(new)) as database:
                _give_functions(database)
                _set_limit(database)
                with database:
                    for layer in new_layers:
                        _add_layer(database, layer, language)
                    yield database
                    _renew_contents(database)
            seal_geopackage(new)
        except (FionaError, CPLE_BaseError, sqlite3.Error) as error:
            remedy = (
                "export its layers as a new GeoPackage" if "interrupted" in str(error) else None
            )
            raise ExportError(f"cannot be written: {error}", where=path, remedy=remedy) from None
        refuse_open_geopackage(path)  # QGIS may have opened it meanwhile
        remove_sidecars(path)


def insert_row(
    database: sqlite3.Connection,
    table: str,
    geometry: shapely.Geometry | None,
    values: Mapping[str, Any],
) -> None:
    """Add a row to a layer.

    Args:
        database: The GeoPackage, as `edited_geopackage` yields it.
        table: The layer.
        geometry: Its geometry; None for none.
        values: Its other columns by name.
    """
    _insert(database, table, {"geom": _blob(database, table, geometry), **values})


def _insert(database: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    names = ", ".join(quoted(name) for name in row)
    marks = ", ".join("?" * len(row))
    database.execute(f"INSERT INTO {quoted(table)} ({names}) VALUES ({marks})", [*row.values()])


def update_row(
    database: sqlite3.Connection,
    table: str,
    fid: int,
    geometry: shapely.Geometry | None,
    values: Mapping[str, Any],
) -> None:
    """Change a row of a layer.

    Args:
        database: The GeoPackage, as `edited_geopackage` yields it.
        table: The layer.
        fid: The row.
        geometry: Its new geometry; None keeps the old one.
        values: New values of other columns by name.
    """
    row = dict(values)
    if geometry is not None:
        row["geom"] = _blob(database, table, geometry)
    if row:
        changes = ", ".join(f"{quoted(name)} = ?" for name in row)
        query = f"UPDATE {quoted(table)} SET {changes} WHERE fid = ?"
        database.execute(query, [*row.values(), fid])


def delete_rows(database: sqlite3.Connection, table: str, fids: Sequence[int]) -> None:
    """Delete rows of a layer by their fids; without any, the layer need not exist."""
    for fid in fids:
        database.execute(f"DELETE FROM {quoted(table)} WHERE fid = ?", (fid,))


def srs_of(database: sqlite3.Connection, table: str) -> int:
    """Return the number of the CRS of a layer; 0 for an undefined one."""
    query = "SELECT srs_id FROM gpkg_geometry_columns WHERE table_name = ?"
    found = database.execute(query, (table,)).fetchone()
    return int(found[0]) if found else 0


def _blob(
    database: sqlite3.Connection, table: str, geometry: shapely.Geometry | None
) -> bytes | None:
    """Return a geometry as its layer stores it, which may be one of several parts."""
    query = "SELECT geometry_type_name FROM gpkg_geometry_columns WHERE table_name = ?"
    (kind,) = database.execute(query, (table,)).fetchone() or ("",)
    if geometry is not None and geometry.geom_type == "Polygon" and kind.upper() == "MULTIPOLYGON":
        geometry = shapely.MultiPolygon([geometry])
    return blob_of(geometry, srs_of(database, table))


def quoted(name: str) -> str:
    """Quote the name of a table or column for SQL."""
    return '"' + name.replace('"', '""') + '"'


def _add_layer(database: sqlite3.Connection, layer: Layer, language: Language) -> None:
    """Add a layer without rows, made by GDAL in memory.

    On a full disk GDAL would write half a layer and report anything but that.
    """
    how = {"driver": "GPKG", "layer": layer.name, "schema": layer.schema()}
    with MemoryFile(ext=".gpkg") as memory, closing(sqlite3.connect(":memory:")) as model:
        with fiona.open(memory.name, "w", crs_wkt=layer.crs, **how):
            pass
        model.deserialize(memory.read())
        for (statement,) in model.execute(_SCHEMA, {"name": layer.name}):
            database.execute(statement)
        for table in _LISTS:
            _copy_entries(model, database, table, layer.name)
    describe_layer(database, layer, language)


def _copy_entries(
    model: sqlite3.Connection, database: sqlite3.Connection, table: str, layer: str
) -> None:
    """Copy what a table of GeoPackage says of a layer; its CRS has the number of the graves'."""
    cursor = model.execute(f"SELECT * FROM {table} WHERE table_name = ?", (layer,))
    names = [column[0] for column in cursor.description]
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        if "srs_id" in row:
            row["srs_id"] = srs_of(database, GRAVES)
        _insert(database, table, row)


def _give_functions(database: sqlite3.Connection) -> None:
    database.create_function("ST_IsEmpty", 1, _is_empty)
    for name, index in _BOUNDS.items():
        database.create_function(name, 1, partial(bound_of, index=index))


def _set_limit(database: sqlite3.Connection) -> None:
    """End a change after a minute: a trigger of a map from elsewhere may run for ever."""
    end = time.monotonic() + _LONGEST_S
    database.set_progress_handler(lambda: time.monotonic() > end, _STEPS)


def _is_empty(blob: Any) -> bool:
    geometry = geometry_of(blob)
    return geometry is None or bool(geometry.is_empty)


def _renew_contents(database: sqlite3.Connection) -> None:
    """Write the extent and the time of the graves where GeoPackage keeps them, and their number."""
    blobs = database.execute(f"SELECT geom FROM {GRAVES}").fetchall()
    shapes = [shape for (blob,) in blobs if (shape := geometry_of(blob)) is not None]
    bounds = shapely.total_bounds(shapes).tolist() if shapes else [None] * 4
    database.execute(
        "UPDATE gpkg_contents SET min_x = ?, min_y = ?, max_x = ?, max_y = ?, "
        "last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now') WHERE table_name = ?",
        (*bounds, GRAVES),
    )
    for number, text in database.execute("SELECT id, metadata FROM gpkg_metadata").fetchall():
        database.execute(
            "UPDATE gpkg_metadata SET metadata = ? WHERE id = ?",
            (with_count(str(text), len(blobs)), number),
        )
