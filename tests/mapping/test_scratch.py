import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import numpy as np
import psutil
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
PROCESSES, ROUNDS = 3, 10
SPAWN = get_context("spawn")  # as on Windows and macOS


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
        names = {path.name.split("~")[0] for path in folders_in(tmp_path)}
    assert names == {"recent", "key"}


def hold(folder: Path, started: Event) -> None:
    """Write a section, then hold the folder until killed."""
    with scratch(folder, "key", resume=True) as shelf:
        shelf[0, 0] = LEVELS
        started.set()
        time.sleep(600)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Let another process hold a folder during the block, then kill it."""
    started = SPAWN.Event()
    holder = SPAWN.Process(target=hold, args=(folder, started))
    holder.start()
    try:
        assert started.wait(60)
        yield
    finally:
        holder.kill()
        holder.join()


def folders_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()]


def test_a_killed_prediction_is_resumed_and_a_running_one_is_left_alone(tmp_path: Path) -> None:
    with held(tmp_path), scratch(tmp_path, "key", resume=True) as shelf:
        assert (0, 0) not in shelf
    with scratch(tmp_path, "key", resume=True) as shelf:
        assert (shelf[0, 0] == LEVELS).all()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no zombies")
def test_a_dead_process_is_known_while_its_parent_has_not_looked(tmp_path: Path) -> None:
    started = SPAWN.Event()
    holder = SPAWN.Process(target=hold, args=(tmp_path, started))
    holder.start()
    assert started.wait(60)
    os.kill(holder.pid, signal.SIGTERM)
    while psutil.Process(holder.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    with scratch(tmp_path, "key", resume=True) as shelf:
        assert (0, 0) in shelf
    holder.join()


def test_a_prediction_that_takes_more_than_a_week_keeps_its_folder(tmp_path: Path) -> None:
    with held(tmp_path):
        (other,) = folders_in(tmp_path)
        then = time.time() - WEEK_S - 60
        os.utime(other, (then, then))
        with scratch(tmp_path, "another", resume=True):
            assert (other / "section-0-0.npy").is_file()


def predict_at_once(folder: Path, gate: Barrier, found: Queue) -> None:
    for _ in range(ROUNDS):
        gate.wait(60)
        with scratch(folder, "key", resume=True) as shelf:
            found.put((str(shelf.folder), (0, 0) in shelf))
            gate.wait(60)  # all of them hold their folder
            shelf[0, 1] = LEVELS
        gate.wait(60)


def test_processes_that_start_at_once_never_share_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "cache" / "predictions"
    found, gate = SPAWN.Queue(), SPAWN.Barrier(PROCESSES + 1)
    arguments = (folder, gate, found)
    racers = [SPAWN.Process(target=predict_at_once, args=arguments) for _ in range(PROCESSES)]
    for racer in racers:
        racer.start()
    for _ in range(ROUNDS):
        with pytest.raises(RuntimeError):
            fail_after_a_section(folder)
        gate.wait(60)  # they race for the section that was left
        gate.wait(60)
        seen = [found.get(timeout=60) for _ in racers]
        gate.wait(60)
        assert len({name for name, _ in seen}) == PROCESSES
        assert sum(has_section for _, has_section in seen) == 1
    for racer in racers:
        racer.join()
        assert racer.exitcode == 0
    assert list(tmp_path.iterdir()) == []


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
