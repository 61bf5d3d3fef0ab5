"""A GeoPackage is checked before GDAL opens it: its tables are tables, and its views have an end.

SQLite runs a view when GDAL asks for the layer's type, and it may run for ever. A virtual table
runs other code, which may read other files. SQLite is asked without GDAL's functions, so a view
that calls one of them is refused as well.
"""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from grave_cli.errors import GraveError

_INDEX = re.compile(r"^\s*CREATE\s+VIRTUAL\s+TABLE\s.+?\sUSING\s+(rtree|fts[345])\b", re.I | re.S)
_VIRTUAL = re.compile(r"^\s*CREATE\s+VIRTUAL\b", re.IGNORECASE)
_STEPS = 100_000  # instructions of SQLite between two looks at the clock
_LONGEST_S = 30.0
_MOST_ROWS = 10_000_000
_REMEDY = "export the layer as a new GeoPackage (QGIS: Export > Save Features As)"


def check_geopackage(path: Path, error: type[GraveError], where: Path | None = None) -> None:
    """Refuse a GeoPackage that is damaged or does more than hold tables.

    Args:
        path: The file.
        error: Kind of the error.
        where: The file to name in errors, if `path` is a copy of it.

    Raises:
        GraveError: Its tables are garbled, one of them is virtual, or a view has no end.
    """
    where = where or path
    try:
        with _open(path) as base:
            listed = base.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
            if "gpkg_contents" not in {str(name).lower() for _, name, _ in listed}:
                raise _no_geopackage(where, error, {str(name).lower() for _, name, _ in listed})
            for kind, name, sql in listed:
                text = str(sql or "")
                if _VIRTUAL.match(text) and not _INDEX.match(text):
                    raise _refused(where, error, f"{name} is a virtual table", text)
                if kind == "view":
                    _check_view(path, str(name), error, where)
    except (sqlite3.Error, UnicodeError) as fault:
        raise error(
            f"cannot be read as a GeoPackage: {fault}",
            where=where,
            expected="an undamaged GeoPackage",
            remedy="copy or export it again",
        ) from None


def _no_geopackage(where: Path, error: type[GraveError], tables: set[str]) -> GraveError:
    is_spatialite = "geometry_columns" in tables
    return error(
        "is no GeoPackage",
        where=where,
        found="a SpatiaLite database" if is_spatialite else "another SQLite database",
        expected="a GeoPackage",
        remedy=_REMEDY,
    )


def _check_view(path: Path, name: str, error: type[GraveError], where: Path) -> None:
    """Count the rows of a view, in a connection that can be stopped."""
    quoted = name.replace('"', '""')
    end = time.monotonic() + _LONGEST_S
    with _open(path) as base:
        base.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        query = f'SELECT count(*) FROM (SELECT * FROM "{quoted}" LIMIT {_MOST_ROWS + 1})'
        try:
            (rows,) = base.execute(query).fetchone()
        except sqlite3.Error as fault:
            if "interrupted" in str(fault):
                found = f"no end after {_LONGEST_S:.0f} s"
                raise _refused(where, error, f"its view {name} has no end", found) from None
            raise _refused(where, error, f"its view {name} cannot be read", fault) from None
    if rows > _MOST_ROWS:
        found = f"over {_MOST_ROWS:,} lines"
        raise _refused(where, error, f"its view {name} has no end", found)


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    log = path.with_name(f"{path.name}-wal")
    # Without a log the file is read as it is, and no file is created beside it.
    mode = "ro" if log.is_file() else "ro&immutable=1"
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(uri, uri=True)) as base:
        base.execute("PRAGMA trusted_schema = OFF")
        yield base


def _refused(where: Path, error: type[GraveError], what: str, found: object) -> GraveError:
    short = " ".join(str(found).split())[:100]
    return error(what, where=where, found=short, expected="a table of features", remedy=_REMEDY)
