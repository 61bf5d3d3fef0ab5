"""Files and folders that are whole or not there: with real processes, kills and sidecars."""

import os
import sqlite3
import stat
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest

from grave_cli import atomic_writes
from grave_cli.atomic_writes import whole_file, whole_folder
from grave_cli.errors import ExportError

SIZE = 200_000
ROUNDS = 30
DAY_S = 24 * 3600
SPAWN = get_context("spawn")  # as on Windows and macOS


def write_file(path: Path, letter: str) -> None:
    with whole_file(path) as new, new.open("w") as file:
        for _ in range(4):
            file.write(letter * (SIZE // 4))
            file.flush()


def write_files(path: Path, letter: str) -> None:
    for _ in range(ROUNDS):
        write_file(path, letter)


def write_folder(path: Path, letter: str, start: float) -> None:
    time.sleep(max(0.0, start - time.time()))
    with whole_folder(path) as new:
        for name in ("one", "two"):
            (new / name).write_text(letter * SIZE)


def write_half_and_hang(path: Path) -> None:
    with whole_file(path) as new:
        new.write_text("half")
        time.sleep(600)


def write_half_a_folder_and_hang(path: Path) -> None:
    with whole_folder(path) as new:
        (new / "one").write_text("half")
        time.sleep(600)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def fail_in(path: Path, error: BaseException) -> None:
    with whole_file(path) as new:
        new.write_text("half")
        new.with_name(f"{new.name}-wal").write_text("log")
        raise error


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_and_its_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "report.html"
    for text in ("old", "new"):
        with whole_file(path) as new:
            assert new.parent.samefile(path.parent)
            assert new.suffix == ".html"
            assert not new.exists()
            new.write_text(text)
        assert path.read_text() == text
    assert names_in(path.parent) == ["report.html"]


def test_two_processes_writing_one_file_end_with_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_file(path, "c")
    writers = [SPAWN.Process(target=write_files, args=(path, letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        text = path.read_text()
        assert len(text) == SIZE
        assert len(set(text)) == 1
        seen.add(text[0])
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert {"a", "b"} <= seen
    assert names_in(tmp_path) == ["page.html"]


def test_of_two_processes_making_one_folder_the_first_to_finish_wins(tmp_path: Path) -> None:
    path, start = tmp_path / "cache" / "key", time.time() + 3
    writers = [SPAWN.Process(target=write_folder, args=(path, letter, start)) for letter in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    texts = {(path / name).read_text() for name in ("one", "two")}
    assert texts in ({"a" * SIZE}, {"b" * SIZE})
    assert names_in(tmp_path / "cache") == ["key"]


def test_a_folder_that_exists_stays(tmp_path: Path) -> None:
    write_folder(tmp_path / "key", "a", 0)
    write_folder(tmp_path / "key", "b", 0)
    assert (tmp_path / "key" / "one").read_text() == "a" * SIZE
    assert names_in(tmp_path) == ["key"]


@pytest.mark.parametrize("hang", [write_half_and_hang, write_half_a_folder_and_hang])
def test_a_kill_leaves_what_was_there_and_its_leftover_goes_at_the_next_write(
    tmp_path: Path, hang: Callable[[Path], None]
) -> None:
    path = tmp_path / "map.gpkg"
    if hang is write_half_and_hang:
        path.write_text("old")
    child = SPAWN.Process(target=hang, args=(path,))
    child.start()
    wait_for(lambda: list(tmp_path.glob(".*.gpkg")))
    (left,) = tmp_path.glob(".*.gpkg")
    left.with_name(f"{left.name}-journal").write_text("log")
    write_file(tmp_path / "other", "a")
    assert left.exists()
    child.kill()
    child.join()
    assert (path.read_text() == "old") if hang is write_half_and_hang else not path.exists()
    write_file(tmp_path / "other", "a")
    assert names_in(tmp_path) == ["map.gpkg", "other"] if path.exists() else ["other"]


@pytest.mark.parametrize("name", [".gravecli-office-2~4711~1732612345~ab.gpkg", ".gravecli-ab.png"])
def test_leftovers_of_other_machines_go_after_a_day(tmp_path: Path, name: str) -> None:
    left = tmp_path / name
    left.write_text("half")
    write_file(tmp_path / "other", "a")
    assert left.exists()
    then = time.time() - DAY_S - 60
    os.utime(left, (then, then))
    write_file(tmp_path / "other", "a")
    assert names_in(tmp_path) == ["other"]


@pytest.mark.parametrize("error", [ValueError("bug"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_of_the_new_one(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "map.gpkg"
    path.write_text("old")
    with pytest.raises(type(error)):
        fail_in(path, error)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["map.gpkg"]


def test_sidecars_of_an_unfinished_database_go(tmp_path: Path) -> None:
    path = tmp_path / "map.gpkg"

    def crash() -> None:
        with whole_file(path) as new:
            database = sqlite3.connect(new)
            database.execute("PRAGMA journal_mode = wal")
            database.execute("CREATE TABLE graves (id)")
            assert new.with_name(f"{new.name}-wal").stat().st_size
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert names_in(tmp_path) == []


def test_bytes_are_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    path.write_text("old")
    flushed: list[tuple[int, bool]] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        fsync(handle)
        flushed.append((os.fstat(handle).st_ino, path.read_text() == "old"))

    monkeypatch.setattr(os, "fsync", watched)
    with whole_file(path) as new:
        new.write_text("new")
    assert flushed[0] == (path.stat().st_ino, True)
    if os.name != "nt":
        assert flushed[1:] == [(tmp_path.stat().st_ino, False)]


def test_every_file_of_a_folder_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda handle: (fsync(handle), flushed.append(os.fstat(handle).st_ino))
    )
    with whole_folder(tmp_path / "key") as new:
        (new / "model").mkdir()
        (new / "model" / "weights").write_text("w")
    inside = {path.stat().st_ino for path in (tmp_path / "key").rglob("*")}
    assert len(inside) == 2
    assert (inside & set(flushed)) if os.name == "nt" else (inside <= set(flushed))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
def test_colleagues_may_read_what_the_umask_lets_them(
    tmp_path: Path, umask: int, mode: int
) -> None:
    path = tmp_path / "map.gpkg"
    before = os.umask(umask)
    try:
        write_file(path, "a")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path / "file" / "report.html", tmp_path):
        with pytest.raises(ExportError, match=r"cannot be written: ") as caught:
            write_file(path, "a")
        assert str(caught.value).startswith(f"{path}: ")
    assert names_in(tmp_path) == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    path = tmp_path / "null"
    os.mkfifo(path)
    with pytest.raises(ExportError, match="null: cannot be written: not a regular file"):
        write_file(path, "a")
    assert path.is_fifo()


@pytest.mark.skipif(os.name == "nt", reason="Windows lets only administrators make links")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    link = tmp_path / "map.gpkg"
    link.symlink_to(tmp_path / "share" / "anna.gpkg")
    write_file(link, "a")
    assert link.is_symlink()
    assert names_in(tmp_path / "share") == ["anna.gpkg"]
    assert link.read_text() == "a" * SIZE


def test_what_a_writer_raises_is_an_export_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"map\.gpkg: cannot be written: No space left"):
        fail_in(tmp_path / "map.gpkg", OSError(28, "No space left on device"))


# Linux lets anybody replace an open file. What Windows answers then is played here.
def denied(times: int) -> Callable[[Path, Path], None]:
    replace, left = os.replace, [times]

    def answer(new: Path, path: Path) -> None:
        if left[0]:
            left[0] -= 1
            raise PermissionError(13, "Access is denied")
        replace(new, path)

    return answer


def test_a_file_that_is_open_elsewhere_is_to_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "map.gpkg"
    path.write_text("old")
    monkeypatch.setattr(atomic_writes, "_PAUSES_S", (0.01,))
    monkeypatch.setattr(os, "replace", denied(times=2))
    with pytest.raises(ExportError, match=r"map\.gpkg: cannot .*denied; close it in other program"):
        write_file(path, "a")
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["map.gpkg"]


def test_a_file_that_a_scanner_holds_for_a_moment_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", denied(times=2))
    write_file(tmp_path / "map.gpkg", "a")
    assert (tmp_path / "map.gpkg").read_text() == "a" * SIZE
