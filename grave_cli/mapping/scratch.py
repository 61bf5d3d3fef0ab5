"""Scratch folders: where the probabilities of large cemeteries lie until the graves are drawn.

Each prediction has a folder of its own below `work_dir/cache/predictions`, and claims it. The name
of the folder begins with a key of everything that the probabilities depend on, such as
`3f9a…~5be10c77`: a killed prediction, run again, finds its finished sections. The folder is deleted
when the graves are drawn; abandoned folders are deleted after a week.
"""

import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import shapely

from grave_cli.atomic_writes import cache_errors
from grave_cli.dataset.identity.dataset_id import dataset_id
from grave_cli.dataset.manifest import Cemetery, Manifest
from grave_cli.errors import InUseError
from grave_cli.mapping.probability_map import SectionFiles, Shelf
from grave_cli.mapping.scene import Scene
from grave_cli.mapping.tiling import Tiling
from grave_cli.owners.claims import check_claims, claimed
from grave_cli.owners.leftovers import sweep

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
        InUseError: Another process has taken over the folder.
    """
    sweep(folder)
    _delete_old(folder)
    with ExitStack() as stack:
        mine = stack.enter_context(_claimed(folder, key, resume))
        yield SectionFiles(mine)
        check_claims()
        shutil.rmtree(mine, ignore_errors=True)
    for parent in (folder, folder.parent, folder.parent.parent):
        with suppress(OSError):  # it is not empty
            parent.rmdir()


def _identity(path: Path) -> str:
    """Fingerprint a file and its sidecars like a data set: by sizes and times."""
    return dataset_id(Manifest(path.parent, (Cemetery(path.stem, path),)))


@contextmanager
def _claimed(folder: Path, key: str, resume: bool) -> Iterator[Path]:
    """Claim the newest abandoned folder of a prediction, or a new one, while the block runs."""
    for left in [path for path in _folders(folder) if _key(path) == key]:
        with ExitStack() as stack:
            try:
                stack.enter_context(claimed(left, 0))
                os.utime(left)  # it is in use again
            except (InUseError, OSError):  # of another process, or finished meanwhile
                continue
            if resume:
                yield left
                return
            shutil.rmtree(left, ignore_errors=True)
    mine = folder / f"{key}~{secrets.token_hex(4)}"
    with ExitStack() as stack:
        with cache_errors(folder):
            stack.enter_context(claimed(mine))
            mine.mkdir()
        yield mine


def _delete_old(folder: Path) -> None:
    """Delete folders that have not changed for a week, unless a living process has claimed them."""
    oldest = time.time() - _STALE_S
    for left in _folders(folder):
        with suppress(OSError, InUseError):
            if left.stat().st_mtime < oldest:
                with claimed(left, 0):
                    shutil.rmtree(left, ignore_errors=True)


def _folders(folder: Path) -> list[Path]:
    """List the folders of all predictions, the newest first."""
    dated: list[tuple[float, Path]] = []
    with suppress(FileNotFoundError):
        for path in folder.glob("[!.]*"):
            with suppress(FileNotFoundError):  # another process has just removed it
                dated.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(dated, reverse=True)]


def _key(folder: Path) -> str:
    return folder.name.split("~")[0]
