"""Inputs without an end: pipes, views, rasters and outlines; each is refused or skipped soon."""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from deliveries import GRAVES, UTM, write
from hostile_files import geopackage, tif
from rasterio.transform import from_origin
from rasterio.windows import Window
from terminal import gravecli

from grave_cli.dataset.identity.sidecars import _changes_meaning
from grave_cli.errors import DatasetError, GridError, RasterReadError
from grave_cli.mapping.read_ahead import reading_ahead
from grave_cli.mapping.scene import Scene, open_scene
from grave_cli.mapping.sections import plan_sections
from grave_cli.mapping.tiling import Tiling
from grave_cli.model.bundle import Bundle
from grave_cli.rasters import geopackage_check
from grave_cli.rasters.orthophoto import inspect_orthophoto, orthophoto_grid
from grave_cli.rasters.raster_file import open_raster
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.vectors.vector_io import LayerChoice, read_features

needs_pipes = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def unix_socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))  # an address has at most 107 letters
    return path


def device(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


ENDLESS: dict[str, Callable[[Path], Path]] = {
    "pipe": pipe,
    "socket": unix_socket,
    "device": device,
}


@needs_pipes
@pytest.mark.parametrize("kind", ENDLESS)
def test_no_command_waits_for_what_is_not_a_file(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untrained: Bundle
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("orthophotos", "annotations"):
        (tmp_path / "data" / name).mkdir(parents=True)
    endless = {
        ending: ENDLESS[kind](tmp_path / f"endless{ending}")
        for ending in (".tif", ".gpkg", ".shp", ".toml", ".json", ".pt")
    }
    bad = ENDLESS[kind](tmp_path / "data/orthophotos/bad.tif")
    sound, graves = tif(tmp_path / "sound.tif"), write(tmp_path / "graves.gpkg", GRAVES)
    model = ("--model", untrained.folder, "--out", "out.gpkg")
    for arguments in (
        ("predict-cemetery", bad, *model),
        ("predict-cemetery", sound, "--dem", endless[".tif"], *model),
        ("predict-cemetery", f"@{endless['.json']}", *model[:2], "--out", "maps"),
        ("predict-cemetery", sound, "--aoi", endless[".gpkg"], *model),
        ("predict-cemetery", sound, "--truth", endless[".shp"], *model),
        ("predict-cemetery", sound, "--model", endless[".json"], "--out", "out.gpkg"),
        ("evaluate", graves, "--truth", endless[".gpkg"]),
        ("evaluate", endless[".gpkg"], "--truth", graves),
        ("train", "--config", endless[".toml"], "--dry-run"),
        ("train", "--set", f"model.start={endless['.pt']}", "--dry-run"),
        ("train", "--set", f"data.annotations={endless['.gpkg']}", "--dry-run"),
        ("dataset-id", "data"),
        ("dataset-id", sound.parent / "data", "--diff", endless[".json"]),
        ("check", "data"),
    ):
        result = gravecli(*arguments, cwd=tmp_path)
        assert result.returncode == 2, (arguments, result.stderr)
    ENDLESS[kind](tmp_path / "gravecli.toml")
    refused = gravecli("check", "data", cwd=tmp_path)
    assert "gravecli.toml: not a file (found a pipe, socket or device" in refused.stderr


@needs_pipes
@pytest.mark.parametrize("ending", [".tif.ovr", ".tif.msk", ".tif.aux.xml", ".prj", ".tfw"])
def test_a_part_of_a_raster_is_not_a_pipe(ending: str, tmp_path: Path) -> None:
    tif(tmp_path / "a.tif")
    pipe(tmp_path / f"a{ending}")
    with pytest.raises(RasterReadError, match="not a file"), open_raster(tmp_path / "a.tif"):
        pass


@needs_pipes
@pytest.mark.parametrize("ending", [".dbf", ".prj", ".cpg", ".qix"])
def test_a_part_of_a_shapefile_is_not_a_pipe(ending: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.shp", GRAVES)
    path.with_suffix(ending).unlink(missing_ok=True)
    pipe(path.with_suffix(ending))
    with pytest.raises(DatasetError, match=f"a{ending}: not a file"):
        read_features(path, UTM)


@needs_pipes
def test_an_aux_file_that_is_a_pipe_does_not_stop_the_dataset_id(tmp_path: Path) -> None:
    assert not _changes_meaning(str(pipe(tmp_path / "a.tif.aux.xml")))


VIEWS = {
    "rows without end": "SELECT p.fid, p.geom FROM plain AS p, n",
    "no row, without end": "SELECT p.fid, p.geom FROM plain AS p, n WHERE 0 > i",
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_without_end_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(geopackage_check, "_LONGEST_S", 0.3)
    recursive = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
    path = geopackage(f"CREATE VIEW v AS {recursive}{VIEWS[name]}", view="v")(tmp_path, "")
    with pytest.raises(DatasetError, match="view v has no end"):
        read_features(path, UTM, LayerChoice("plain"))


def sparse(path: Path, side: int, **changes: object) -> Path:
    """A GeoTIFF of which one block is stored."""
    how = {"driver": "GTiff", "width": side, "height": side, "count": 3, "dtype": "uint8"}
    place = {"crs": UTM, "transform": from_origin(500_000, 5_400_000, 0.1, 0.1)}
    layout = {"tiled": True, "blockxsize": 128, "blockysize": 128, "sparse_ok": True}
    more = {"compress": "DEFLATE", "nodata": 0, "bigtiff": "YES"}
    with rasterio.open(path, "w", **{**how, **place, **layout, **more, **changes}) as file:
        block = np.random.default_rng(0).integers(1, 255, (3, 128, 128), dtype=np.uint8)
        file.write(block, window=Window(256, 256, 128, 128))
    return path


def scene_of(path: Path) -> Scene:
    recipe = InputRecipe(channels="rgb", gsd_m=0.1, mean=(0, 0, 0), std=(1, 1, 1), elevation=None)
    return open_scene(path, None, recipe, 3)


@pytest.mark.parametrize(("nodata", "interleave"), [(0, "pixel"), (0, "band"), (None, "pixel")])
def test_blocks_that_are_not_stored_are_not_read(
    nodata: int | None, interleave: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = scene_of(sparse(tmp_path / "a.tif", 2048, nodata=nodata, interleave=interleave))
    plan = plan_sections(scene.grid, Tiling(128, 128, 16, 4))
    with reading_ahead(scene, plan.sections) as inputs:
        found = [one for one in inputs if one.pixels is not None]
    kept = [tile for one in found for tile in one.tiles]
    if nodata is None:  # black is a colour
        assert len(kept) == sum(len(section.tiles) for section in plan.sections)
        return
    assert 1 <= len(kept) <= 9
    assert 127**2 <= sum(one.valid.sum() for one in found) <= 130**2
    assert sum(one.window.height * one.window.width for one in found) < 400**2


def test_a_raster_of_a_million_pixels_a_side_is_refused(tmp_path: Path) -> None:
    big = {"blockxsize": 2048, "blockysize": 2048}
    with pytest.raises(RasterReadError, match=r"too large .*1000000 x 1000000"):
        inspect_orthophoto(sparse(tmp_path / "a.tif", 1_000_000, **big))


def test_a_working_grid_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    orthophoto = inspect_orthophoto(
        sparse(tmp_path / "a.tif", 300_000, blockxsize=1024, blockysize=1024)
    )
    with pytest.raises(GridError, match="too large for the working grid"):
        orthophoto_grid(orthophoto, 0.04, 3)


def scribble(vertices: int) -> shapely.Polygon:
    places = np.random.default_rng(0).random((vertices, 2)) * 2
    return shapely.Polygon(places + np.array([500_000, 5_400_000]))


def circle(vertices: int) -> shapely.Polygon:
    turn = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    return shapely.Polygon(np.stack([500_000 + np.cos(turn), 5_400_000 + np.sin(turn)], axis=1))


@pytest.mark.parametrize(
    ("shape", "found"),
    [(scribble(2000), "crossings"), (circle(250_000), "250001 vertices")],
    ids=["scribble", "circle"],
)
def test_an_outline_whose_repair_takes_hours_is_refused(
    shape: shapely.Polygon, found: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.gpkg", [*GRAVES, shape])
    with pytest.raises(DatasetError, match=f"feature 9 is too complex .*{found}"):
        read_features(path, UTM)


def test_an_outline_of_many_vertices_is_read(tmp_path: Path) -> None:
    assert len(read_features(write(tmp_path / "a.gpkg", [circle(20_000)]), UTM).geometries) == 1
