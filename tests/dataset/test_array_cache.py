"""Cached arrays: used only as they were written, and made by one of several processes."""

import os
import shutil
import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest
from support import Listener, tiny_settings

from grave_cli.dataset import array_cache
from grave_cli.dataset.array_cache import read_parts
from grave_cli.dataset.cemetery_arrays import CemeteryArrays, read_part
from grave_cli.dataset.plans import PartPlan
from grave_cli.dataset.training_data import plan_training, reading_recipe
from grave_cli.errors import ExportError
from grave_cli.interrupts import interrupt_main
from grave_cli.owners.claims import claimed
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.recipe import InputRecipe

PROCESSES = 3
SPAWN = get_context("spawn")  # as on Windows and macOS
ARRAYS = ("rgb", "valid", "elevation", "instances")

Planned = tuple[PartPlan, InputRecipe]


def plan_of(root: Path) -> Planned:
    settings = tiny_settings(root, root.parent, data__channels="rgb+dem")
    return plan_training(settings).parts[0], reading_recipe(settings)


@pytest.fixture(scope="module")
def planned(sample_data: Path) -> Planned:
    return plan_of(sample_data)


@pytest.fixture(scope="module")
def fresh(planned: Planned) -> CemeteryArrays:
    return read_part(*planned)


def cached(planned: Planned, cache: Path, progress: Progress = SILENT) -> CemeteryArrays:
    plan, recipe = planned
    return read_parts([plan], recipe, max_bytes=0, cache=cache, progress=progress)[0]


def assert_same(found: CemeteryArrays, fresh: CemeteryArrays) -> None:
    for name in ARRAYS:
        assert np.array_equal(
            getattr(found, name), getattr(fresh, name), equal_nan=name == ARRAYS[2]
        )
    assert found.labelled is None


def lose_heights(folder: Path) -> None:
    (folder / "elevation.npy").unlink()


def cut_short(folder: Path) -> None:
    os.truncate(folder / "rgb.npy", 200)


def empty(folder: Path) -> None:
    (folder / "valid.npy").write_bytes(b"")


def change_a_byte(folder: Path) -> None:
    path = folder / "instances.npy"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


def lose_the_record(folder: Path) -> None:
    (folder / "arrays.json").unlink()


def damage_the_record(folder: Path) -> None:
    (folder / "arrays.json").write_text('{"files": {}}')


def lose_everything(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def add_a_file(folder: Path) -> None:
    shutil.copy(folder / "valid.npy", folder / "labelled.npy")


DAMAGES = (
    *(lose_heights, cut_short, empty, change_a_byte, add_a_file),
    *(lose_the_record, damage_the_record, lose_everything),
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_files_that_do_not_match_their_record_are_made_anew(
    damage: Callable[[Path], None],
    planned: Planned,
    fresh: CemeteryArrays,
    listener: Listener,
    tmp_path: Path,
) -> None:
    cached(planned, tmp_path)
    (folder,) = tmp_path.iterdir()
    damage(folder)
    assert_same(cached(planned, tmp_path, listener), fresh)
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert [note for note in listener.notes if "damaged" in note and str(folder) in note]
    listener.notes.clear()
    assert_same(cached(planned, tmp_path, listener), fresh)
    assert listener.notes == []


def test_copied_files_are_used(
    planned: Planned, fresh: CemeteryArrays, listener: Listener, tmp_path: Path
) -> None:
    cached(planned, tmp_path / "cache")
    shutil.copytree(tmp_path / "cache", tmp_path / "copy", copy_function=shutil.copyfile)
    (folder,) = (tmp_path / "copy").iterdir()
    for _ in range(2):
        assert_same(cached(planned, tmp_path / "copy", listener), fresh)
    assert listener.notes == []
    record = (folder / "arrays.json").read_text()
    assert str((folder / "rgb.npy").stat().st_mtime_ns) in record


def test_files_of_another_version_of_gravecli_are_not_used(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached(planned, tmp_path)
    (old,) = tmp_path.glob("*/arrays.json")
    monkeypatch.setattr(array_cache, "__version__", "0.0.1")
    cached(planned, tmp_path)
    assert len(list(tmp_path.glob("*/arrays.json"))) == 2
    assert old.exists()


def test_a_cache_in_a_file_s_place_is_named(planned: Planned, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("mine")
    with pytest.raises(ExportError, match=r"cache: cannot be written"):
        cached(planned, tmp_path / "cache")


def read_and_tell(root: Path, cache: Path, gate: Barrier, told: Queue) -> None:
    """Read through the cache, and tell how often the files themselves were read."""
    reads = []

    def read(plan: PartPlan, recipe: InputRecipe) -> CemeteryArrays:
        reads.append(plan)
        return read_part(plan, recipe)

    array_cache.read_part = read
    planned = plan_of(root)
    gate.wait(120)
    assert_same(cached(planned, cache), read_part(*planned))
    told.put(len(reads))


def test_of_processes_that_start_at_once_one_reads_and_all_are_right(
    sample_data: Path, tmp_path: Path
) -> None:
    gate, told = SPAWN.Barrier(PROCESSES), SPAWN.Queue()
    arguments = (sample_data, tmp_path / "cache", gate, told)
    readers = [SPAWN.Process(target=read_and_tell, args=arguments) for _ in range(PROCESSES)]
    for reader in readers:
        reader.start()
    assert sum(told.get(timeout=200) for _ in readers) == 1
    for reader in readers:
        reader.join()
        assert reader.exitcode == 0
    assert len(list((tmp_path / "cache").iterdir())) == 1  # no lock file, no half


def die_half_way(root: Path, cache: Path) -> None:
    save = np.save

    def save_one(path: Path, array: np.ndarray) -> None:
        save(path, array)
        os.kill(os.getpid(), signal.SIGKILL)

    np.save = save_one
    cached(plan_of(root), cache)


def test_the_half_of_a_killed_process_is_invisible_and_swept(
    planned: Planned, fresh: CemeteryArrays, sample_data: Path, tmp_path: Path
) -> None:
    victim = SPAWN.Process(target=die_half_way, args=(sample_data, tmp_path))
    victim.start()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    left = {path.name for path in tmp_path.iterdir()}
    assert any(name.startswith(".gravecli-") for name in left)
    assert any(name.endswith(".beat") for name in left)
    assert_same(cached(planned, tmp_path), fresh)
    (folder,) = tmp_path.iterdir()
    assert not folder.name.startswith(".")


@pytest.mark.skipif(os.name == "nt", reason="no signal ends the wait for a thread on Windows")
@pytest.mark.timeout(60)
def test_ctrl_c_ends_the_wait_for_another_process(planned: Planned, tmp_path: Path) -> None:
    class Interrupting(Listener):
        def note(self, message: str) -> None:
            super().note(message)
            interrupt_main()

    listener = Interrupting()
    with claimed(tmp_path / array_cache._cache_key(*planned)), pytest.raises(KeyboardInterrupt):
        cached(planned, tmp_path, listener)
    assert "Waiting for another process" in listener.notes[0]
