"""A small office to try bad inputs in: a data folder, a model, an earlier map, and other files.

A bad input must be refused with exit code 2 and one line that names it. Nothing may be left behind,
and nothing that was there may be changed.
"""

import os
import shlex
from pathlib import Path

import numpy as np
import rasterio
import shapely
from affine import Affine
from deliveries import write
from terminal import SETS, gravecli
from two_graves import two_graves

from grave_cli.mapping.geopackage import write_geopackage

CRS = "EPSG:25832"
LEFT, TOP = 500_000.0, 5_300_000.0
EDGE_M = 12.0
PIXEL_M = 0.1
HERE = Affine(PIXEL_M, 0, LEFT, 0, -PIXEL_M, TOP)

ORTHOPHOTO = "data/orthophotos/anna.tif"
DEM = "data/dems/anna.tif"
ANNOTATIONS = "data/annotations/anna.gpkg"
TINY_SETS = shlex.join([*SETS, "--set", "data.guard_m=0"])
PREDICT = f"predict-cemetery {ORTHOPHOTO} --model model --overwrite -q {TINY_SETS}"
TRAIN = f"train -q {TINY_SETS}"
CHECK = f"check data -q {TINY_SETS}"
WITH_DEM = "--channels rgb+dem"


def graves() -> list[shapely.Polygon]:
    """Graves of 2 m x 1 m in two rows."""
    places = [(x, y) for y in (3.0, 8.0) for x in (2.0, 4.0, 6.0, 8.0, 10.0)]
    return [shapely.box(LEFT + x, TOP - y - 2, LEFT + x + 1, TOP - y) for x, y in places]


def write_raster(path: Path, count: int = 3, edge: int = 120, **profile: object) -> Path:
    """Write noise as a raster of the office's place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    how = {"driver": "GTiff", "width": edge, "height": edge, "dtype": "uint8"}
    how |= {"crs": CRS, "transform": HERE, **profile}
    noise = np.random.default_rng(0).integers(1, 250, (count, edge, edge))
    with rasterio.open(path, "w", count=count, **how) as dataset:
        dataset.write(noise.astype(how["dtype"]))
    return path


def write_dem(path: Path, base_m: float = 300, **changes: object) -> Path:
    """Write heights of 300 m and some, on a grid of their own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    how = {"driver": "GTiff", "width": 70, "height": 70, "dtype": "float32", "count": 1}
    how |= {"crs": CRS, "transform": HERE @ Affine.scale(2), "nodata": -9999, **changes}
    heights = base_m + np.random.default_rng(0).random((70, 70))
    with rasterio.open(path, "w", **how) as dataset:
        for band in range(1, dataset.count + 1):
            dataset.write(heights.astype(str(how["dtype"])), band)
    return path


def furnish(folder: Path) -> Path:
    """Write the files of the office into an empty folder."""
    write_raster(folder / ORTHOPHOTO)
    write_dem(folder / DEM)
    for name in ("data/annotations", "data/areas", "drawn"):
        (folder / name).mkdir(parents=True)
    write(folder / ANNOTATIONS, graves(), crs=CRS)
    for name in ("truth", "prediction"):
        write(folder / "drawn" / f"{name}.gpkg", graves(), crs=CRS)
    earlier = two_graves(folder / ORTHOPHOTO, dem="", model_sha256="ab", dataset_id="12345678")
    write_geopackage(earlier, folder / "anna.gpkg")
    (folder / "notes.txt").write_text("not to be lost")
    return folder


def content(folder: Path) -> dict[str, bytes | None]:
    """Return the bytes of all files, without following links; None for folders and others."""
    found: dict[str, bytes | None] = {}
    for base, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(base, name)
            is_file = path.is_file() and not path.is_symlink()
            found[str(path.relative_to(folder))] = path.read_bytes() if is_file else None
    return found


def assert_refuses(office: Path, command: str, *words: str) -> None:
    """Run a command that must be refused in one line with these words, and change nothing.

    `gravecli check` reports on stdout, as its findings are its result.
    """
    before = content(office)
    result = gravecli(*shlex.split(command), cwd=office)
    said = f"{result.stdout}\n{result.stderr}"
    assert result.returncode == 2, said
    assert "Traceback" not in said
    if command.startswith("check ") and result.stdout:
        assert result.stderr == ""
        lines = [line for line in result.stdout.splitlines() if line.startswith("error")]
    else:
        assert result.stdout == ""
        lines = result.stderr.splitlines()
        assert len(lines) == 1, said
        assert lines[0].startswith("gravecli: ")
    for word in words:
        assert any(word in line for line in lines), f"{word!r} is not in:\n{said}"
    after = content(office)
    assert sorted(set(before) ^ set(after)) == []
    assert [name for name in before if before[name] != after[name]] == []
