"""The walk-through of docs/correct-and-learn.md: map, correct a part, fine-tune, map again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import fiona
import numpy as np
import pytest
import shapely
from corrections import Corrections, correct_with_qgis, correct_with_sql
from qgis_process import needs_qgis
from terminal import assert_refused, gravecli

# The starter's network, and so few chips that an epoch takes some seconds.
BRIEFLY = {
    "chips.size_px": 128,
    "chips.batch_size": 2,
    "chips.per_epoch": 4,
    "tracking.samples": 0,
    "training.device": '"cpu"',
}


@pytest.fixture(scope="module")
def mapped(
    sample_data: Path,
    new_work_dir: Callable[[Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with sample cemeteries and the starter's map of the first one; read only."""
    folder = tmp_path_factory.mktemp("mapped")
    shutil.copytree(sample_data, folder / "data")
    new_work_dir(folder / "runs")
    first = names(folder)[0]
    shutil.move(folder / "data/annotations" / f"{first}.gpkg", folder / "truth.gpkg")
    result = gravecli(
        *("predict-cemetery", f"data/orthophotos/{first}.tif", "--model", "starter"),
        *("--out", f"data/annotations/{first}.gpkg"),
        cwd=folder,
    )
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def office(mapped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mapped, tmp_path / "office"))


def names(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "data/orthophotos").glob("*.tif"))


def correct_a_part(office: Path, correct: Callable[[Path, Corrections], None]) -> int:
    """Correct the western two thirds of a cemetery, say so in areas/, and count its graves."""
    first = names(office)[0]
    path = office / "data/annotations" / f"{first}.gpkg"
    with fiona.open(office / "truth.gpkg") as layer:
        truth = np.array([shapely.geometry.shape(one.geometry) for one in layer], dtype=object)
        crs = layer.crs
    with fiona.open(path, layer="graves") as layer:
        mapped = {one.properties["grave_id"]: shapely.geometry.shape(one.geometry) for one in layer}
    left, bottom, right, top = shapely.total_bounds(truth)
    area = shapely.box(left - 1, bottom - 1, left + (right - left) * 0.7, top + 1)
    (office / "data/areas").mkdir()
    how = {"driver": "GPKG", "crs": crs, "schema": {"geometry": "Polygon", "properties": {}}}
    with fiona.open(office / "data/areas" / f"{first}.gpkg", "w", **how) as layer:
        layer.write({"geometry": shapely.geometry.mapping(area), "properties": {}})
    inside = truth[shapely.contains(area, shapely.centroid(truth))]
    edits: Corrections = {"delete": [], "reshape": {}, "review": [], "draw": []}
    kept = np.zeros(len(inside), np.bool_)
    for name, outline in mapped.items():
        fits = shapely.contains(inside, outline.centroid) & ~kept
        if fits.any():
            edits["reshape"][name] = inside[fits.argmax()].wkt
            edits["review"].append(name)
            kept[fits.argmax()] = True
        elif area.contains(outline.centroid):
            edits["delete"].append(name)
    edits["draw"] = [outline.wkt for outline in inside[~kept]]
    edits["review"] = edits["review"][1:]
    correct(path, edits)
    return len(inside)


def walk_through(office: Path, correct: Callable[[Path, Corrections], None]) -> None:
    first, second, third = names(office)
    before = gravecli("dataset-id", cwd=office).stdout
    count = correct_a_part(office, correct)
    corrected = gravecli("dataset-id", cwd=office).stdout
    assert corrected != before

    options = [f"{key}={value}" for key, value in BRIEFLY.items()]
    options += [f'data.train=["{first}"]', f'data.val=["{second}"]', f'data.test=["{third}"]']
    sets = [text for option in options for text in ("--set", option)]
    result = gravecli("check", "--json", *sets, cwd=office)
    assert result.returncode == 0, result.stdout
    notes = [finding["what"] for finding in json.loads(result.stdout)["findings"]]
    assert any(note.startswith(f"{count} of ") for note in notes)
    assert any("marked as reviewed; all of them count" in note for note in notes)

    command = ("train", "--init-from", "starter", "--channels", "rgb+dem", "--epochs", 1)
    result = gravecli(*command, "--name", "corrected", *sets, cwd=office)
    assert result.returncode == 0, result.stderr
    assert f"train: {first} ({count} graves)" in result.stderr
    assert f"data set   {corrected}" in result.stdout
    assert gravecli("dataset-id", cwd=office).stdout == corrected

    again = ("predict-cemetery", f"data/orthophotos/{third}.tif", "--model", "corrected")
    result = gravecli(*again, "--out", "again.gpkg", cwd=office)
    assert result.returncode == 0, result.stderr
    truth = f"data/annotations/{third}.gpkg"
    result = gravecli("evaluate", "again.gpkg", truth, "--json", cwd=office)
    assert json.loads(result.stdout)["found"] > 0


def test_corrections_that_are_only_in_the_log_are_learnt(office: Path) -> None:
    walk_through(office, correct_with_sql)
    first = names(office)[0]
    path = office / "data/annotations" / f"{first}.gpkg"
    assert path.with_name(f"{path.name}-wal").stat().st_size
    command = ("predict-cemetery", f"data/orthophotos/{first}.tif", "--model", "starter")
    assert_refused(gravecli(*command, "--out", path, cwd=office), path.name, "close it in QGIS")


@needs_qgis
@pytest.mark.slow
def test_corrections_made_in_qgis_are_learnt(office: Path) -> None:
    walk_through(office, correct_with_qgis)
    first = names(office)[0]
    path = office / "data/annotations" / f"{first}.gpkg"
    command = ("predict-cemetery", f"data/orthophotos/{first}.tif", "--model", "starter")
    assert_refused(gravecli(*command, "--out", path, cwd=office), path.name, "was changed since")
