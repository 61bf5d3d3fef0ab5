"""The folder of a drone project is read as a data folder with one cemetery."""

from pathlib import Path

import pytest

from grave_cli.dataset.identity.dataset_id import fingerprint
from grave_cli.dataset.manifest import read_manifest, unread_notes
from grave_cli.dataset.named_files import HeightFiles, cemetery_name, sibling_heights
from grave_cli.dataset.odm_project import project_of, read_project

ORTHOPHOTO, DSM, DTM = (
    "odm_orthophoto/odm_orthophoto.tif",
    "odm_dem/dsm.tif",
    "odm_dem/dtm.tif",
)


def project(folder: Path, *names: str) -> Path:
    for name in (ORTHOPHOTO, *names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.mark.parametrize("folder", ["st_anna", "st_anna-all", "st_anna/assets"])
def test_a_project_an_unpacked_archive_and_the_assets_of_a_task_are_one_cemetery(
    tmp_path: Path, folder: str
) -> None:
    place = project(tmp_path / folder, DSM, DTM)
    found = read_project(place)
    assert found is not None
    assert (found.name, found.notes) == ("st_anna", ())
    assert sibling_heights(place / ORTHOPHOTO) == HeightFiles(place / DSM, place / DTM)
    assert cemetery_name(place / ORTHOPHOTO) == "st_anna"
    assert read_project(tmp_path / folder.partition("/")[0]) == found


def test_the_folder_in_which_one_stands_has_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(tmp_path / "st_anna"))
    found = read_project(Path())
    assert found is not None
    assert found.name == "st_anna"
    assert cemetery_name(Path(ORTHOPHOTO)) == "st_anna"
    assert project_of(Path("odm_orthophoto.tif")) is None  # not in its folder


def test_a_project_is_a_data_folder_and_its_labels_lie_in_it(tmp_path: Path) -> None:
    place = project(tmp_path / "st_anna", DSM, DTM, "annotations/st_anna.gpkg", "images/1.jpg")
    manifest = read_manifest(place)
    (cemetery,) = manifest.cemeteries
    assert (cemetery.name, cemetery.dem, cemetery.dtm) == ("st_anna", place / DSM, place / DTM)
    assert cemetery.annotations == place / "annotations/st_anna.gpkg"
    listed = [file.path for file in fingerprint(manifest).files]
    assert listed == ["annotations/st_anna.gpkg", DSM, DTM, ORTHOPHOTO]
    assert list(unread_notes(manifest)) == []


def test_a_dtm_without_a_dsm_is_not_used_and_named(tmp_path: Path) -> None:
    manifest = read_manifest(project(tmp_path / "st_anna", DTM))
    assert manifest.cemeteries[0].dem is None
    (note,) = unread_notes(manifest)
    assert "dtm.tif is not used: a DTM shows no graves; run OpenDroneMap with --dsm" in note


def test_other_folders_are_no_projects(tmp_path: Path) -> None:
    assert read_project(tmp_path) is None
    assert read_project(tmp_path / "none") is None
    (tmp_path / ORTHOPHOTO).mkdir(parents=True)
    assert read_project(tmp_path) is None
