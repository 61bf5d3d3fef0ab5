"""A GeoPackage is known again as gravecli's own, and is not replaced while QGIS has it open."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import fiona
import pytest
from two_graves import CRS, sql, two_graves

from grave_cli.delivery.geopackage_seal import (
    map_output,
    refuse_open_geopackage,
    why_keep_map,
)
from grave_cli.errors import ExportError
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.outputs import FOREIGN, check_outputs, source_of


@pytest.fixture
def orthophoto(tmp_path: Path) -> Path:
    path = tmp_path / "anna.tif"
    path.write_bytes(b"pixels")
    return path


@pytest.fixture
def written(tmp_path: Path, orthophoto: Path) -> Path:
    """The map of two graves."""
    path = tmp_path / "anna.gpkg"
    write_geopackage(two_graves(orthophoto), path)
    return path


@contextmanager
def other_program(path: Path, *statements: str) -> Iterator[None]:
    """Keep a database open in another process, as SQLite's locks are between processes."""
    program = (
        "import sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for statement in sys.argv[2:]: unfinished = database.execute(statement)\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(path), *statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield
        assert process.stdin is not None
        process.stdin.close()


def open_and_close_like_qgis(path: Path) -> None:
    with other_program(path, "PRAGMA journal_mode = wal", "SELECT count(*) FROM graves"):
        pass


def test_a_map_that_nobody_changed_may_be_replaced(written: Path, orthophoto: Path) -> None:
    assert why_keep_map(written, source_of(orthophoto)) is None
    before = written.read_bytes()
    open_and_close_like_qgis(written)
    assert written.read_bytes() != before
    check_outputs([map_output(written, orthophoto)], {}, overwrite=False)
    assert sorted(os.listdir(written.parent)) == ["anna.gpkg", "anna.tif"]


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE graves SET flags = 'seen' WHERE fid = 2",
        "UPDATE graves_raw SET grave_id = 'x' WHERE fid = 2",
        "DELETE FROM graves WHERE fid = 1",
        "ALTER TABLE graves ADD COLUMN note TEXT",
        "CREATE TABLE qgis_projects (name TEXT, content BLOB)",
        "UPDATE gravecli_provenance SET value = 'other.tif' WHERE key = 'orthophoto'",
    ],
)
def test_a_map_that_somebody_changed_is_kept(written: Path, orthophoto: Path, edit: str) -> None:
    sql(written, edit)
    assert why_keep_map(written, source_of(orthophoto)) == "was changed since gravecli wrote it"


def test_the_map_of_another_orthophoto_is_kept(written: Path, orthophoto: Path) -> None:
    orthophoto.write_bytes(b"other pixels of the same name")
    with pytest.raises(ExportError, match=r"anna\.gpkg: file exists and is the map of another"):
        check_outputs([map_output(written, orthophoto)], {}, overwrite=False)
    check_outputs([map_output(written, orthophoto)], {}, overwrite=True)


def test_maps_without_a_seal_and_other_files_are_kept(written: Path, tmp_path: Path) -> None:
    sql(written, "DELETE FROM gravecli_provenance WHERE key = 'content_sha256'")
    assert "has no seal" in (why_keep_map(written, "x") or "")
    foreign = tmp_path / "foreign.gpkg"
    schema = {"geometry": "Point", "properties": {}}
    with fiona.open(foreign, "w", driver="GPKG", layer="graves", crs=CRS, schema=schema):
        pass
    (tmp_path / "text.gpkg").write_text("no database")
    for path in (foreign, tmp_path / "text.gpkg"):
        assert why_keep_map(path, "x") == FOREIGN


EDIT = ("PRAGMA journal_mode = wal", "PRAGMA wal_autocheckpoint = 0", "CREATE TABLE notes (text)")


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (EDIT, "GeoPackage holds edits that are not in the file yet .*-wal"),
        ((*EDIT[:1], "SELECT count(*) FROM graves"), "GeoPackage is open in another program"),
        (("BEGIN IMMEDIATE",), "GeoPackage is open in another program"),
        (("SELECT fid FROM graves",), "GeoPackage is open in another program"),
    ],
)
def test_a_map_that_is_open_elsewhere_is_not_replaced(
    written: Path, orthophoto: Path, statements: tuple[str, ...], words: str
) -> None:
    result = two_graves(orthophoto)
    with other_program(written, *statements):
        before = {path: path.read_bytes() for path in written.parent.iterdir()}
        for replace in (
            partial(check_outputs, [map_output(written, orthophoto)], {}, overwrite=True),
            partial(write_geopackage, result, written),
        ):
            with pytest.raises(ExportError, match=rf"anna\.gpkg: {words}.*close it in QGIS"):
                replace()
        assert {path: path.read_bytes() for path in written.parent.iterdir()} == before
    write_geopackage(result, written)


def test_a_map_that_is_opened_while_the_new_one_is_written_is_not_replaced(
    written: Path, orthophoto: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grave_cli.delivery import geopackage

    checks: list[Path] = []

    def second_time(path: Path) -> None:
        checks.append(path)
        if len(checks) == 2:
            with other_program(path, *EDIT):
                refuse_open_geopackage(path)

    monkeypatch.setattr(geopackage, "refuse_open_geopackage", second_time)
    with pytest.raises(ExportError, match="close it in QGIS"):
        write_geopackage(two_graves(orthophoto), written)
    assert len(checks) == 2


def killed_with_edits(path: Path) -> None:
    """Leave what a crash of QGIS leaves: a log with edits, which no process has open."""
    with other_program(path, *EDIT):
        log = path.with_name(f"{path.name}-wal")
        edits = log.read_bytes()
    log.write_bytes(edits)


def test_edits_that_a_crash_left_in_the_log_are_not_lost(written: Path, orthophoto: Path) -> None:
    killed_with_edits(written)
    with pytest.raises(ExportError, match="open and close it once"):
        write_geopackage(two_graves(orthophoto), written)
    open_and_close_like_qgis(written)
    assert "was changed" in (why_keep_map(written, source_of(orthophoto)) or "")


@pytest.mark.parametrize("kind", ["-wal", "-shm", "-journal"])
def test_empty_leftovers_of_other_programs_are_removed(
    written: Path, orthophoto: Path, kind: str
) -> None:
    left = written.with_name(f"{written.name}{kind}")
    left.write_bytes(bytes(64) if kind != "-wal" else b"")
    write_geopackage(two_graves(orthophoto), written)
    assert not left.exists()
    with closing(sqlite3.connect(written)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_log_without_its_file_is_named(tmp_path: Path, orthophoto: Path) -> None:
    (tmp_path / "new.gpkg-journal").write_bytes(b"\xd9\xd5\x05\xf9 \xa1c\xd7" + bytes(100))
    with pytest.raises(ExportError, match=r"the file is gone: delete new\.gpkg-journal"):
        write_geopackage(two_graves(orthophoto), tmp_path / "new.gpkg")
