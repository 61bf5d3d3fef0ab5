"""Scratch folders: where the probabilities of large cemeteries lie until the graves are drawn.

Each prediction has a folder of its own below `work_dir/cache/predictions`. The name of the folder
begins with a key of everything that the probabilities depend on: a killed prediction, run again,
finds its finished sections. The folder is deleted when the graves are drawn; abandoned folders are
deleted after a week.

The name also holds the owner, so a single rename takes over an abandoned folder and records the new
owner. Only one process can win that rename, because no name is used twice:

    3f9a…~5be10c77                        no owner: its prediction failed
    3f9a…~c04d9a01~office-2~4711~1732…    process 4711 of host office-2, started at 1732… s
"""

import hashlib
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import shapely

from grave_cli.dataset.identity.dataset_id import dataset_id
from grave_cli.dataset.manifest import Cemetery, Manifest
from grave_cli.errors import ExportError
from grave_cli.leftovers import kept_folder, sweep
from grave_cli.mapping.probability_map import SectionFiles, Shelf
from grave_cli.mapping.scene import Scene
from grave_cli.mapping.tiling import Tiling
from grave_cli.processes import owner_of, owner_tag

_STALE_S = 7 * 24 * 3600.0
_FORMAT = 2  # of the section files; a new number invalidates old folders


def prediction_key(scene: Scene, tiling: Tiling, model: str, engine: str) -> str:
    """Fingerprint everything that probabilities depend on; thresholds do not matter.

    Args:
        scene: Orthophoto, DEM, grid, recipe and area.
        tiling: The size of tiles.
        model: Fingerprint of the weights.
        engine: Name of the engine.

    Raises:
        DatasetError: A file is gone.
    """
    dtm = scene.dem and scene.dem.terrain
    paths = [raster.path for raster in (scene.orthophoto, scene.dem, dtm) if raster]
    files = [(str(path.resolve()), _identity(path)) for path in paths]
    recipe, area = scene.recipe.model_dump_json(), shapely.to_wkb(scene.aoi, hex=True)
    text = repr((_FORMAT, files, scene.grid, recipe, area, tiling, model, engine))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def scratch(folder: Path, key: str, *, resume: bool) -> Iterator[Shelf]:
    """Keep sections in files while the block runs; they stay when it is killed or fails.

    Args:
        folder: Parent of the folders of all predictions.
        key: Names the prediction.
        resume: Keep the finished sections of an earlier try.

    Raises:
        ExportError: The folder cannot be made.
    """
    sweep(folder)
    _delete_old(folder)
    mine = _claim(folder, key, resume)
    try:
        yield SectionFiles(mine)
    except BaseException:
        # Windows renames no folder with open files; there the end of the process frees it.
        with suppress(OSError):
            mine.rename(folder / _new_name(key))
        raise
    shutil.rmtree(mine, ignore_errors=True)
    for parent in (folder, folder.parent, folder.parent.parent):
        with suppress(OSError):  # it is not empty
            parent.rmdir()


def _identity(path: Path) -> str:
    """Fingerprint a file and its sidecars like a data set: by sizes and times."""
    return dataset_id(Manifest(path.parent, (Cemetery(path.stem, path),)))


def _claim(folder: Path, key: str, resume: bool) -> Path:
    """Take over the newest abandoned folder of a prediction, or make a new one."""
    for left in _folders(folder):
        if _key(left) != key or _owner(left) != "none":
            continue
        if not resume:
            _delete(left)
        elif mine := _take_over(left):
            return mine
    mine = folder / _owned_name(key)
    try:
        with kept_folder(folder):  # a prediction that ends removes empty folders
            mine.mkdir()
    except OSError as error:
        raise ExportError(
            f"cannot be written: {error.strerror}",
            where=folder,
            remedy="check the permissions of work_dir, or set another one",
        ) from None
    return mine


def _take_over(left: Path) -> Path | None:
    """Make an abandoned folder one's own; None if another process was faster."""
    mine = left.with_name(_owned_name(_key(left)))
    try:
        left.rename(mine)
        mine.touch()  # it is in use again
    except OSError:
        return None
    return mine


def _delete(left: Path) -> None:
    if mine := _take_over(left):
        shutil.rmtree(mine, ignore_errors=True)


def _delete_old(folder: Path) -> None:
    """Delete folders that have not changed for a week, unless a process of this host owns them."""
    oldest = time.time() - _STALE_S
    for left in _folders(folder):
        with suppress(OSError):
            if left.stat().st_mtime < oldest and _owner(left) != "here":
                _delete(left)


def _folders(folder: Path) -> list[Path]:
    """List the folders of all predictions, the newest first."""
    dated: list[tuple[float, Path]] = []
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            with suppress(FileNotFoundError):  # another process has just removed it
                dated.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(dated, reverse=True)]


def _new_name(key: str) -> str:
    return f"{key}~{secrets.token_hex(4)}"


def _owned_name(key: str) -> str:
    return f"{_new_name(key)}~{owner_tag()}"


def _key(folder: Path) -> str:
    return folder.name.split("~")[0]


def _owner(folder: Path) -> Literal["none", "here", "elsewhere", "unknown"]:
    """Return where the owner of a folder is alive; a folder that was given up has none."""
    tag = folder.name.split("~", 2)[2:]
    return owner_of(tag[0]) if tag else "none"
