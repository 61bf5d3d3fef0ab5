"""The folder of a drone project, as its user names it: checked and mapped by its own name."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy import ndimage
from terminal import SETS, assert_refused, gravecli

from grave_cli.model.bundle import Bundle


@pytest.fixture(scope="module")
def flights(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the project `st_anna` of OpenDroneMap, whose DTM is its smoothed DSM."""
    folder = tmp_path_factory.mktemp("odm")
    project = folder / "st_anna"
    for name in ("odm_orthophoto", "odm_dem"):
        (project / name).mkdir(parents=True)
    photo, dsm = sample_data / "orthophotos/sample_01.tif", sample_data / "dems/sample_01.tif"
    shutil.copy2(photo, project / "odm_orthophoto/odm_orthophoto.tif")
    shutil.copy2(dsm, project / "odm_dem/dsm.tif")
    shutil.copy2(dsm, project / "odm_dem/dtm.tif")
    with rasterio.open(project / "odm_dem/dtm.tif", "r+") as file:
        heights = ndimage.percentile_filter(file.read(1), 25, 31, mode="nearest")
        file.write(ndimage.gaussian_filter(heights, 5).astype(np.float32), 1)
    return folder


def test_a_project_is_mapped_under_its_name_with_both_heights(
    flights: Path, untrained: Bundle, tmp_path: Path
) -> None:
    predict = ("predict-cemetery", flights / "st_anna", "--model", untrained.folder, *SETS)
    mapped = gravecli(*predict, "--json", cwd=tmp_path)
    assert mapped.returncode == 0, mapped.stderr
    answer = json.loads(mapped.stdout)
    assert answer["geopackage"] == "st_anna.gpkg"
    assert "odm_dem/dsm.tif" in mapped.stderr.replace("\\", "/")
    assert "odm_dem/dtm.tif" in mapped.stderr.replace("\\", "/")
    with closing(sqlite3.connect(tmp_path / "st_anna.gpkg")) as database:
        told = dict(database.execute("SELECT key, value FROM gravecli_provenance"))
    assert (told["dem"], told["dtm"]) == ("dsm.tif", "dtm.tif")
    project = flights / "st_anna"
    sources = ["--orthophoto", project / "odm_orthophoto/odm_orthophoto.tif"]
    sources += ["--dem", project / "odm_dem/dsm.tif", "--dtm", project / "odm_dem/dsm.tif"]
    sources += ["--only", "orthophoto", "--only", "dem", "--only", "dtm"]
    verified = gravecli("verify", "st_anna.gpkg", "--json", *sources, cwd=tmp_path)
    parts = json.loads(verified.stdout)["parts"]
    assert [part["status"] for part in parts.values()] == ["equal", "equal", "changed"]


def test_the_projects_of_a_folder_are_mapped_one_by_one(
    flights: Path, untrained: Bundle, tmp_path: Path
) -> None:
    predict = ("predict-cemetery", flights, "--model", untrained.folder, *SETS)
    mapped = gravecli(*predict, "--json", cwd=tmp_path)
    assert mapped.returncode == 0, mapped.stderr
    (row,) = json.loads(mapped.stdout)["cemeteries"]
    assert (row["cemetery"], row["map"]) == ("st_anna", "st_anna.gpkg")
    assert Path(row["dtm"]).name == "dtm.tif"


def test_a_project_is_checked_before_it_is_mapped_or_trained_on(
    flights: Path, sample_data: Path, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(flights / "st_anna", tmp_path / "st_anna"))
    checked = gravecli("check", project, "--json", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout
    answer = json.loads(checked.stdout)
    (row,) = answer["cemeteries"]
    assert (row["name"], row["splits"]) == ("st_anna", [])
    assert row["dem_share"] > 0.9
    notes = " ".join(finding["what"] for finding in answer["findings"])
    assert "a flight without annotations: it can be mapped" in notes
    assert "heights of graves are measured from dtm.tif" in notes

    (project / "annotations").mkdir()
    shutil.copy(sample_data / "annotations/sample_01.gpkg", project / "annotations/st_anna.gpkg")
    small = ["--set", "data.guard_m=0.5", "--channels", "rgb+dem"]
    labelled = gravecli("check", project, "--json", *small, cwd=tmp_path)
    (row,) = json.loads(labelled.stdout)["cemeteries"]
    assert labelled.returncode == 0, labelled.stdout
    assert row["splits"] == ["train", "val", "test"]
    assert row["graves"] > 0


def test_a_dtm_that_does_not_fit_is_found_by_the_check_and_refused_by_the_map(
    flights: Path, untrained: Bundle, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(flights / "st_anna", tmp_path / "st_anna"))
    with rasterio.open(project / "odm_dem/dtm.tif", "r+") as file:
        file.write(file.read(1) - 48, 1)
    checked = gravecli("check", project, cwd=tmp_path)
    assert checked.returncode == 2
    assert "dtm.tif: DTM does not fit the DEM" in checked.stdout
    mapped = gravecli("predict-cemetery", project, "--model", untrained.folder, *SETS, cwd=tmp_path)
    assert_refused(mapped, "dtm.tif", "found a surface 48", "vertical datum")
    assert not (tmp_path / "st_anna.gpkg").exists()
