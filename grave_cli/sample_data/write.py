"""The built-in sample cemeteries: a seed → orthophotos, DEMs and annotations on disk.

They stand in for a missing survey: to try every command, to test, to see the layout of a data set.
They say nothing about accuracy on real graves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj

from grave_cli.atomic_writes import whole_file
from grave_cli.errors import DatasetError
from grave_cli.outputs import written_alone
from grave_cli.progress import SILENT, Progress
from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.elevation import SurfaceModel, model_surface
from grave_cli.sample_data.files import (
    Outlined,
    write_annotations,
    write_dem,
    write_orthophoto,
)
from grave_cli.sample_data.layout import plan_cemetery
from grave_cli.sample_data.paint import paint_cemetery
from grave_cli.sample_data.place import Place, find_place, read_crs
from grave_cli.sample_data.scenes.scene import Scene, make_scene_with_graves
from grave_cli.sample_data.style import draw_style
from grave_cli.sample_data.variety.presets import check_preset

GSD_M = 0.025
"""Pixel edge of the default look in metres."""
PREFIX = "sample_"
FOLDERS = ("orthophotos", "dems", "annotations")
GROUND = "ground"
"""Folder of a data set for ground without a single grave, which has no annotations."""
GROUND_FOLDERS = (f"{GROUND}/orthophotos", f"{GROUND}/dems")
SIZES_M = (10.0, 200.0)


@dataclass(frozen=True)
class SampleCemetery:
    """One sample cemetery on disk.

    Args:
        name: Its id.
        orthophoto: RGBA GeoTIFF.
        dem: Surface model, GeoTIFF; None for a scene without one.
        annotations: Grave outlines, GeoPackage; None for ground without graves.
        graves: Number of outlines.
    """

    name: str
    orthophoto: Path
    dem: Path | None
    annotations: Path | None
    graves: int


@dataclass(frozen=True)
class _Drawn:
    """One cemetery before it is written."""

    rgba: Array
    gsd_m: float
    surface: SurfaceModel | None
    graves: Sequence[Outlined]
    is_ground: bool
    place: Place


def write_sample_data(
    root: Path,
    *,
    cemeteries: int = 4,
    size_m: float = 40.0,
    seed: int = 0,
    crs: str = "EPSG:25832",
    variety: str | None = None,
    progress: Progress = SILENT,
) -> list[SampleCemetery]:
    """Write a data set of sample cemeteries, all of it or nothing.

    Args:
        root: Folder of the data set; created when missing.
        cemeteries: How many.
        size_m: Edge of the square that is flown, in true metres on the ground.
        seed: The same seed gives the same pixels and outlines.
        crs: A projected CRS in any unit.
        variety: A preset of `preset_names` for varied scenes; None for the default look.
        progress: Progress listener.

    Returns:
        The cemeteries in order of their names.

    Raises:
        DatasetError: A size or the seed is out of bounds, the CRS is not a projected one, no preset
            has this name, or the folder already holds data.
        ExportError: A file cannot be written.
        InUseError: Another process writes samples into this folder.
    """
    _check_sizes(cemeteries, size_m)
    if seed < 0:
        raise DatasetError("there are no samples of this seed", found=seed, expected="at least 0")
    target = read_crs(crs)
    if variety is not None:
        check_preset(variety)
    folders = FOLDERS if variety is None else (*FOLDERS, *GROUND_FOLDERS)
    written: list[SampleCemetery] = []
    with (
        written_alone(root / FOLDERS[0]),
        _new_folders(root, folders),
        progress.task("Sample cemeteries", total=cemeteries, unit="cemeteries") as advance,
    ):
        for index in range(cemeteries):
            drawn = _draw(index, size_m, seed, target, variety)
            written.append(_write(root, f"{PREFIX}{index + 1:02d}", drawn))
            advance(1)
    return written


def _check_sizes(cemeteries: int, size_m: float) -> None:
    if cemeteries < 1:
        raise DatasetError("too few sample cemeteries", found=cemeteries, expected="at least 1")
    if not SIZES_M[0] <= size_m <= SIZES_M[1]:
        raise DatasetError(
            "the sample cemeteries cannot have this size",
            found=f"{size_m} m",
            expected=f"{SIZES_M[0]:g} to {SIZES_M[1]:g} m",
        )


@contextmanager
def _new_folders(root: Path, folders: Sequence[str]) -> Iterator[None]:
    """Make the folders for the block, unless one holds something; if it fails, nothing is left."""
    wanted = [root / name for name in folders]
    for folder in wanted:
        _refuse_content(folder)
    above = {parent for folder in wanted for parent in folder.parents}
    made = sorted((one for one in {*wanted, *above} if not one.exists()), reverse=True)
    try:
        for folder in wanted:
            _make_folder(folder)
        yield
    except BaseException:
        for path in (path for folder in wanted if folder.is_dir() for path in folder.iterdir()):
            if path.name.startswith(PREFIX):
                path.unlink()
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise


def _refuse_content(folder: Path) -> None:
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    if present := sorted(name for name in names if not name.startswith(".")):
        raise DatasetError(
            "the folder already holds files",
            where=folder,
            found=present[0],
            remedy="choose an empty or new folder for the sample data",
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(
            "cannot create this folder", where=folder, found=error.strerror
        ) from error


def _draw(index: int, size_m: float, seed: int, crs: pyproj.CRS, variety: str | None) -> _Drawn:
    rng = np.random.default_rng([seed, index])
    if variety is not None:
        scene = make_scene_with_graves([seed, index], variety, size_m)
        return _drawn(scene, find_place(rng, crs))
    plan = plan_cemetery(rng, size_m, draw_style(rng, index))
    picture = paint_cemetery(rng, plan, GSD_M)
    surface = model_surface(rng, picture.height, GSD_M)
    return _Drawn(picture.rgba, GSD_M, surface, picture.graves, False, find_place(rng, crs))


def _drawn(scene: Scene, place: Place) -> _Drawn:
    return _Drawn(scene.rgba, scene.gsd_m, scene.surface, scene.graves, scene.is_ground, place)


def write_scene(root: Path, name: str, scene: Scene, crs: str = "EPSG:25832") -> SampleCemetery:
    """Write one varied scene or composite into the data layout.

    A scene without a grave goes to `root/ground`. All scenes lie near the same place.

    Args:
        root: Folder of the data set; folders are created, files of the same name replaced.
        name: Its id.
        scene: What `make_scene` or `composite` returned.
        crs: A projected CRS in any unit.

    Raises:
        DatasetError: The CRS is not a projected one, or all graves are hidden or without outline.
        ExportError: A file cannot be written.
    """
    if not scene.graves and not scene.is_ground:
        raise DatasetError(
            "no grave of this scene is visible, yet it is not ground without graves",
            where=name,
            remedy="leave it out",
        )
    place = find_place(np.random.default_rng(0), read_crs(crs))
    return _write(root, name, _drawn(scene, place))


def _write(root: Path, name: str, drawn: _Drawn) -> SampleCemetery:
    folder = root / GROUND if drawn.is_ground else root
    cemetery = SampleCemetery(
        name,
        folder / "orthophotos" / f"{name}.tif",
        folder / "dems" / f"{name}.tif" if drawn.surface else None,
        None if drawn.is_ground else folder / "annotations" / f"{name}.gpkg",
        len(drawn.graves),
    )
    with whole_file(cemetery.orthophoto) as path:
        write_orthophoto(path, drawn.rgba, drawn.gsd_m, drawn.place)
    if cemetery.dem and drawn.surface:
        with whole_file(cemetery.dem) as path:
            write_dem(path, drawn.surface, drawn.place)
    if cemetery.annotations:
        with whole_file(cemetery.annotations) as path:
            write_annotations(path, drawn.graves, drawn.place)
    return cemetery
