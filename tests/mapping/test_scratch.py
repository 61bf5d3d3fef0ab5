import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from support import one_scene

from grave_cli.mapping.scene import Scene
from grave_cli.mapping.scratch import prediction_key, scratch
from grave_cli.mapping.tiling import Tiling
from grave_cli.rasters.orthophoto import inspect_orthophoto

LEVELS = np.ones((3, 4, 5), np.uint8)
TILING = Tiling(64, 64, 8, 1)
WEEK_S = 7 * 24 * 3600


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return one_scene(tmp_path / "files")


def key_of(scene: Scene, tiling: Tiling = TILING, model: str = "m", engine: str = "e") -> str:
    return prediction_key(scene, tiling, model, engine)


def fail_after_a_section(folder: Path) -> None:
    with scratch(folder, "key", resume=True) as shelf:
        shelf[0, 0] = LEVELS
        raise RuntimeError


def test_a_failed_try_leaves_its_sections_and_the_next_finds_them(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "cache" / "predictions"
    with pytest.raises(RuntimeError):
        fail_after_a_section(folder)
    with scratch(folder, "key", resume=True) as shelf:
        assert (shelf[0, 0] == LEVELS).all()
        assert (0, 1) not in shelf
    assert list(tmp_path.iterdir()) == []


def test_without_resume_nothing_is_found(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail_after_a_section(tmp_path / "p")
    with scratch(tmp_path / "p", "key", resume=False) as shelf:
        assert (0, 0) not in shelf


def test_two_predictions_of_the_same_do_not_share_a_folder(tmp_path: Path) -> None:
    with scratch(tmp_path, "key", resume=True) as first:
        first[0, 0] = LEVELS
        with scratch(tmp_path, "key", resume=True) as second:
            assert (0, 0) not in second
        assert (0, 0) in first


def test_what_nobody_came_back_to_goes_after_a_week(tmp_path: Path) -> None:
    for name, age_s in (("old", WEEK_S + 60), ("recent", WEEK_S - 60)):
        (tmp_path / name).mkdir()
        then = (tmp_path / name).stat().st_mtime - age_s
        os.utime(tmp_path / name, (then, then))
    with scratch(tmp_path, "key", resume=True):
        assert {path.name for path in tmp_path.iterdir()} == {"recent", "key"}


def test_the_key_stays_for_the_same_files_and_changes_with_all_that_counts(scene: Scene) -> None:
    same = key_of(scene)
    assert key_of(scene) == same
    others = [
        key_of(scene, model="other"),
        key_of(scene, engine="other"),
        key_of(scene, tiling=replace(TILING, halo=9)),
        key_of(replace(scene, aoi=shapely.box(0, 0, 1, 1))),
        key_of(replace(scene, recipe=scene.recipe.model_copy(update={"gsd_m": 0.2}))),
    ]
    path = scene.orthophoto.path
    then = path.stat().st_mtime + 5
    os.utime(path, (then, then))
    others.append(key_of(scene))
    moved = Path(shutil.copy(path, path.with_name("copy.tif")))
    others.append(key_of(replace(scene, orthophoto=inspect_orthophoto(moved))))
    assert len({same, *others}) == len(others) + 1
