"""Edits of a GeoPackage that are saved but not in the file yet.

SQLite keeps them in a log beside the file: `-wal` while QGIS has the file open, or after QGIS was
killed; `-journal` holds the old pages of an edit that was never finished. GDAL would bring both to
an end in the file itself, so that reading changes it; and it cannot read them in a folder without
write permission. A copy in a temporary folder can be read in every case, and the file stays as it
is.

    anna.gpkg, anna.gpkg-wal       read with the edits in the log
    anna.gpkg, anna.gpkg-journal   read as it was before the edit

Source: https://www.sqlite.org/fileformat.html (sections 3 and 4).
"""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from grave_cli.errors import GraveError

# Ending of a log -> how a log that holds edits begins. SQLite ignores every other one.
_LOGS = {
    "-wal": (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"),
    "-journal": (b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",),
}
_PAUSES_S = (0.1, 0.3, 1.0, 0.0)


def logs_with_edits(path: Path) -> tuple[Path, ...]:
    """Find the logs beside a GeoPackage that hold edits.

    Args:
        path: The file, or a link to it: SQLite looks beside the real one.
    """
    real = path.resolve()
    logs = ((real.with_name(real.name + ending), heads) for ending, heads in _LOGS.items())
    return tuple(log for log, heads in logs if _head(log).startswith(heads))


def edits_note(path: Path) -> str | None:
    """Say what counts of the edits in the log of a GeoPackage; None if there is no such log."""
    for log in logs_with_edits(path):
        if log.name.endswith("-wal"):
            return (
                f"{path} is open in QGIS, or was not closed: edits saved in {log.name} count, "
                "unsaved ones do not"
            )
        return f"{path} is read as it was before an edit that was not finished ({log.name})"
    return None


@contextmanager
def with_edits(path: Path, error: type[GraveError]) -> Iterator[Path]:
    """Yield a GeoPackage with all saved edits: the file itself, or a copy while the block runs.

    Args:
        path: The file; nothing is written to it or beside it.
        error: Kind of the error.

    Raises:
        GraveError: The file changes all the time, or its log is damaged.
    """
    if not logs_with_edits(path):
        yield path
        return
    with TemporaryDirectory(prefix="gravecli-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / path.name
        try:
            _copy_unchanged(path, copy, error)
            with closing(sqlite3.connect(copy)) as base:  # this takes the log into the copy
                base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except (OSError, sqlite3.Error) as fault:
            raise error(
                f"edits of this GeoPackage cannot be read: {fault}",
                where=path,
                remedy="open and close it in QGIS once",
            ) from None
        yield copy


def _head(log: Path) -> bytes:
    try:
        with log.open("rb") as file:
            return file.read(8)
    except OSError:
        return b""


def _copy_unchanged(path: Path, copy: Path, error: type[GraveError]) -> None:
    """Copy a file with its logs at a moment when nobody writes."""
    real = path.resolve()
    for pause_s in _PAUSES_S:
        before = _stamps(real)
        for ending in ("", *_LOGS):
            if ending in before:
                shutil.copyfile(f"{real}{ending}", f"{copy}{ending}")
        if _stamps(real) == before:
            return
        for left in copy.parent.iterdir():
            left.unlink()
        time.sleep(pause_s)
    raise error("GeoPackage is being written", where=path, remedy="wait, then try again")


def _stamps(real: Path) -> dict[str, tuple[int, int]]:
    stats = {ending: Path(f"{real}{ending}") for ending in ("", *_LOGS)}
    return {
        ending: (file.stat().st_size, file.stat().st_mtime_ns)
        for ending, file in stats.items()
        if file.is_file()
    }
