"""The arrays of parts in memory or, if they are too large for it, in memory-mapped files.

The files of a part lie in a folder whose name identifies their content. It holds a record of them:
files that do not match it are never used, but made anew. One process at a time makes them, and they
appear whole or not at all.
"""

import hashlib
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from threading import Event

import numpy as np
import shapely
from pydantic import BaseModel, ConfigDict, ValidationError

from grave_cli import __version__
from grave_cli.atomic_writes import cache_errors, whole_file, whole_folder
from grave_cli.dataset.cemetery_arrays import CemeteryArrays, memory_bytes, read_part
from grave_cli.dataset.identity.dataset_id import dataset_id
from grave_cli.dataset.in_threads import map_in_threads
from grave_cli.dataset.manifest import Manifest
from grave_cli.dataset.open_files import allow_open_files
from grave_cli.dataset.plans import PartPlan
from grave_cli.errors import ExportError
from grave_cli.owners.claims import claimed, is_claimed
from grave_cli.owners.leftovers import discard, sweep
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.recipe import InputRecipe

_RECORD = "arrays.json"
_BYTES_AT_A_TIME = 1e9


class _FileRecord(BaseModel):
    """What is known of one file: if its time has changed, the digest decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    mtime_ns: int
    sha256: str


class _Record(BaseModel):
    """The record of a folder: its files by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: dict[str, _FileRecord]


def read_parts(
    plans: Sequence[PartPlan],
    recipe: InputRecipe,
    *,
    max_bytes: float,
    cache: Path,
    progress: Progress = SILENT,
) -> list[CemeteryArrays]:
    """Read parts into memory if they fit, or else into memory-mapped files.

    Args:
        plans: The parts.
        recipe: Elevation features and range of 16-bit values.
        max_bytes: Largest total size of the arrays in memory, bytes.
        cache: Folder for memory-mapped files; created only when needed.
        progress: Progress listener; it counts parts.

    Raises:
        DatasetError: The system allows too few open files.
        ExportError: The files cannot be written, or damaged ones cannot be replaced.
        RasterReadError: A raster cannot be used.
    """
    sizes = [memory_bytes(plan, recipe) for plan in plans]
    mapped = sum(sizes) > max_bytes
    if mapped:
        sweep(cache)
        allow_open_files(len(plans) * len(_array_names()))

    over = Event()

    def read(plan: PartPlan) -> CemeteryArrays:
        return _cached(plan, recipe, cache, progress, over) if mapped else read_part(plan, recipe)

    # Large parts are read one after the other, because several would need too much memory.
    threads = max(1, int(_BYTES_AT_A_TIME // max(sizes, default=1)))
    # The parts of a cemetery are read in one thread: they share what is measured of it.
    wholes: dict[int, list[int]] = {}
    for number, plan in enumerate(plans):
        wholes.setdefault(id(plan.whole), []).append(number)
    arrays: dict[int, CemeteryArrays] = {}
    with progress.task("Reading cemeteries", len(plans), "parts") as advance:
        together = map_in_threads(
            lambda numbers: [read(plans[number]) for number in numbers],
            wholes.values(),
            threads,
            over,
        )
        for numbers, parts in zip(wholes.values(), together, strict=True):
            arrays.update(zip(numbers, parts, strict=True))
            advance(len(numbers))
    return [arrays[number] for number in range(len(plans))]


def _cached(
    plan: PartPlan, recipe: InputRecipe, cache: Path, progress: Progress, over: Event
) -> CemeteryArrays:
    """Map the files of a part, which are made first if they are missing or damaged."""
    folder = cache / _cache_key(plan, recipe)
    if not is_claimed(folder) and (arrays := _load(plan, folder)):
        return arrays

    def say_wait() -> None:
        progress.note(f"Waiting for another process, which reads {plan.part.name}")

    with cache_errors(cache), claimed(folder, math.inf, say_wait, over=over):
        return _load(plan, folder) or _renewed(plan, recipe, folder, progress)


def _renewed(
    plan: PartPlan, recipe: InputRecipe, folder: Path, progress: Progress
) -> CemeteryArrays:
    if folder.exists():
        progress.note(f"{folder}: damaged, so {plan.part.name} is read again")
        discard(folder)
    _save(read_part(plan, recipe), folder)
    arrays = _load(plan, folder)
    if arrays is None:
        raise ExportError(
            "damaged files cannot be replaced",
            where=folder,
            remedy="delete this folder, or set another work_dir",
        )
    return arrays


def _cache_key(plan: PartPlan, recipe: InputRecipe) -> str:
    cemetery = plan.part.cemetery
    place = cemetery.orthophoto.resolve()
    files = dataset_id(Manifest(cemetery.orthophoto.parent.parent, (cemetery,)))
    # The same files with another layer or filter have other graves.
    graves, area = plan.whole.graves.polygons, plan.whole.area
    shapes = [shapely.to_wkb(graves).tolist(), shapely.to_wkb(area)]
    # Another version may read the same files in another way.
    text = repr((__version__, place, files, shapes, plan.window, recipe.model_dump_json()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _array_names() -> tuple[str, ...]:
    plain = {"part", "grid", "graves"}
    return tuple(field.name for field in fields(CemeteryArrays) if field.name not in plain)


def _save(arrays: CemeteryArrays, folder: Path) -> None:
    with whole_folder(folder) as new:
        for name in _array_names():
            array = getattr(arrays, name)
            if array is not None:
                np.save(new / f"{name}.npy", array)
        record = _Record(files={path.name: _describe(path) for path in new.glob("*.npy")})
        (new / _RECORD).write_text(record.model_dump_json(), encoding="utf-8")


def _load(plan: PartPlan, folder: Path) -> CemeteryArrays | None:
    """Map the files of a folder; None if it is missing or does not match its record."""
    try:
        record = _Record.model_validate_json((folder / _RECORD).read_bytes())
        present = {path.name for path in folder.glob("*.npy")}
        if present != record.files.keys():
            return None
        if not all(_matches(folder / name, known) for name, known in record.files.items()):
            return None
        stored = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r")
            for name in _array_names()
            if f"{name}.npy" in present
        }
        _renew_times(folder, record)
        absent = {"elevation": None, "labelled": None}
        return CemeteryArrays(plan.part, plan.grid, plan.graves, **{**absent, **stored})
    except (OSError, ValidationError, ValueError, TypeError):
        return None


def _describe(path: Path) -> _FileRecord:
    status = path.stat()
    return _FileRecord(size=status.st_size, mtime_ns=status.st_mtime_ns, sha256=_digest(path))


def _matches(path: Path, known: _FileRecord) -> bool:
    """Compare a file with its record; it is read only if its time has changed."""
    status = path.stat()
    if status.st_size != known.size:
        return False
    return status.st_mtime_ns == known.mtime_ns or _digest(path) == known.sha256


def _renew_times(folder: Path, record: _Record) -> None:
    """Record the times of files that were copied or moved, so that they are read only once."""
    now = {name: (folder / name).stat().st_mtime_ns for name in record.files}
    if all(now[name] == known.mtime_ns for name, known in record.files.items()):
        return
    files = {
        name: known.model_copy(update={"mtime_ns": now[name]})
        for name, known in record.files.items()
    }
    with suppress(ExportError), whole_file(folder / _RECORD) as new:
        new.write_text(_Record(files=files).model_dump_json(), encoding="utf-8")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
