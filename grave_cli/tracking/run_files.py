"""Location of the files of runs, also after a project folder was moved, renamed or copied.

MLflow records absolute paths. If the store is a SQLite file in work_dir, they are only a hint: the
files belong to the folder that the store lies in now.
"""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from grave_cli.errors import TrackingError
from grave_cli.settings.tree import Settings
from grave_cli.tracking.store import (
    STORE_FILE,
    artifact_root,
    check_writable,
    is_server,
    own_file,
    tracking_store,
)

if TYPE_CHECKING:
    from mlflow.entities import Run

_BUSY_S = 60  # time SQLite waits for another process to finish writing


def run_folder(run: "Run", settings: Settings) -> Path | None:
    """Return the folder with the files of a run; None if they are on a server or in a cloud store.

    Args:
        run: The run.
        settings: The store that holds it.
    """
    return _folder(run.info.run_id, run.info.artifact_uri, settings)


def check_places(settings: Settings) -> None:
    """Find out before any work whether runs and their files can be recorded; nothing is left.

    Raises:
        TrackingError: The store cannot be opened or written, or no file can be made in the folder
            for the files of runs or for those of unfinished runs.
    """
    check_writable(settings)
    artifacts = None if is_server(settings) else local_folder(artifact_root(settings))
    folders = {"tracking.artifacts": artifacts, "work_dir": settings.work_dir / "unfinished"}
    for setting, folder in folders.items():
        if folder is not None and (reason := _refusal(folder)):
            raise TrackingError(
                f"files of runs cannot be written: {reason}",
                where=folder,
                remedy=f"check its permissions, or set {setting} to another folder",
            )


def _refusal(folder: Path) -> str:
    """Say why no file can be made in a folder that may be missing yet; empty if one can."""
    there = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not os.path.isdir(there):
        return f"{there} is not a folder"
    try:
        tempfile.TemporaryFile(dir=there).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def record_locations(settings: Settings, writing: str = "") -> None:
    """Record where the files of runs are now, so that MLflow finds those of a moved project.

    Args:
        settings: The store; only a SQLite file in work_dir is changed.
        writing: Run that this process writes. Other running ones stay as they are: their process
            may know the folder by another path, for example in a container.

    Raises:
        TrackingError: The store cannot be written.
    """
    file = own_file(settings)
    if file is None:
        return
    try:
        with closing(sqlite3.connect(file, timeout=_BUSY_S)) as database, database:
            _record(database, settings, writing)
    except sqlite3.Error as error:
        raise tracking_store(settings).fault(error) from None
    _forget(writing)


def _record(database: sqlite3.Connection, settings: Settings, writing: str) -> None:
    rows = database.execute(
        "SELECT run_uuid, artifact_uri FROM runs WHERE status != 'RUNNING' OR run_uuid = ?",
        [writing],
    ).fetchall()
    for run_id, old in rows:
        folder = _folder(run_id, old, settings)
        if folder is None or folder == local_folder(old):
            continue
        new = folder.as_uri()
        database.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", [new, run_id])
    new_runs = artifact_root(settings)
    if local_folder(new_runs) is not None:
        database.execute(
            "UPDATE experiments SET artifact_location = ?"
            " WHERE name = ? AND artifact_location LIKE 'file:%' AND artifact_location != ?",
            [new_runs, settings.tracking.experiment, new_runs],
        )


def _forget(run_id: str) -> None:
    """Make MLflow look up the location of a run again, which it keeps as long as a process lives.

    A process may open the same run in a project and in its copy.
    """
    from mlflow.tracking._tracking_service import utils

    utils._artifact_repos_cache.pop(run_id, None)


def _folder(run_id: str, uri: str, settings: Settings) -> Path | None:
    """Return the folder of a run below the present artifact root, unless its files lie elsewhere.

    They may lie elsewhere on purpose, because `tracking.artifacts` named another disk. A folder
    beside another store belongs to the project that this one was copied from.
    """
    recorded, root = local_folder(uri), local_folder(artifact_root(settings))
    if recorded is None or root is None or own_file(settings) is None:
        return recorded
    here = root / run_id / recorded.name
    # Not Path.is_dir, which raises for the folders of another account.
    is_elsewhere = os.path.isdir(recorded) and not _lies_beside_a_store(recorded)
    return recorded if is_elsewhere and not os.path.isdir(here) else here


def _lies_beside_a_store(folder: Path) -> bool:
    """Report whether the files of a run lie in the work_dir of a project.

    Example: `runs/artifacts/<run id>/artifacts`, beside `runs/mlflow.db`.
    """
    return any(os.path.isfile(parent / STORE_FILE) for parent in folder.parents[:3])


def local_folder(uri: str) -> Path | None:
    """Return the folder of a file URI or plain path; None for a remote URI."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    return Path(url2pathname(parts.path))
