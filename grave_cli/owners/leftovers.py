"""Temporary files and folders, with the owner in their names: what a dead process left is swept.

Example: `.gravecli-office-2~860b7cf14ce0-f0000001~4711~1732612345~5be10c77….gpkg`, and its sidecars
such as SQLite's journal, whose names begin alike. Beside them lies the heartbeat of their process.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from grave_cli.owners import heartbeat
from grave_cli.owners.tags import Owner, owner_of, owner_tag

PREFIX = ".gravecli-"
BEAT = ".beat"
"""Ending of heartbeats."""
_ABANDONED_S = 24 * 3600.0  # of an unknown owner, which has no heartbeat: no file takes longer
_PATIENCE_S = 5.0  # for making a folder that another process removes each time


def temporary_path(folder: Path, suffix: str = "") -> Path:
    """Return an unused name in a folder, which tells the process."""
    return folder / f"{PREFIX}{owner_tag()}~{secrets.token_hex(8)}{suffix}"


def maker_of(path: Path) -> Owner | None:
    """Return the process that made a temporary file; None if its name does not tell."""
    return owner_of(path.name.removeprefix(PREFIX))


@contextmanager
def kept_folder(folder: Path, mark: str = "") -> Iterator[Path]:
    """Create a folder, and keep other processes from removing it as an empty one meanwhile.

    It holds a heartbeat of this process while the block runs.

    Args:
        folder: The folder.
        mark: Part of the name of the heartbeat.

    Yields:
        The heartbeat.

    Raises:
        OSError: It cannot be created.
    """
    beat = temporary_path(folder, f"{mark}{BEAT}")
    deadline = time.monotonic() + _PATIENCE_S
    with ExitStack() as stack:
        while True:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(heartbeat.beating(beat))
                break
            except (FileNotFoundError, FileExistsError):  # removed before or after it was made
                is_other = os.path.lexists(folder) and not folder.is_dir()
                if is_other or time.monotonic() > deadline:
                    raise
        yield beat


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


def is_dead(owner: Owner, folder: Path) -> bool:
    """Tell whether the owner of something in a folder is known to be dead.

    A process that the system shows is looked at. Any other is dead when its traces in the folder
    are too old; if it has none there, nothing is known of it.

    Args:
        owner: The process.
        folder: The folder.
    """
    if (runs := owner.runs) is not None:
        return not runs
    silent_s = silence_s(owner, folder)
    return silent_s is not None and silent_s > heartbeat.PULSE.dead_after_s


def silence_s(owner: Owner, folder: Path) -> float | None:
    """Return the seconds since a process gave a sign of life in a folder; None if unknown."""
    traces = [path for path in folder.glob(f"{PREFIX}*") if maker_of(path) == owner]
    return heartbeat.seconds_since(traces, temporary_path(folder, BEAT)) if traces else None


def sweep(folder: Path) -> None:
    """Remove what dead processes left in a folder."""
    oldest = time.time() - _ABANDONED_S
    dead: dict[Owner | None, bool] = {}
    with suppress(OSError):
        for left in list(folder.glob(f"{PREFIX}*")):
            with suppress(OSError):
                owner = maker_of(left)
                if owner is not None and owner not in dead:
                    dead[owner] = is_dead(owner, folder)
                if dead.get(owner, left.stat().st_mtime < oldest):
                    remove(left)


def sweep_work_dir(work_dir: Path) -> None:
    """Remove what dead processes left anywhere in a work folder, where gravecli writes."""
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
