"""Temporary files of killed processes: swept at the next start, wherever gravecli writes."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from terminal import gravecli

from grave_cli.atomic_writes import whole_file
from grave_cli.outputs import Output, check_outputs
from grave_cli.owners.leftovers import temporary_folder, temporary_path

SPAWN = get_context("spawn")  # as on Windows and macOS
DEAD = "from grave_cli.owners.tags import owner_tag; print(owner_tag())"
WRITES = 200


@pytest.fixture(scope="module")
def dead() -> str:
    """The tag of a process that is no longer there."""
    answer = subprocess.run(
        [sys.executable, "-c", DEAD], capture_output=True, check=True, text=True
    )
    return answer.stdout.strip()


def leave(folder: Path, tag: str) -> list[Path]:
    """Leave what a process killed while it writes leaves: a file with its journal, a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f".gravecli-{tag}~ab.gpkg", folder / f".gravecli-{tag}~ab.gpkg-journal"]
    for path in files:
        path.write_bytes(b"half")
    part = folder / f".gravecli-{tag}~cd"
    part.mkdir()
    (part / "rgb.npy").write_bytes(b"half")
    return [*files, part]


def test_the_start_of_a_command_sweeps_its_work_folder(dead: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    places = [runs, runs / "cache", runs / "cache" / "studies" / "ab", runs / "unfinished" / "ab"]
    places += [runs / "cache" / "predictions" / "key~ab", runs / "cache" / "models"]
    left = [path for place in places for path in leave(place, dead)]
    mine = temporary_path(runs / "cache", ".json")
    mine.write_text("in use")
    assert gravecli("dataset-id", ".", cwd=tmp_path).returncode == 2  # there is no data
    assert [path for path in left if path.exists()] == []
    assert mine.exists()


def test_the_check_of_an_output_sweeps_its_folder(dead: str, tmp_path: Path) -> None:
    left = leave(tmp_path / "maps", dead)
    map_file = Output("--out", tmp_path / "maps" / "a.gpkg", "a map", (".gpkg",), lambda path: None)
    check_outputs([map_file], {}, overwrite=False)
    assert [path for path in left if path.exists()] == []
    assert list((tmp_path / "maps").iterdir()) == []


def test_a_temporary_folder_is_gone_after_its_block(tmp_path: Path) -> None:
    with temporary_folder(tmp_path / "new") as folder:
        (folder / "part").mkdir()
        assert folder.parent == tmp_path / "new"
    assert list((tmp_path / "new").iterdir()) == []


def remove_empty_folders(folder: Path, stop: Event) -> None:
    """Remove folders as a prediction does at its end, as fast as possible."""
    while not stop.is_set():
        for path in (folder, folder.parent):
            with suppress(OSError):
                path.rmdir()


def test_a_folder_that_is_removed_as_empty_meanwhile_is_made_again(tmp_path: Path) -> None:
    folder, stop = tmp_path / "runs" / "cache", SPAWN.Event()
    remover = SPAWN.Process(target=remove_empty_folders, args=(folder, stop))
    remover.start()
    try:
        deadline = time.monotonic() + 60
        while remover.is_alive() and not _removes(folder):
            assert time.monotonic() < deadline
        for number in range(WRITES):
            with whole_file(folder / "hashes.json") as new:
                new.write_text(str(number))
            os.unlink(folder / "hashes.json")
    finally:
        stop.set()
        remover.join()
    shutil.rmtree(tmp_path / "runs", ignore_errors=True)


def _removes(folder: Path) -> bool:
    """Tell whether the remover is at work."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    time.sleep(0.01)
    return not folder.exists()
