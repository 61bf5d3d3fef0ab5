"""The whole loop: map, correct in QGIS, tidy, fine-tune, map again; ids survive throughout."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from corrections import correct_with_qgis
from qgis_process import look_with_qgis, needs_qgis
from terminal import assert_refused, gravecli
from tidy_scene import by_id, rows_of

# The starter's network, and so few chips that an epoch takes some seconds.
BRIEFLY = {
    "chips.size_px": 128,
    "chips.batch_size": 2,
    "chips.per_epoch": 4,
    "tracking.samples": 0,
    "training.device": '"cpu"',
}
FIRST, SECOND, THIRD = "sample_01", "sample_02", "sample_03"
SETS = [
    text
    for option in (
        *(f"{key}={value}" for key, value in BRIEFLY.items()),
        f'data.train=["{FIRST}"]',
        f'data.val=["{SECOND}"]',
        f'data.test=["{THIRD}"]',
    )
    for text in ("--set", option)
]
ORTHOPHOTO = f"data/orthophotos/{FIRST}.tif"
MAP = f"data/annotations/{FIRST}.gpkg"


@pytest.fixture
def office(sample_data: Path, new_work_dir: Callable[[Path], Path], tmp_path: Path) -> Path:
    """A folder with sample cemeteries, the first of which has a map instead of annotations."""
    shutil.copytree(sample_data, tmp_path / "data")
    new_work_dir(tmp_path / "runs")
    (tmp_path / MAP).rename(tmp_path / "truth.gpkg")
    # Two graves are smaller than this: they become candidates.
    smallest = ("--set", "prediction.decoding.min_area_m2=1.5")
    done(tmp_path, "predict-cemetery", ORTHOPHOTO, "--model", "starter", "--out", MAP, *smallest)
    return tmp_path


def done(office: Path, *command: object, code: int = 0) -> str:
    result = gravecli(*command, cwd=office)
    assert result.returncode == code, result.stderr + result.stdout
    return result.stdout


def free_place(path: Path) -> shapely.Polygon:
    """A place for a grave in the map where none is, and no candidate."""
    taken = [row["shape_of"] for row in rows_of(path)]
    taken += [row["shape_of"] for row in rows_of(path, "candidates")]
    ground = rows_of(path, "coverage")[0]["shape_of"].buffer(-1.5)
    left, bottom, right, top = ground.bounds
    around = shapely.union_all(taken).buffer(0.2)
    for x in np.arange(left, right, 0.25):
        for y in np.arange(bottom, top, 0.25):
            grave = shapely.box(x, y, x + 0.7, y + 1.5)
            if ground.contains(grave) and not around.intersects(grave):
                return grave
    raise AssertionError("no room for a grave")


@needs_qgis
@pytest.mark.slow
def test_ids_survive_corrections_in_qgis_a_training_and_a_new_map(office: Path) -> None:
    path = office / MAP
    before, candidates = by_id(path), rows_of(path, "candidates")
    moved, *_, deleted = [*before][:5]
    yes, no = (row["candidate_id"] for row in candidates[:2])
    drawn = free_place(path)
    corrections: dict[str, Any] = {
        "move": {moved: [0.12, 0.08]},
        "delete": [deleted],
        "draw": [drawn.wkt],
        "review": [moved],
        "decide": {yes: "accept", no: "refuse"},
    }
    correct_with_qgis(path, corrections)
    assert "1 accepted candidate of" in done(office, "check", "--json", *SETS)

    said = json.loads(done(office, "tidy", MAP, "--json"))
    tidied = by_id(path)
    (number,), (accepted,) = said["numbered"], said["accepted"]
    assert (said["removed"], said["refused"], said["problems"]) == ([deleted], [no], [])
    assert tidied.keys() == before.keys() - {deleted} | {number, accepted}
    there = shapely.affinity.translate(before[moved]["shape_of"], 0.12, 0.08)
    assert tidied[moved]["shape_of"].symmetric_difference(there).area < 1e-6
    assert (tidied[moved]["confidence"], tidied[moved]["reviewed"]) == (None, 1)
    assert (tidied[moved]["review_rank"], tidied[moved]["review_reason"]) == (None, "")
    assert tidied[number]["shape_of"].equals(drawn)
    assert tidied[accepted]["shape_of"].equals(candidates[0]["shape_of"])
    assert all(tidied[one]["height_m"] is not None for one in (moved, number, accepted))
    unmoved = tidied.keys() & before.keys() - {moved, *said["trimmed"]}
    assert len(unmoved) > len(before) / 2
    for one in unmoved:
        assert {name: tidied[one][name] for name in before[one]} == before[one], said
    assert not json.loads(done(office, "tidy", MAP, "--check", "--json"))["changed"]
    shown = look_with_qgis(path, check=True)["maps"][str(path)]
    assert [shown[name]["invalid"] for name in ("graves", "gravecli_removed")] == [0, 0]
    assert shown["gravecli_removed"]["features"] == 2
    again = gravecli("predict-cemetery", ORTHOPHOTO, "--model", "starter", "--out", MAP, cwd=office)
    assert_refused(again, "file exists and was corrected by hand")
    parts = ("--only", "graves", "--only", "tables")
    assert "1 drawn, 1 reshaped, 1 deleted, 1 accepted, 1 refused" in done(
        office, "verify", MAP, *parts
    )

    smallest = ("--set", "prediction.decoding.min_area_m2=1.5")
    starter = ("predict-cemetery", ORTHOPHOTO, "--model", "starter", "--previous", MAP)
    done(office, *starter, "--out", "next.gpkg", *smallest)
    assert no not in [row["candidate_id"] for row in rows_of(office / "next.gpkg", "candidates")]

    train = ("train", "--init-from", "starter", "--channels", "rgb+dem", "--epochs", 1)
    result = gravecli(*train, "--name", "corrected", *SETS, cwd=office)
    assert result.returncode == 0, result.stderr
    assert f"train: {FIRST} ({len(tidied)} graves)" in result.stderr
    assert "still counts as ground" not in result.stderr

    predict = ("predict-cemetery", ORTHOPHOTO, "--model", "corrected", "--previous", MAP)
    done(office, *predict, "--out", "again.gpkg")
    changes = {row["grave_id"]: row["change"] for row in rows_of(office / "again.gpkg", "changes")}
    assert tidied.keys() <= changes.keys()
    kept = {one for one in tidied if changes[one] not in ("gone", "outside")}
    new = by_id(office / "again.gpkg")
    assert kept <= new.keys()
    assert len(kept) > len(tidied) / 2
    assert deleted not in new
    for one in kept:
        distance = shapely.distance(new[one]["shape_of"].centroid, tidied[one]["shape_of"].centroid)
        assert distance < 0.6
        assert new[one]["reviewed"] == tidied[one]["reviewed"]
    assert deleted in {
        row["grave_id"] for row in rows_of(office / "again.gpkg", "gravecli_removed")
    }
