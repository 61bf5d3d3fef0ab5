"""The SQLite file of a tracking store, opened so that nothing in it can change."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from grave_cli.settings.tree import Settings
from grave_cli.tracking.store import tracking_store

SCHEMAS = frozenset(
    {
        *("da6fb0208061", "89d3d66ed43f", "b7e4c1a90f23", "a8b9c0d1e2f3", "c1d2e3f4a5b6"),
        *("c3d9e7f1a2b4", "6f8d9c3b2a1e", "1971f2d9a75b", "17e22815139b", "b7e2c1a4d9f3"),
        *("75868b020152", "dc11669786a5"),
    }
)
"""Versions of MLflow's tables that can be read here: all of them have the same columns in `TABLES`.

Source: the migrations of MLflow 3.17, from the oldest to the newest.
"""

TABLES = (
    *("experiments", "runs", "latest_metrics", "metrics", "params", "tags"),
    *("model_versions", "model_version_tags", "registered_model_aliases"),
)
"""Tables that are read."""

Rows = list[tuple[Any, ...]]

_DEFAULT_WORKSPACE = "default"


class StoreFile:
    """A SQLite file with MLflow's tables.

    Args:
        path: The file.
        settings: The store; `tracking.wait_s` bounds the wait for a locked file.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._settings = settings

    def is_known(self) -> bool:
        """Tell whether the file is whole, of a known version, and not shared by workspaces.

        Raises:
            TrackingError: It is locked.
        """
        try:
            with self._open() as database:
                versions = database.execute("SELECT version_num FROM alembic_version").fetchall()
                if len(versions) != 1 or versions[0][0] not in SCHEMAS:
                    return False
                for table in TABLES:
                    database.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
                others = "SELECT 1 FROM experiments WHERE workspace != ? LIMIT 1"
                return database.execute(others, [_DEFAULT_WORKSPACE]).fetchone() is None
        except sqlite3.Error:  # MLflow repairs what a killed process left, and names other faults
            return False

    def ask(self, query: str, values: Sequence[object]) -> Rows:
        """Return all rows of a query.

        Raises:
            TrackingError: The file is locked or damaged.
        """
        try:
            with self._open() as database:
                return database.execute(query, values).fetchall()
        except UnicodeEncodeError:  # a name that no text can hold, so nothing has it
            return []
        except sqlite3.Error as error:
            raise tracking_store(self._settings).fault(error) from None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        place = f"{self._path.absolute().as_uri()}?mode=ro"
        wait_s = self._settings.tracking.wait_s
        try:
            with closing(sqlite3.connect(place, uri=True, timeout=wait_s)) as database:
                yield database
        except sqlite3.OperationalError as error:
            if "locked" in str(error):  # MLflow would wait as long again
                raise tracking_store(self._settings).fault(error) from None
            raise
