"""The seal of a GeoPackage: has anybody changed it since gravecli wrote it, is it open elsewhere?

The seal is a fingerprint of every row of every table that is not GeoPackage's or SQLite's own. It
stands in the provenance. QGIS changes the bytes of a file when it opens it, but not its rows.

SQLite keeps edits in files beside a database: `-wal` while a program such as QGIS has it open, and
`-journal` while one writes. Beside a new database they would damage it.
"""

import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from grave_cli.delivery.row_record import (
    PROVENANCE,
    RECORD_KEY,
    SEAL_KEY,
    own_tables,
    record_rows,
    table_content,
)
from grave_cli.errors import ExportError
from grave_cli.outputs import FOREIGN, Output, seal, source_of
from grave_cli.wording import counted

ORTHOPHOTO_KEY = "orthophoto_fingerprint"
"""Key of the provenance whose value is `source_of` the orthophoto."""
DEM_KEY = "dem_fingerprint"
"""Key of the provenance whose value is `source_of` the DEM."""
DTM_KEY = "dtm_fingerprint"
"""Key of the provenance whose value is `source_of` the DTM below the DEM."""
TIDIED_KEY = "tidied"
"""Key of the provenance of a map that was corrected by hand: the time of `gravecli tidy`."""
CORRECTIONS_KEY = "corrections"
"""Key of the provenance whose value says what was corrected by hand, as JSON: numbers by kind."""

_LOGS = ("-wal", "-journal")
_SIDECARS = (*_LOGS, "-shm")
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@dataclass(frozen=True)
class Origin:
    """The inputs of a GeoPackage, by which gravecli knows its own file again.

    Args:
        key: Key of the provenance that holds their fingerprint.
        source: The fingerprint; empty if there is none.
        other: A file of other inputs in words, to end the sentence "the file exists and is …".
        names: Keys of the provenance that name the inputs, for messages.
    """

    key: str
    source: str
    other: str
    names: tuple[str, ...]


def map_output(path: Path, orthophoto: Path, option: str = "--out") -> Output:
    """Describe the GeoPackage of an orthophoto as an output.

    Args:
        path: The GeoPackage.
        orthophoto: The orthophoto to be mapped.
        option: The option that names it, for messages.
    """
    return geopackage_output(path, map_origin(source_of(orthophoto)), option)


def geopackage_output(path: Path, origin: Origin, option: str = "--out") -> Output:
    """Describe a GeoPackage as an output.

    Args:
        path: The GeoPackage.
        origin: The inputs from which it will be made.
        option: The option that names it, for messages.
    """
    why_keep = partial(why_keep_geopackage, origin=origin)
    return Output(option, path, "a GeoPackage", (".gpkg",), why_keep, refuse_open_geopackage)


def map_origin(source: str) -> Origin:
    """Return the origin of a map, from `source_of` its orthophoto."""
    return Origin(ORTHOPHOTO_KEY, source, "the map of another orthophoto", ("orthophoto",))


def why_keep_map(path: Path, source: str) -> str | None:
    """Return why an existing map must not be replaced; None if nothing is lost by it.

    Args:
        path: The GeoPackage; no program has it open.
        source: `source_of` the orthophoto of the new map.
    """
    return why_keep_geopackage(path, map_origin(source))


def why_keep_geopackage(path: Path, origin: Origin) -> str | None:
    """Return why an existing GeoPackage must not be replaced; None if nothing is lost by it.

    Args:
        path: The GeoPackage; no program has it open.
        origin: The inputs of the new one.
    """
    try:
        with closing(open_unlocked(path)) as database:
            record = read_provenance(database)
            found = content_seal(database)
    except sqlite3.Error:
        return FOREIGN
    if SEAL_KEY not in record:
        return "has no seal that would show changes"
    if record[SEAL_KEY] != found:
        return "was changed since gravecli wrote it"
    if record.get(TIDIED_KEY):
        return "was corrected by hand"
    if not origin.source or record.get(origin.key) != origin.source:
        names = (record[name] for name in origin.names if name in record)
        return f"is {origin.other} ({', '.join(names) or 'unknown'})"
    return None


class MapCounts(NamedTuple):
    """What a map holds: its graves, how many of them need a review, its candidates."""

    graves: int
    to_review: int
    candidates: int


def finished_map(path: Path, source: str, model_sha256: str) -> MapCounts | None:
    """Look for a finished map of an orthophoto by a model, as written or edited since.

    Args:
        path: The GeoPackage; it need not exist.
        source: `source_of` the orthophoto.
        model_sha256: Hash of the model's weights.

    Returns:
        What it holds; None if there is no such map.
    """
    if not source or not path.is_file():
        return None
    with suppress(sqlite3.Error), closing(open_unlocked(path)) as database:
        record = read_provenance(database)
        if (record.get(ORTHOPHOTO_KEY), record.get("model_sha256")) == (source, model_sha256):
            counts = "SELECT count(*), coalesce(sum(needs_review), 0) FROM graves"
            graves, to_review = database.execute(counts).fetchone()
            candidates = 0  # maps of earlier versions have none
            with suppress(sqlite3.Error):
                (candidates,) = database.execute("SELECT count(*) FROM candidates").fetchone()
            return MapCounts(int(graves), int(to_review), int(candidates))
    return None


def seal_geopackage(path: Path) -> None:
    """Write the record of its rows and the seal of a finished GeoPackage into its provenance.

    Args:
        path: The GeoPackage, with all its layers; an older seal is replaced.
    """
    with closing(sqlite3.connect(path)) as database, database:
        put_provenance(database, RECORD_KEY, record_rows(database))
        put_provenance(database, SEAL_KEY, content_seal(database))


def put_provenance(database: sqlite3.Connection, key: str, value: str) -> None:
    """Write a value of the provenance, in place of an older one."""
    database.execute(f"DELETE FROM {PROVENANCE} WHERE key = ?", (key,))
    database.execute(f"INSERT INTO {PROVENANCE} (key, value) VALUES (?, ?)", (key, value))


def refuse_open_geopackage(path: Path) -> None:
    """Refuse a GeoPackage that another program has open, or whose edits are not in the file yet.

    Args:
        path: The GeoPackage; it need not exist.

    Raises:
        ExportError: It must not be replaced now.

    Source: https://www.sqlite.org/howtocorrupt.html (section 1.3) and
        https://www.sqlite.org/fileformat.html (the journal's header is zero once it is done with).
    """
    place = path.resolve()
    remedy = "close it in QGIS; if it is not open there, open and close it once"
    for log in (place.with_name(place.name + ending) for ending in _LOGS):
        with suppress(OSError), log.open("rb") as file:
            if any(file.read(32)):
                raise ExportError(
                    "GeoPackage holds edits that are not in the file yet",
                    where=path,
                    found=f"{counted(log.stat().st_size, 'byte')} in {log.name}",
                    remedy=remedy if place.exists() else f"the file is gone: delete {log.name}",
                )
    if place.is_file() and _is_locked(place):
        raise ExportError(
            "GeoPackage is open in another program", where=path, remedy="close it in QGIS"
        )


def remove_sidecars(path: Path) -> None:
    """Remove what programs left beside a GeoPackage that none of them has open."""
    place = path.resolve()
    for ending in _SIDECARS:
        place.with_name(place.name + ending).unlink(missing_ok=True)


def _is_locked(place: Path) -> bool:
    """Ask for the file alone: a program that has it open in WAL mode holds a lock all the time."""
    try:
        address = f"{place.as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, timeout=0, uri=True)) as database:
            database.isolation_level = None
            database.execute("PRAGMA locking_mode = exclusive")
            database.execute("BEGIN EXCLUSIVE")
            database.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _LOCKED
    return False


def open_unlocked(path: Path) -> sqlite3.Connection:
    """Open a file for reading without leaving SQLite's files beside it."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)


def read_provenance(database: sqlite3.Connection) -> dict[str, str]:
    """Read the keys and values of the provenance.

    Raises:
        sqlite3.Error: There is none.
    """
    return dict(database.execute(f"SELECT key, value FROM {PROVENANCE}"))


def content_seal(database: sqlite3.Connection) -> str:
    """Fingerprint every table that is not GeoPackage's or SQLite's own, but for the seal itself."""
    return seal(
        *(part for table in own_tables(database) for part in table_content(database, table))
    )
