"""Temporary files and folders, with the owner in their names: what a killed process left is swept.

Example: `.gravecli-office-2~4711~1732612345~5be10c77….gpkg`, and its sidecars such as SQLite's
journal, whose names begin alike.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from grave_cli.processes import owner_of, owner_tag

_PREFIX = ".gravecli-"
_ABANDONED_S = 24 * 3600.0  # of an owner that cannot be asked: no file takes longer to write
_PATIENCE_S = 5.0  # for making a folder that another process removes each time


def temporary_path(folder: Path, suffix: str = "") -> Path:
    """Return an unused name in a folder, which tells the process."""
    return folder / f"{_PREFIX}{owner_tag()}~{secrets.token_hex(8)}{suffix}"


@contextmanager
def kept_folder(folder: Path) -> Iterator[None]:
    """Create a folder, and keep other processes from removing it as an empty one meanwhile.

    Raises:
        OSError: It cannot be created.
    """
    guard = temporary_path(folder, ".guard")
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            guard.open("xb").close()
            break
        except (FileNotFoundError, FileExistsError):  # removed before or after it was made
            is_other = os.path.lexists(folder) and not folder.is_dir()
            if is_other or time.monotonic() > deadline:
                raise
    try:
        yield
    finally:
        with suppress(OSError):
            guard.unlink()


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Make a folder for the time of the block.

    Args:
        parent: Folder in which it is made; created if missing.

    Raises:
        OSError: It cannot be created.
    """
    with kept_folder(parent):
        folder = temporary_path(parent)
        folder.mkdir()
    try:
        yield folder
    finally:
        remove(folder)


def sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder; that of other machines after a day."""
    oldest = time.time() - _ABANDONED_S
    with suppress(OSError):
        for left in list(folder.glob(f"{_PREFIX}*")):
            with suppress(OSError):
                owner = owner_of(left.name.removeprefix(_PREFIX).rpartition("~")[0])
                if owner == "none" or (owner != "here" and left.stat().st_mtime < oldest):
                    remove(left)


def sweep_work_dir(work_dir: Path) -> None:
    """Remove what killed processes left anywhere in a work folder, where gravecli writes."""
    for pattern in (".", "cache", "cache/*", "cache/*/*", "unfinished/*"):
        with suppress(OSError):
            for folder in list(work_dir.glob(pattern)) if "*" in pattern else [work_dir / pattern]:
                sweep(folder)


def remove(path: Path) -> None:
    """Remove a temporary file or folder, and its sidecars."""
    for left in list(path.parent.glob(f"{path.stem}*")):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with suppress(OSError):
                left.unlink()


def discard(folder: Path) -> None:
    """Remove a folder so that nobody sees a half of it.

    Raises:
        OSError: It cannot be removed.
    """
    gone = temporary_path(folder.parent)
    folder.rename(gone)
    remove(gone)
