"""A map that somebody corrected in QGIS is ground truth as it is, also while QGIS has it open."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from corrections import correct_with_qgis, correct_with_sql, corrected_in_open_qgis
from qgis_process import needs_qgis
from some_map import BOTTOM, LEFT, some_map
from support import another_account
from survey_scene import MAP_TYPES, PLACE, plant, write_survey
from terminal import gravecli

from grave_cli.dataset.annotations import Graves, read_grave_file
from grave_cli.dataset.identity.dataset_id import content_fingerprint, dataset_id, fingerprint
from grave_cli.dataset.manifest import Manifest, read_manifest
from grave_cli.errors import DatasetError
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.rasters import geopackage_edits
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.settings.inputs import DataSettings
from grave_cli.vectors.attribute_tables import read_records

GRID = some_map(Path("anna.tif")).grid
NAME = "groß_anna-F0{}-R0{}-00{}"
DELETED, MOVED, KEPT = NAME.format(1, 1, 1), NAME.format(1, 1, 2), NAME.format(1, 2, 1)


def box(x: float, y: float) -> shapely.Polygon:
    return shapely.box(LEFT + x, BOTTOM + y, LEFT + x + 1, BOTTOM + y + 2)


def bow_tie(x: float, y: float) -> shapely.Polygon:
    corners = ((0, 0), (2, 1), (2, 0), (0, 1))
    return shapely.Polygon([(LEFT + x + right, BOTTOM + y + up) for right, up in corners])


CORRECTIONS = {
    "delete": [DELETED],
    "move": {MOVED: [0.5, 1.0]},
    "review": [MOVED, KEPT],
    "draw": [
        shapely.MultiPolygon([box(1, 7)]).wkt,  # QGIS draws these
        shapely.MultiPolygon([box(3, 7), box(5, 7)]).wkt,
        bow_tie(8, 8).wkt,
    ],
}
# The bow tie is two triangles.
EXPECTED = [box(3.5, 5), *(box(x, 4) for x in (6, 9, 12)), *(box(x, 7) for x in (1, 3, 5))]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data folder whose annotations are a map as gravecli wrote it: six graves."""
    root = tmp_path / "data"
    for folder in ("orthophotos", "annotations"):
        (root / folder).mkdir(parents=True)
    (root / "orthophotos/anna.tif").write_bytes(b"pixels")
    write_geopackage(some_map(root / "orthophotos/anna.tif"), root / "annotations/anna.gpkg")
    return root


def annotations(root: Path) -> Path:
    return root / "annotations/anna.gpkg"


def graves_of(root: Path) -> Graves:
    return read_grave_file(annotations(root), GRID, DataSettings())


def files_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def identity(root: Path) -> str:
    return dataset_id(read_manifest(root))


def assert_corrected(root: Path) -> None:
    """Check graves and findings, and that reading has left the office's folder as it was."""
    before, before_id = files_in(root / "annotations"), identity(root)
    graves = graves_of(root)
    assert files_in(root / "annotations") == before
    assert identity(root) == before_id
    assert len(graves.polygons) == len(EXPECTED) + 3  # the notched one, two triangles
    for expected in EXPECTED:
        assert max(shapely.area(shapely.intersection(graves.polygons, expected))) > 1.999
    assert list(graves.findings.sentences()) == ["1 invalid outline repaired"]
    assert graves.reviewed is not None
    assert graves.reviewed.sum() == 2


def test_edits_that_are_only_in_the_log_count(root: Path) -> None:
    before, content = fingerprint(read_manifest(root)), content_of(root)
    correct_with_sql(annotations(root), CORRECTIONS)
    assert sorted(files_in(root / "annotations"))[-1] == "anna.gpkg-wal"
    assert_corrected(root)
    after = fingerprint(read_manifest(root))
    assert {file.path for file in after.files} - {file.path for file in before.files} == {
        "annotations/anna.gpkg-wal"
    }
    assert after.id != before.id
    assert content_of(root) != content
    with closing(sqlite3.connect(annotations(root))) as database:  # as QGIS opens and closes it
        database.execute("SELECT count(*) FROM graves").fetchone()
    assert list(files_in(root / "annotations")) == ["anna.gpkg"]
    assert identity(root) != after.id
    assert_corrected(root)


def content_of(root: Path) -> str:
    return content_fingerprint(read_manifest(root), root.parent / "hashes.json").id


@needs_qgis
def test_corrections_in_qgis_count_open_closed_and_killed(root: Path) -> None:
    path, written = annotations(root), annotations(root).read_bytes()
    before = identity(root)
    with corrected_in_open_qgis(path, CORRECTIONS):
        assert path.with_name("anna.gpkg-wal").stat().st_size
        assert identity(root) != before
        assert_corrected(root)
    assert list(files_in(root / "annotations")) == ["anna.gpkg"]
    assert_corrected(root)
    path.write_bytes(written)
    correct_with_qgis(path, CORRECTIONS, "--crash")
    assert path.with_name("anna.gpkg-wal").stat().st_size
    assert_corrected(root)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="accounts are switched as on Unix")
def test_edits_in_the_log_count_in_a_folder_that_cannot_be_written(root: Path) -> None:
    correct_with_sql(annotations(root), CORRECTIONS)
    annotations(root).with_name("anna.gpkg-shm").unlink(missing_ok=True)
    with TemporaryDirectory() as folder:  # pytest's own folders are closed to other accounts
        Path(folder).chmod(0o755)
        copy = Path(shutil.copytree(root, Path(folder) / "data"))
        annotations(copy).parent.chmod(0o555)
        with another_account():
            assert_corrected(copy)
        annotations(copy).parent.chmod(0o755)


UNFINISHED = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN")
database.execute("DELETE FROM graves")
database.execute("CREATE TABLE large AS SELECT randomblob(500000)")
os._exit(0)
"""


def test_an_edit_that_was_not_finished_does_not_count(root: Path) -> None:
    path = annotations(root)
    before = identity(root)
    subprocess.run([sys.executable, "-c", UNFINISHED, path], check=True, timeout=60)
    assert path.with_name("anna.gpkg-journal").stat().st_size
    files = files_in(path.parent)
    assert identity(root) != before
    assert len(graves_of(root).polygons) == 6
    assert files_in(path.parent) == files
    note = geopackage_edits.edits_note(path)
    assert note is not None
    assert "as it was before an edit that was not finished" in note


def test_a_file_that_changes_all_the_time_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    correct_with_sql(annotations(root), CORRECTIONS)
    ticks = iter(range(100))
    monkeypatch.setattr(geopackage_edits, "_PAUSES_S", (0.0, 0.0))
    monkeypatch.setattr(geopackage_edits, "_stamps", lambda real: {"": (next(ticks), 0)})
    with pytest.raises(DatasetError, match=r"anna\.gpkg: GeoPackage is being written"):
        graves_of(root)


def test_a_log_that_sqlite_ignores_plays_no_part(root: Path) -> None:
    before = identity(root)
    annotations(root).with_name("anna.gpkg-wal").write_bytes(b"no log of SQLite" * 9)
    assert identity(root) == before
    assert len(graves_of(root).polygons) == 6


def test_a_geopackage_of_pixels_is_not_read_while_it_holds_edits(tmp_path: Path) -> None:
    path = tmp_path / "data/orthophotos/anna.gpkg"
    path.parent.mkdir(parents=True)
    how = {"driver": "GPKG", "width": 8, "height": 8, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:25832", transform=GRID.transform, **how) as file:
        file.write(np.ones((3, 8, 8), np.uint8))
    manifest: Manifest = read_manifest(path.parent.parent)
    dataset_id(manifest)
    edit = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1])\n"
        "database.execute('PRAGMA journal_mode = wal')\n"
        "database.execute('CREATE TABLE notes (text)')\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", edit, path], check=True, timeout=60)
    with pytest.raises(DatasetError, match=r"anna\.gpkg: .*not in the file yet.*close it in QGIS"):
        dataset_id(manifest)


def test_the_office_s_list_is_read_with_the_edits_in_its_log(root: Path) -> None:
    correct_with_sql(annotations(root), CORRECTIONS)
    before = files_in(root / "annotations")
    records = read_records(annotations(root), "graves")
    assert len(records.rows) == 8
    assert sum(bool(row["reviewed"]) for row in records.rows) == 2
    assert files_in(root / "annotations") == before


@pytest.mark.parametrize("command", ["compare old.gpkg new.gpkg", "join old.gpkg list.csv"])
def test_the_maps_of_compare_and_join_serve_without_naming_a_layer(
    tmp_path: Path, command: str
) -> None:
    planted = plant()
    write_survey(tmp_path / "old.gpkg", planted.old, planted.old_rows, MAP_TYPES)
    write_survey(tmp_path / "new.gpkg", planted.new, planted.new_rows, MAP_TYPES)
    rows = (f"{row['field']};{row['row']};{row['number']};x" for row in planted.old_rows)
    (tmp_path / "list.csv").write_text("\n".join(["Feld;Reihe;Nummer;Name", *rows]), "utf-8")
    result = gravecli(*command.split(), "--out", "out.gpkg", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    drawn = planted.new if command.startswith("compare") else planted.old
    left, bottom, right, top = shapely.total_bounds(drawn) + np.tile(PLACE, 2)
    width, height = (round(length / 0.1) + 20 for length in (right - left, top - bottom))
    place = Affine(0.1, 0, left - 1, 0, -0.1, top + 1)
    grid = WorkingGrid(GRID.crs, place, width, height, 0.1)
    found = read_grave_file(tmp_path / "out.gpkg", grid, DataSettings())
    assert len(found.polygons) == len(drawn)
