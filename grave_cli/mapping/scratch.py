"""Where the probabilities of large cemeteries lie until the graves are drawn, and what is resumed.

Each prediction has a folder of its own below `work_dir/cache/predictions`, named after everything
its probabilities depend on: a killed prediction, run again, finds its finished sections. The folder
goes when the graves are drawn; those that nobody came back to go after a week.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import shapely

from grave_cli.dataset.identity.dataset_id import dataset_id
from grave_cli.dataset.manifest import Cemetery, Manifest
from grave_cli.mapping.probability_map import SectionFiles, Shelf
from grave_cli.mapping.scene import Scene
from grave_cli.mapping.tiling import Tiling

_OWNER = "owner.txt"
_STALE_S = 7 * 24 * 3600.0
_FORMAT = 1  # of the sections; a new one makes old folders useless


def prediction_key(scene: Scene, tiling: Tiling, model: str, engine: str) -> str:
    """Fingerprint everything that probabilities depend on; thresholds do not count.

    Args:
        scene: Orthophoto, DEM, grid, recipe and area.
        tiling: The size of tiles.
        model: Fingerprint of the weights.
        engine: Name of what computes.

    Raises:
        DatasetError: A file is gone.
    """
    paths = [raster.path for raster in (scene.orthophoto, scene.dem) if raster]
    files = [(str(path.resolve()), _identity(path)) for path in paths]
    recipe, area = scene.recipe.model_dump_json(), shapely.to_wkb(scene.aoi, hex=True)
    text = repr((_FORMAT, files, scene.grid, recipe, area, tiling, model, engine))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def scratch(folder: Path, key: str, *, resume: bool) -> Iterator[Shelf]:
    """Keep sections in files while the block runs; they stay when it is killed or fails.

    Args:
        folder: Below which each prediction has its own.
        key: Names the prediction.
        resume: Keep finished sections that are there from an earlier try.
    """
    mine = folder / key
    if _is_in_use(mine):
        mine = folder / f"{key}-{os.getpid()}"
    if not resume:
        shutil.rmtree(mine, ignore_errors=True)
    _sweep(folder)
    mine.mkdir(parents=True, exist_ok=True)
    process, owner = psutil.Process(), mine / _OWNER
    owner.write_text(f"{process.pid} {process.create_time()}", encoding="ascii")
    try:
        yield SectionFiles(mine)
    finally:
        owner.unlink()
    shutil.rmtree(mine)
    for parent in (folder, folder.parent, folder.parent.parent):
        with suppress(OSError):  # it is not empty
            parent.rmdir()


def _identity(path: Path) -> str:
    """Fingerprint a file, and what belongs to it, as data sets are: by sizes and times."""
    return dataset_id(Manifest(path.parent, (Cemetery(path.stem, path),)))


def _is_in_use(folder: Path) -> bool:
    """Tell whether the process that owns a folder is still running."""
    try:
        pid, created = (folder / _OWNER).read_text(encoding="ascii").split()
        return psutil.Process(int(pid)).create_time() == float(created)
    except (OSError, ValueError, psutil.Error):
        return False


def _sweep(folder: Path) -> None:
    """Remove what nobody has come back to."""
    if not folder.is_dir():
        return
    oldest = time.time() - _STALE_S
    for other in folder.iterdir():
        if other.stat().st_mtime < oldest and not _is_in_use(other):
            shutil.rmtree(other, ignore_errors=True)
