"""A map is compared with its record: rows, model, orthophoto, DEM and data set."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from terminal import SETS, assert_refused, gravecli
from two_graves import sql, two_graves

from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.settings.tree import Settings
from grave_cli.verification.sources import Sources
from grave_cli.verification.verify_map import Verification, verify_map

QGIS_PYTHON = Path("/usr/bin/python3")
ROWS = ("graves", "tables")


@pytest.fixture
def orthophoto(tmp_path: Path) -> Path:
    path = tmp_path / "anna.tif"
    path.write_bytes(b"pixels")
    return path


@pytest.fixture
def written(tmp_path: Path, orthophoto: Path) -> Path:
    """The map of two graves."""
    path = tmp_path / "anna.gpkg"
    write_geopackage(two_graves(orthophoto, dem=""), path)
    return path


def rows_of(path: Path) -> Verification:
    return verify_map(path, Settings(), only=ROWS)


def statuses(result: Verification) -> list[str]:
    return [part.status for part in result.parts.values()]


def test_a_map_as_written_matches_and_is_not_touched(written: Path) -> None:
    before = written.read_bytes(), written.stat().st_mtime_ns
    assert rows_of(written).differing == []
    assert (written.read_bytes(), written.stat().st_mtime_ns) == before
    assert sorted(path.name for path in written.parent.iterdir()) == ["anna.gpkg", "anna.tif"]


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        (["UPDATE graves SET flags = 'seen' WHERE fid = 2"], "1 with other attributes"),
        (["UPDATE graves SET geom = (SELECT geom FROM graves WHERE fid = 1)"], "1 with another ou"),
        (["DELETE FROM graves WHERE fid = 1"], "1 removed"),
        (["DROP TABLE graves"], "2 removed"),
        (
            ["INSERT INTO graves (grave_id) VALUES ('x')", "DELETE FROM graves WHERE fid < 3"],
            "1 added, 2 removed",
        ),
        (["ALTER TABLE graves ADD COLUMN note TEXT"], "columns added or removed: note"),
        (
            ["ALTER TABLE graves DROP COLUMN flags"],
            "2 with other attributes, columns added or removed: flags",
        ),
        (["UPDATE graves SET geom = x'00'"], "2 with another outline"),
        (["UPDATE graves SET geom = NULL WHERE fid = 1"], "1 with another outline"),
    ],
)
def test_edits_of_graves_are_counted(written: Path, edits: list[str], words: str) -> None:
    sql(written, *edits)
    result = rows_of(written)
    assert result.differing == ["graves"]
    assert words in result.parts["graves"].detail


def test_an_edit_that_was_taken_back_is_none(written: Path) -> None:
    sql(written, "UPDATE graves SET flags = 'seen'", "UPDATE graves SET flags = ''")
    assert rows_of(written).differing == []


@pytest.mark.parametrize(
    ("edit", "table"),
    [
        ("UPDATE graves_raw SET grave_id = 'x'", "graves_raw"),
        ("DROP TABLE coverage", "coverage"),
        ("INSERT INTO candidates (decision) VALUES ('accept')", "candidates"),
        ("CREATE TABLE qgis_projects (name TEXT)", "qgis_projects"),
        ("UPDATE gravecli_provenance SET value = 'x' WHERE key = 'orthophoto'", "_provenance"),
        ("UPDATE gravecli_provenance SET value = '{}' WHERE key = 'row_record'", "_provenance"),
        ("UPDATE gravecli_provenance SET value = 3 WHERE key = 'row_record'", "_provenance"),
    ],
)
def test_changes_beside_the_graves_are_named(written: Path, edit: str, table: str) -> None:
    sql(written, edit)
    result = rows_of(written)
    assert "tables" in result.differing
    assert table in result.parts["tables"].detail


def test_a_changed_record_is_noticed_beside_a_changed_grave(written: Path) -> None:
    edit = "UPDATE gravecli_provenance SET value = 'x' WHERE key = 'orthophoto'"
    sql(written, edit, "DELETE FROM graves WHERE fid = 1")
    assert statuses(rows_of(written)) == ["changed", "changed"]


def test_maps_of_earlier_versions_are_not_called_equal(written: Path) -> None:
    sql(written, "DELETE FROM gravecli_provenance WHERE key = 'row_record'")
    assert statuses(rows_of(written)) == ["no record", "changed"]
    sql(written, "DELETE FROM gravecli_provenance WHERE key = 'content_sha256'")
    assert statuses(rows_of(written)) == ["no record", "no record"]


EDIT_IN_QGIS = """
import sys
from qgis.core import QgsApplication, QgsFeature, QgsVectorLayer

app = QgsApplication([], False)
app.initQgis()
layer = QgsVectorLayer(f"{sys.argv[1]}|layername=graves", "graves", "ogr")
first, second = layer.getFeatures()
layer.startEditing()
layer.changeAttributeValue(first.id(), layer.fields().indexOf("flags"), "seen")
layer.deleteFeature(second.id())
new = QgsFeature(layer.fields())
new.setGeometry(second.geometry())
layer.addFeature(new)
assert layer.commitChanges(), layer.commitErrors()
del layer
app.exitQgis()
"""


def has_qgis() -> bool:
    if not QGIS_PYTHON.exists():
        return False
    trial = [QGIS_PYTHON, "-c", "import importlib.util as u; exit(not u.find_spec('qgis'))"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_qgis(), reason="QGIS is not installed")
def test_edits_in_qgis_are_counted(written: Path) -> None:
    surroundings = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(written.parent)}
    command = [QGIS_PYTHON, "-c", EDIT_IN_QGIS, written]
    subprocess.run(command, env=surroundings, check=True, capture_output=True, timeout=120)
    result = rows_of(written)
    assert result.differing == ["graves"]
    words = "1 added, 1 removed, 1 with other attributes; 2 were written"
    assert result.parts["graves"].detail == words


def test_the_sources_of_a_map_are_found_and_compared(
    trained: Settings, sample_data: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(sample_data, data)
    where = ["--set", f"work_dir='{trained.work_dir}'"]
    mapped = "data/orthophotos/sample_01.tif"
    sets = [*where, *SETS]
    assert gravecli("predict-cemetery", mapped, "--model", "tiny", *sets, cwd=tmp_path).stdout
    equal = gravecli("verify", "sample_01.gpkg", *where, cwd=tmp_path)
    assert equal.returncode == 0, equal.stdout
    assert "everything is as recorded" in equal.stdout

    nowhere = ["--set", "work_dir='none'"]
    forget = "UPDATE gravecli_provenance SET value = '{}' WHERE key = 'settings'"
    sql(tmp_path / "sample_01.gpkg", forget)  # where the training had its data
    (data / "dems" / "sample_01.tif").write_bytes(b"other heights")
    (data / "orthophotos" / "sample_01.tif").rename(tmp_path / "moved.tif")
    differs = gravecli("verify", "sample_01.gpkg", "--json", *nowhere, cwd=tmp_path)
    assert differs.returncode == 1
    answer = json.loads(differs.stdout)
    assert not answer["matches"]
    assert {name: part["status"] for name, part in answer["parts"].items()} == {
        "graves": "equal",
        "tables": "changed",
        "model": "not here",
        "orthophoto": "not here",
        "dem": "changed",
        "dtm": "none",
        "dataset": "unreadable",  # a DEM without its orthophoto
    }
    named = ["--orthophoto", "moved.tif", "--model", "starter", "--data", sample_data]
    parts = ["--only", "orthophoto", "--only", "model", "--only", "dataset"]
    differs = gravecli("verify", "sample_01.gpkg", *named, *parts, cwd=tmp_path)
    assert differs.returncode == 1
    assert differs.stdout.splitlines()[-1] == "not as recorded: model"


def test_a_source_may_be_unreadable_or_unknown(
    written: Path, orthophoto: Path, tmp_path: Path
) -> None:
    orthophoto.unlink()
    orthophoto.mkdir()
    result = verify_map(written, Settings(data={"root": tmp_path / "none"}))
    assert statuses(result) == ["equal", "equal", "no record", "unreadable", "none", "none", "none"]
    write_geopackage(two_graves(orthophoto, dem="anna.tif", dataset_id="12345678"), written)
    result = verify_map(written, Settings(data={"root": tmp_path / "none"}))
    assert statuses(result)[3:] == ["no record", "no record", "none", "not here"]


def test_a_source_that_was_named_is_never_passed_over(written: Path, orthophoto: Path) -> None:
    """A map without a DEM is no map of the DEM that somebody names."""
    for part in ("dem", "dtm"):
        named = Sources(**{part: orthophoto})
        assert verify_map(written, Settings(), named, only=(part,)).differing == [part]
    sql(written, "UPDATE gravecli_provenance SET value = '' WHERE key = 'dataset_id'")
    named = Sources(data=written.parent)
    assert verify_map(written, Settings(), named, only=("dataset",)).differing == ["dataset"]


def test_only_what_was_compared_is_called_as_recorded(written: Path, tmp_path: Path) -> None:
    result = gravecli("verify", written, "--only", "graves", cwd=tmp_path)
    assert result.stdout.endswith("\nas recorded: graves\n")


def test_a_name_in_a_record_is_not_followed_as_a_path(written: Path, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere" / "secret.tif"
    secret.parent.mkdir()
    secret.write_bytes(b"pixels")
    (tmp_path / "anna.tif").unlink()
    path = "'elsewhere/secret.tif'"
    sql(written, f"UPDATE gravecli_provenance SET value = {path} WHERE key = 'orthophoto'")
    result = verify_map(written, Settings(), Sources(), only=("orthophoto",))
    assert statuses(result) == ["not here"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.gpkg"], ["none.gpkg", "missing"]),
        (["."], ["not a file"]),
        (["anna.tif"], ["anna.tif", "not a map of gravecli"]),
        (["anna.gpkg", "--only", "urns"], ["--only", "urns", "graves, tables"]),
        (["anna.gpkg", "--only", "graves", "--dem", "x"], ["x is named", "not compared"]),
        (["anna.gpkg", "--orthophoto", "none.tif"], ["none.tif", "no such file"]),
        (["anna.gpkg", "--model", "nobody"], ["nobody", "no such model"]),
    ],
)
@pytest.mark.usefixtures("written")
def test_what_cannot_be_verified_is_refused(
    tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    sql(tmp_path / "anna.gpkg", "INSERT INTO gravecli_provenance VALUES (9, 'model_sha256', 'x')")
    assert_refused(gravecli("verify", *arguments, cwd=tmp_path), *words)
