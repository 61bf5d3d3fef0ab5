"""Files that a command is about to write: nothing is lost, and nothing is left behind."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grave_cli.errors import ExportError, InUseError
from grave_cli.outputs import (
    Output,
    check_outputs,
    checked_outputs,
    free_name,
    seal,
    source_of,
    written_alone,
)
from grave_cli.owners.claims import PATIENCE_S


def keep(path: Path) -> str | None:
    return None if path.read_text() == "own" else "was changed"


def check(
    path: Path,
    inputs: dict[str, Path | None] | None = None,
    *,
    overwrite: bool = False,
    option: str = "--out",
) -> None:
    output = Output(option, path, "a page", (".html",), keep)
    check_outputs([output], inputs or {}, overwrite=overwrite)


def test_a_changed_file_is_replaced_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("edited")
    with pytest.raises(ExportError, match=r"a\.html: file exists and was changed; .*--overwrite"):
        check(path)
    check(path, overwrite=True)
    for text in ("own", ""):
        path.write_text(text)
        check(path)
    assert os.listdir(tmp_path) == ["a.html"]


def test_folders_are_tried_and_none_is_left(tmp_path: Path) -> None:
    check(tmp_path / "new" / "deep" / "a.html")
    assert os.listdir(tmp_path) == []


def in_a_file(folder: Path) -> Path:
    (folder / "file").write_text("")
    return folder / "file" / "deep" / "a.html"


def a_folder(folder: Path) -> Path:
    (folder / "out.html").mkdir()
    return folder / "out.html"


def a_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.html")
    return folder / "pipe.html"


def a_circle(folder: Path) -> Path:
    (folder / "a.html").symlink_to("b.html")
    (folder / "b.html").symlink_to("a.html")
    return folder / "a.html"


@pytest.mark.skipif(os.name == "nt", reason="pipes and links")
@pytest.mark.parametrize(
    ("place", "words"),
    [
        (in_a_file, "file is not a folder"),
        (a_folder, "is a folder .*such as .*map.html"),
        (a_pipe, "not a regular file"),
        (a_circle, "cannot be written"),
        (lambda folder: folder / f"{'a' * 300}.html", "cannot be written: File name too long"),
        (lambda folder: folder / "a.pdf", r"writes a page \(found .pdf, expected .*ends in .html"),
        (lambda folder: folder / "page", r"found no ending"),
    ],
)
def test_a_place_that_cannot_be_written_is_one_line(
    tmp_path: Path, place: Callable[[Path], Path], words: str
) -> None:
    path = place(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ExportError, match=words) as caught:
        check(path, overwrite=True)
    assert str(caught.value).startswith(f"{path}: ")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_folders_and_files_that_are_write_protected_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.html"
    path.write_text("own")
    path.chmod(0o444)
    with pytest.raises(ExportError, match="write-protected"):
        check(path, overwrite=True)
    tmp_path.chmod(0o555)
    with pytest.raises(ExportError, match="cannot be written: Permission denied"):
        check(tmp_path / "new.html")
    tmp_path.chmod(0o755)


def by_link(path: Path) -> Path:
    link = path.with_name("link.html")
    link.symlink_to(path)
    return link


def by_hard_link(path: Path) -> Path:
    link = path.with_name("hard.html")
    link.hardlink_to(path)
    return link


@pytest.mark.skipif(os.name == "nt", reason="Windows lets only administrators make links")
@pytest.mark.parametrize(
    "spelling",
    [
        lambda path: path,
        lambda path: path.parent / "x" / ".." / path.name,
        lambda path: Path(os.path.relpath(path)),
        lambda path: path.with_name(path.name.upper()).with_suffix(".HTML"),
        by_link,
        by_hard_link,
    ],
)
def test_an_input_is_never_replaced_whatever_its_spelling(
    tmp_path: Path, spelling: Callable[[Path], Path]
) -> None:
    (tmp_path / "x").mkdir()
    path = tmp_path / "truth.html"
    path.write_text("own")
    spelt = spelling(path)
    for given, read in ((spelt, path), (path, spelt)):
        with pytest.raises(ExportError, match="--out and TRUTH are the same file"):
            check(given, {"--area": None, "TRUTH": read}, overwrite=True)


def test_two_outputs_at_one_place_are_refused(tmp_path: Path) -> None:
    outputs = [
        Output(option, tmp_path / "a.html", "a page", (".html",), keep) for option in ("--a", "--b")
    ]
    with pytest.raises(ExportError, match="--b and --a are the same file"):
        check_outputs(outputs, {}, overwrite=True)


def test_a_source_is_known_by_its_bytes_and_not_by_its_name_or_time(tmp_path: Path) -> None:
    for size in (0, 10, 70_000, 3_000_000):
        one, other = tmp_path / "one", tmp_path / "other"
        one.write_bytes(bytes(size))
        other.write_bytes(bytes(size))
        os.utime(other, (1, 1))
        assert source_of(one) == source_of(other)
        other.write_bytes(bytes(size) + b"1")
        assert source_of(one) != source_of(other)
        if size:
            other.write_bytes(bytes(size - 1) + b"1")
            assert source_of(one) != source_of(other)
    assert source_of(tmp_path) == source_of(tmp_path / "gone") == ""


def test_a_seal_tells_where_one_part_ends() -> None:
    assert seal("ab", "c") != seal("a", "bc") != seal("abc")
    assert seal("a", "b") == seal(b"a", b"b")


def test_a_free_name_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "map-2.gpkg").write_text("")
    assert free_name(tmp_path / "map.gpkg") == tmp_path / "map-3.gpkg"


def test_an_output_that_another_process_makes_is_waited_for_and_looked_at_again(
    tmp_path: Path,
) -> None:
    out = Output("--out", tmp_path / "a.gpkg", "a map", (".gpkg",), lambda path: "is not mine")
    is_begun, never = threading.Event(), threading.Event()

    def make() -> None:
        with written_alone(out.path):
            is_begun.set()
            never.wait(PATIENCE_S / 5)
            out.path.write_text("made")

    with ThreadPoolExecutor() as other:
        other.submit(make)
        is_begun.wait()
        with pytest.raises(InUseError, match=r"a\.gpkg: in use by process"):
            written_alone(out.path, wait_s=0).__enter__()
        with pytest.raises(ExportError, match="is not mine"):
            checked_outputs([out], {}, overwrite=False).__enter__()
    with checked_outputs([out], {}, overwrite=True), pytest.raises(InUseError):
        written_alone(out.path, wait_s=0).__enter__()
    assert list(tmp_path.iterdir()) == [out.path]
