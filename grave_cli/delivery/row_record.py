"""A record of the rows of a map, which tells later how many of them were changed, and which tables.

The seal of a GeoPackage tells only that something has changed. The record holds two short
fingerprints for each grave, of its outline and of its columns, its id, and one fingerprint for each
other table.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from pydantic import BaseModel, ConfigDict, ValidationError

from grave_cli.delivery.geometry_blobs import without_header
from grave_cli.outputs import seal

PROVENANCE = "gravecli_provenance"
"""Table of keys and values: the origin of a map, the record of its rows, and its seal."""
GRAVES = "graves"
RECORD_KEY = "row_record"
SEAL_KEY = "content_sha256"

_FOREIGN_TABLES = ("gpkg_", "rtree_", "sqlite_")
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
_ID, _OUTLINE = "fid", "geom"  # GDAL's names
_GRAVE_ID = "grave_id"
_DIGITS = 8  # a changed grave is overlooked once in four billion times


class _Record(BaseModel):
    """The record as JSON: columns of the graves, fingerprints and ids by fid, those of tables."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[str, ...]
    rows: dict[str, str]
    tables: dict[str, str]
    ids: dict[str, str] = {}


@dataclass(frozen=True)
class RowChanges:
    """The changes of a map since gravecli wrote it.

    Args:
        written: Number of graves in the record.
        added: Number of new graves.
        removed: Number of removed graves.
        outlines: Number of graves with another outline.
        attributes: Number of graves with other values in the columns that gravecli wrote.
        columns: Columns of the graves that were added or removed.
        tables: Other tables that were changed, added or removed.
    """

    written: int
    added: int
    removed: int
    outlines: int
    attributes: int
    columns: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowTrace:
    """What became of each row of a map since gravecli wrote it, by its fid.

    Args:
        ids: Grave id of each row that gravecli wrote; empty in maps of earlier versions.
        reshaped: Rows with another outline.
        added: Rows that are new.
        removed: Rows that are gone.
    """

    ids: Mapping[int, str]
    reshaped: frozenset[int]
    added: frozenset[int]
    removed: frozenset[int]


def record_rows(database: sqlite3.Connection) -> str:
    """Fingerprint the rows of a finished map.

    Args:
        database: The map, with all its layers.

    Returns:
        The record, as JSON.
    """
    columns = _columns(database)
    record = _Record(
        columns=columns,
        rows=_fingerprints(database, columns),
        tables=_table_seals(database),
        ids=_grave_ids(database),
    )
    return record.model_dump_json()


def compare_rows(database: sqlite3.Connection, recorded: str) -> RowChanges | None:
    """Count the rows that were changed since the record was written.

    Args:
        database: The map.
        recorded: The record, as JSON.

    Returns:
        The changes; None if the record cannot be read.
    """
    then = _read(recorded)
    if then is None:
        return None
    columns, tables = _columns(database), _table_seals(database)
    rows = _fingerprints(database, then.columns)
    kept = rows.keys() & then.rows.keys()
    changed_tables = set(tables.items()) ^ set(then.tables.items())
    return RowChanges(
        written=len(then.rows),
        added=len(rows.keys() - kept),
        removed=len(then.rows.keys() - kept),
        outlines=sum(rows[fid][:_DIGITS] != then.rows[fid][:_DIGITS] for fid in kept),
        attributes=sum(rows[fid][_DIGITS:] != then.rows[fid][_DIGITS:] for fid in kept),
        columns=tuple(sorted(set(columns) ^ set(then.columns))),
        tables=tuple(sorted({name for name, _ in changed_tables})),
    )


def trace_rows(database: sqlite3.Connection, recorded: str) -> RowTrace | None:
    """Tell which rows were changed since the record was written.

    Args:
        database: The map.
        recorded: The record, as JSON.

    Returns:
        None if the record cannot be read.
    """
    then = _read(recorded)
    if then is None:
        return None
    now = _fingerprints(database, ())
    kept = now.keys() & then.rows.keys()
    return RowTrace(
        ids={fid: then.ids[str(fid)] for fid in _fids(then.ids)},
        reshaped=_fids(fid for fid in kept if now[fid][:_DIGITS] != then.rows[fid][:_DIGITS]),
        added=_fids(now.keys() - kept),
        removed=_fids(then.rows.keys() - kept),
    )


def own_tables(database: sqlite3.Connection) -> list[str]:
    """List the tables of a map that are not GeoPackage's or SQLite's own."""
    database.text_factory = bytes  # a text need not be UTF-8
    names = [name.decode("utf-8", "replace") for (name,) in database.execute(_TABLES)]
    return [name for name in names if not name.startswith(_FOREIGN_TABLES)]


def table_content(
    database: sqlite3.Connection, table: str, without: tuple[str, ...] = (SEAL_KEY,)
) -> Iterator[str]:
    """Yield the name, the columns and the rows of a table.

    Args:
        database: The map.
        table: The table.
        without: Keys of the provenance that are left out.
    """
    database.text_factory = bytes
    left_out = {key.encode() for key in without}
    rows = database.execute(f"SELECT * FROM {_quoted(table)} ORDER BY rowid")
    yield repr((table, [column[0] for column in rows.description]))
    for row in rows:
        if table != PROVENANCE or left_out.isdisjoint(row):
            yield repr(row)


def _table_seals(database: sqlite3.Connection) -> dict[str, str]:
    """Fingerprint the tables beside the graves, but for the record itself."""
    return {
        name: seal(*table_content(database, name, (SEAL_KEY, RECORD_KEY)))[: 2 * _DIGITS]
        for name in own_tables(database)
        if name != GRAVES
    }


def _read(recorded: str) -> _Record | None:
    try:
        return _Record.model_validate_json(recorded)
    except ValidationError:
        return None


def _fids(texts: Iterable[str]) -> frozenset[int]:
    return frozenset(int(text) for text in texts if text.isdecimal())


def _grave_ids(database: sqlite3.Connection) -> dict[str, str]:
    if not {_ID, _GRAVE_ID} <= set(_all_columns(database)):
        return {}
    rows = database.execute(f"SELECT {_ID}, {_GRAVE_ID} FROM {GRAVES} WHERE {_GRAVE_ID} NOTNULL")
    return {str(fid): _text(one) for fid, one in rows}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _all_columns(database: sqlite3.Connection) -> tuple[str, ...]:
    """List the columns of the graves; none if somebody has removed their table."""
    if GRAVES not in own_tables(database):
        return ()
    head = database.execute(f"SELECT * FROM {GRAVES} LIMIT 0").description
    return tuple(column[0] for column in head)


def _columns(database: sqlite3.Connection) -> tuple[str, ...]:
    return tuple(name for name in _all_columns(database) if name not in (_ID, _OUTLINE))


def _fingerprints(database: sqlite3.Connection, columns: tuple[str, ...]) -> dict[str, str]:
    """Fingerprint the outline and the columns of each grave; a column that is missing is empty."""
    here = _all_columns(database)
    if not {_ID, _OUTLINE} <= set(here):
        return {}
    chosen = [_quoted(name) if name in here else "NULL" for name in columns]
    query = f"SELECT {', '.join((_ID, _OUTLINE, *chosen))} FROM {GRAVES}"
    rows = database.execute(query).fetchall()
    outlines = _plain_outlines([row[1] for row in rows])
    return {
        str(row[0]): seal(outline)[:_DIGITS] + seal(repr(row[2:]))[:_DIGITS]
        for row, outline in zip(rows, outlines, strict=True)
    }


def _plain_outlines(blobs: list[Any]) -> list[bytes]:
    """Return geometries in one spelling, whichever program wrote them; damaged ones as they are."""
    inner = [without_header(blob) for blob in blobs]
    shapes = shapely.from_wkb(np.array(inner, dtype=object), on_invalid="ignore")
    return [
        raw if shape is None else shapely.to_wkb(shape, byte_order=1)
        for raw, shape in zip(inner, shapes, strict=True)
    ]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
