"""The record in a map: where it comes from, and its rows as gravecli wrote them."""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from grave_cli.dataset.recorded_files import recorded_data
from grave_cli.delivery.geopackage_seal import (
    content_seal,
    open_unlocked,
    read_provenance,
    refuse_open_geopackage,
)
from grave_cli.delivery.row_record import (
    GRAVES,
    PROVENANCE,
    RECORD_KEY,
    SEAL_KEY,
    RowChanges,
    compare_rows,
)
from grave_cli.errors import DatasetError
from grave_cli.settings.inputs import DataSettings


@dataclass(frozen=True)
class MapRecord:
    """The record of a map, and what has become of its rows.

    Args:
        path: The GeoPackage.
        values: The provenance.
        is_sealed: Nothing was changed since gravecli wrote the map.
        changes: The changed rows; None if the map does not tell.
        graves: Number of graves now.
        data: Folder and shared annotations of the training.
    """

    path: Path
    values: Mapping[str, str]
    is_sealed: bool
    changes: RowChanges | None
    graves: int
    data: DataSettings

    def __getitem__(self, key: str) -> str:
        """Return a value of the provenance; empty if there is none."""
        value = self.values.get(key, "")
        return value if isinstance(value, str) else ""


def read_record(path: Path) -> MapRecord:
    """Read the record of a map, and compare its rows. The file is not changed.

    Args:
        path: The GeoPackage.

    Raises:
        DatasetError: The file is no map of gravecli.
        ExportError: Another program has it open, or has left edits beside it.
    """
    if not os.path.isfile(path):  # SQLite would wait for ever at a named pipe
        fault = "not a file" if os.path.exists(path) else "file is missing"
        raise DatasetError(fault, where=path, expected="a map of predict-cemetery")
    refuse_open_geopackage(path)
    try:
        with closing(open_unlocked(path)) as database:
            values = read_provenance(database)
            is_sealed = values.get(SEAL_KEY) == content_seal(database)
            text = values.get(RECORD_KEY)
            changes = compare_rows(database, text) if isinstance(text, str) else None
            graves = _count(database)
    except sqlite3.Error as error:
        raise DatasetError(
            f"not a map of gravecli: {error}",
            where=path,
            expected=f"a GeoPackage of predict-cemetery, with the table {PROVENANCE}",
        ) from None
    return MapRecord(path, values, is_sealed, changes, graves, recorded_data(values))


def _count(database: sqlite3.Connection) -> int:
    try:
        (number,) = database.execute(f"SELECT count(*) FROM {GRAVES}").fetchone()
    except sqlite3.OperationalError:  # somebody has removed the table
        return 0
    return int(number)
