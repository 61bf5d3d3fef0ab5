"""The cemeteries to map, from files, folders and lists: each with its DEM and its map's place."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from grave_cli.dataset.file_kinds import DEM, KINDS, ORTHOPHOTO, bears_tag, name_of
from grave_cli.dataset.named_files import (
    HeightFiles,
    HeightSearch,
    cemetery_name,
    find_files,
    readable,
)
from grave_cli.dataset.odm_project import read_project
from grave_cli.errors import DatasetError, SettingsError
from grave_cli.progress import SILENT, Progress
from grave_cli.regular_files import check_regular
from grave_cli.wording import counted

LIST_MARK = "@"
"""First letter of an argument that names a list of orthophotos."""

SLURM_TASK, SLURM_COUNT = "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"
_SLURM_FIRST, _SLURM_LAST = "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX"
_SLURM_STEP = "SLURM_ARRAY_TASK_STEP"

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One cemetery to map.

    Args:
        cemetery: Cemetery id.
        orthophoto: RGB(A) image.
        heights: Its heights.
        out: The GeoPackage to write.
    """

    cemetery: str
    orthophoto: Path
    heights: HeightFiles
    out: Path

    @property
    def dem(self) -> Path | None:
        """Heights of the surface; None without them."""
        return self.heights.dem


@dataclass(frozen=True)
class Shard:
    """One of several equal shares of the cemeteries, each for a process of its own.

    Args:
        index: Which one, from 0.
        count: How many there are.
    """

    index: int
    count: int

    def __str__(self) -> str:
        """Name the shard as `--shard` does, from 1."""
        return f"{self.index + 1}/{self.count}"

    def take(self, jobs: Sequence[T]) -> tuple[T, ...]:
        """Return every `count`-th job."""
        return tuple(jobs[self.index :: self.count])


def are_many(given: Sequence[Path]) -> bool:
    """Return whether arguments name more than one orthophoto, or may do so."""
    return len(given) > 1 or any(is_list(path) or _is_folder(path) for path in given)


def single_orthophoto(given: Path) -> Path:
    """Return the orthophoto that an argument names: itself, or that of a drone project."""
    project = read_project(given)
    return given if project is None else project.orthophoto


def _is_folder(path: Path) -> bool:
    """Return whether a path is a folder that is not the project of a single cemetery."""
    return os.path.isdir(path) and read_project(path) is None


def is_list(path: Path) -> bool:
    """Return whether an argument names a list of orthophotos."""
    return str(path).startswith(LIST_MARK) and not os.path.exists(path)


def list_jobs(
    given: Sequence[Path],
    out: Path,
    dem_folder: Path | None = None,
    link: Callable[[Path], Path] = lambda path: path,
    progress: Progress = SILENT,
) -> tuple[Job, ...]:
    """List the cemeteries to map, sorted by name.

    Args:
        given: Orthophotos, folders with orthophotos, and lists of orthophotos ("@list.txt").
        out: Folder of the maps.
        dem_folder: Where the DEMs lie; None: see `sibling_heights`.
        link: Makes a link file of an address in a list, and leaves paths as they are.
        progress: Receives a note for each picture or folder of pictures that is passed over.

    Raises:
        DatasetError: A file or folder is missing, a folder holds no orthophoto, or two orthophotos
            bear one name.
    """
    if dem_folder is not None and not os.path.isdir(dem_folder):
        raise DatasetError("folder of DEMs is missing", where=dem_folder, remedy="check --dem-dir")
    jobs: dict[str, Job] = {}
    search = HeightSearch()
    # Neither the maps of an earlier run nor the DEMs are orthophotos that were forgotten.
    apart = {one.resolve() for one in (out, dem_folder) if one is not None}
    for orthophoto in _orthophotos(given, link, apart, progress):
        name = cemetery_name(orthophoto)
        if (other := jobs.get(name)) is not None:
            raise DatasetError(
                f"two orthophotos are named {name}",
                where=orthophoto,
                found=f"also {other.orthophoto}",
                remedy="rename one of them, or map them into two folders",
            )
        heights = (
            search.in_folder(orthophoto, dem_folder) if dem_folder else search.siblings(orthophoto)
        )
        jobs[name] = Job(name, orthophoto, heights, out / f"{name}.gpkg")
    return tuple(jobs[name] for name in sorted(jobs))


def read_shard(text: str) -> Shard:
    """Read a shard such as "3/8".

    Raises:
        SettingsError: The text is not a shard.
    """
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise SettingsError(
            "shard cannot be read", found=text, expected="I/N with 1 <= I <= N, such as 3/8"
        )
    return Shard(int(index) - 1, int(count))


def slurm_shard(environ: Mapping[str, str] = os.environ) -> Shard | None:
    """Return the shard of a task of a Slurm job array; None outside of one.

    Raises:
        SettingsError: The tasks have gaps, such as 3 and 7 of an array of which only these are
            submitted again: they would be other shards than before.

    Source: https://slurm.schedmd.com/job_array.html
    """
    names = (SLURM_TASK, SLURM_COUNT, _SLURM_FIRST, _SLURM_STEP)
    defaults = ("", "", "0", "1")
    values = [environ.get(name, default) for name, default in zip(names, defaults, strict=True)]
    if not all(value.isdecimal() for value in values):
        return None
    task, count, first, step = (int(value) for value in values)
    index = (task - first) // max(step, 1)
    last = environ.get(_SLURM_LAST, "")
    tasks = (int(last) - first) // max(step, 1) + 1 if last.isdecimal() else count
    if tasks != count or not 0 <= index < count:
        raise SettingsError(
            "a Slurm job array with gaps cannot be divided",
            found=f"task {task}, {counted(count, 'task')} from {first}",
            expected="tasks without gaps, such as --array=1-8",
            remedy="submit the whole array again, which keeps finished maps, or name --shard I/N",
        )
    return Shard(index, count)


def _orthophotos(
    given: Sequence[Path],
    link: Callable[[Path], Path],
    apart: Collection[Path],
    progress: Progress,
) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in given:
        for orthophoto in _of_argument(path, link, apart, progress):
            if not os.path.isfile(orthophoto):
                raise DatasetError("orthophoto is missing", where=orthophoto)
            if (place := orthophoto.resolve()) not in seen:
                seen.add(place)
                yield orthophoto


def _of_argument(
    path: Path, link: Callable[[Path], Path], apart: Collection[Path], progress: Progress
) -> Iterator[Path]:
    if is_list(path):
        for line in _of_list(Path(str(path)[len(LIST_MARK) :]), link):
            yield single_orthophoto(line)
    elif (project := read_project(path)) is not None:
        yield project.orthophoto
    elif os.path.isdir(path):
        yield from _of_folder(path, apart, progress)
    else:
        yield path


def _of_list(path: Path, link: Callable[[Path], Path]) -> Iterator[Path]:
    """Read a list: one orthophoto a line, relative to the list; # starts a comment."""
    check_regular(path, DatasetError, "a list of orthophotos")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(
            "list cannot be read",
            where=path,
            found=error.strerror if isinstance(error, OSError) else "text that is not UTF-8",
            expected="one orthophoto a line",
        ) from None
    lines = [line.strip() for line in text.splitlines()]
    names = [line for line in lines if line and not line.startswith("#")]
    if not names:
        raise DatasetError("list is empty", where=path, expected="one orthophoto a line")
    for name in names:
        linked = link(Path(name))
        yield path.parent / name if linked == Path(name) else linked


def _is_heights(path: Path) -> bool:
    return bears_tag(path, DEM) or path.stem.lower() in DEM.tags


def _of_folder(folder: Path, apart: Collection[Path], progress: Progress) -> Iterator[Path]:
    """Find the orthophotos of a data folder, of projects in a folder, or beside their DEMs."""
    layout = folder / ORTHOPHOTO.folder
    place = layout if layout.is_dir() else folder
    found, unread = find_files(place, ORTHOPHOTO)
    photos = [path for path in found.values() if place is layout or not _is_heights(path)]
    known = {folder / kind.folder for kind in KINDS}
    if place is not layout:
        with readable(folder):
            folders = [one for one in sorted(folder.iterdir()) if one.is_dir()]
        projects = {one: project for one in folders if (project := read_project(one)) is not None}
        photos += [project.orthophoto for project in projects.values()]
        known |= set(projects)
    if not photos:
        raise DatasetError(
            "no orthophotos in this folder",
            where=place,
            found=", ".join(path.name for path in (*found.values(), *unread)) or None,
            expected=f"{', '.join(ORTHOPHOTO.endings)}, or projects of OpenDroneMap",
        )
    for path in unread:
        is_beside = name_of(path, ORTHOPHOTO) in found  # such as the overview of a mapped one
        if path not in known and path.resolve() not in apart and not is_beside:
            remedy = "name it, too" if path.is_dir() else f"expected {ORTHOPHOTO.endings[0]}"
            progress.warn(f"{path} is not read; {remedy}")
    yield from photos
