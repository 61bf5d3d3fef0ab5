"""The commands as functions: they do what the commands do."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio
import shapely
from support import TINY
from terminal import SETS, gravecli

from grave_cli import (
    CemeteryMap,
    GraveError,
    Graves,
    check,
    dataset_id,
    evaluate,
    predict_cemetery,
    read_graves,
    train,
    write_sample_data,
)
from grave_cli.errors import DatasetError, ExportError, SettingsError
from grave_cli.model.bundle import Bundle
from grave_cli.settings.tree import Settings

STARTER = {"prediction.device": "cpu"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def photo(sample_data: Path) -> Path:
    return sample_data / "orthophotos/sample_01.tif"


@pytest.fixture(scope="module")
def truth(sample_data: Path) -> Path:
    return sample_data / "annotations/sample_01.gpkg"


def test_a_map_is_what_the_command_writes(photo: Path, truth: Path) -> None:
    made = predict_cemetery(
        str(photo),
        model="starter",
        out="own.gpkg",
        formats=["geojson"],
        preview="own.png",
        truth=truth,
        settings=STARTER,
    )
    names = ["--model", "starter", "--out", "command.gpkg", "--truth", truth, "--json"]
    told = json.loads(gravecli("predict-cemetery", photo, *names, cwd=Path()).stdout)
    assert (len(made), made.to_review) == (told["graves"], told["to_review"])
    assert made.candidates is not None
    assert (len(made.candidates), made.guarantee) == (told["candidates"], told["guarantee"])
    assert json.loads(json.dumps(made.score)) == told["score"]
    assert (made.cemetery, made.model) == ("sample_01", "starter")
    assert made.files == {"gpkg": Path("own.gpkg"), "geojson": Path("own.geojson")}
    assert Path("own.png").is_file()
    written, command = read_graves("own.gpkg"), read_graves("command.gpkg", layer="graves")
    assert written.attributes == command.attributes == made.attributes
    assert shapely.equals(made.geometries, written.geometries).all()
    assert made.crs == command.crs or "25832" in command.crs
    scored = evaluate(made, truth)
    assert scored.scorecard.found == told["score"]["found"]
    with pytest.raises(ExportError, match="--overwrite"):
        predict_cemetery(photo, model="starter", out=truth)


def test_without_out_nothing_is_written_and_the_crs_is_that_one_asks_for(
    photo: Path, truth: Path, here: Path
) -> None:
    settings = {**STARTER, "work_dir": here / "runs"}
    made = predict_cemetery(
        photo, model="starter", truth=truth, crs="EPSG:4326", settings=settings, progress=False
    )
    assert made.path is None
    assert list(here.iterdir()) == []
    left, bottom, right, top = shapely.total_bounds(made.geometries)
    assert 5 < left < right < 16
    assert 47 < bottom < top < 56
    table = made.to_geodataframe()
    assert (len(table), table.crs.to_epsg()) == (len(made), 4326)
    assert list(table["grave_id"]) == [row["grave_id"] for row in made.attributes]
    assert made.score is not None
    with pytest.raises(DatasetError, match="the map was not written; name a file with out="):
        evaluate(made, truth)
    with pytest.raises(SettingsError, match="formats belong to files"):
        predict_cemetery(photo, formats=["csv"])


def test_bounds_limit_the_map(photo: Path, truth: Path) -> None:
    known = read_graves(truth)
    left, bottom, right, top = shapely.total_bounds(known.geometries)
    half = (left, bottom, (left + right) / 2, top)
    how = {"model": "starter", "settings": STARTER}
    made = predict_cemetery(photo, bounds=half, **how)  # type: ignore[arg-type]
    whole = predict_cemetery(photo, **how)  # type: ignore[arg-type]
    assert 0 < len(made) < len(whole)
    assert (shapely.get_x(shapely.centroid(made.geometries)) <= half[2]).all()
    degrees = read_graves(truth, crs="EPSG:4326")
    west, south, east, north = shapely.total_bounds(degrees.geometries)
    text = f"{west},{south},{(west + east) / 2},{north},EPSG:4326"
    again = predict_cemetery(photo, bounds=text, **how)  # type: ignore[arg-type]
    assert abs(len(again) - len(made)) <= 2  # meridians are not parallel to the grid
    assert again.provenance["bounds"] == text
    outside = (left - 900, bottom, left - 800, top)
    with pytest.raises(DatasetError, match=r"bounds lie outside the orthophoto .*within"):
        predict_cemetery(photo, bounds=outside, **how)  # type: ignore[arg-type]
    for wrong in ("1,2,3", "5,1,2,3", "a,b,c,d", (0, 0, np.inf, 1)):
        with pytest.raises(SettingsError, match="bounds are no rectangle"):
            predict_cemetery(photo, bounds=wrong, **how)  # type: ignore[arg-type]


def test_a_training_is_recorded_and_its_model_maps(
    sample_data: Path, new_work_dir: Callable[[Path], Path], photo: Path, here: Path
) -> None:
    settings = {**TINY, "work_dir": new_work_dir(here / "runs")}
    events = []
    made = train(
        sample_data,
        channels="rgb+dem",
        epochs=1,
        max_time="5m",
        name="own",
        settings=settings,
        progress=events.append,
    )
    assert (made.name, made.epochs) == ("own", 1)
    assert made.dataset_id == dataset_id(sample_data).id
    assert "Training" in {event.text for event in events if event.kind == "end"}
    mapped = predict_cemetery(photo, model=made, settings=settings, progress=False)
    assert mapped.model == "own"
    assert mapped.provenance["mlflow_run"] == made.run_id
    with pytest.raises(SettingsError, match="--resume cannot be combined"):
        train(sample_data, name="two", resume="own")


def test_a_tree_of_settings_reaches_the_work(trained: Settings, photo: Path) -> None:
    mapped = predict_cemetery(photo, settings=trained, progress=False)
    assert mapped.model == "tiny"  # the newest run of its store


def test_data_is_made_checked_and_identified(here: Path) -> None:
    made = write_sample_data("data", cemeteries=1, size_m=14, seed=3)
    assert [one.name for one in made] == ["sample_01"]
    report = check("data", settings={"data.guard_m": 0.5})
    assert report.dataset_id == dataset_id("data").id == dataset_id(here / "data").id
    assert dataset_id(content=True).basis == "content"
    with pytest.raises(GraveError, match="data folder is missing"):
        dataset_id("none")


def test_graves_are_read_with_all_their_columns(truth: Path) -> None:
    found = read_graves(truth)
    told = json.loads(gravecli("evaluate", truth, truth, "--json", cwd=Path()).stdout)
    assert len(found) == told["truths"]
    assert set(found.columns) == set(found.to_geodataframe().columns) - {"geometry"}
    with pytest.raises(DatasetError, match="layer is missing"):
        read_graves(truth, layer="none")


def test_a_table_keeps_the_column_geometry_of_an_office(tmp_path: Path) -> None:
    square = shapely.box(0, 0, 1, 1)
    graves = Graves(np.array([square]), "EPSG:25832", ({"geometry": "oak"},), (), ("geometry",))
    table = graves.to_geodataframe()
    assert table["geometry"].tolist() == ["oak"]
    assert table.geometry.tolist() == [square]


def test_a_map_without_graves_has_all_columns(photo: Path, truth: Path) -> None:
    with fiona.open(truth) as layer, fiona.open("empty.gpkg", "w", **layer.meta):
        pass
    for found in (read_graves("empty.gpkg"), _map_of_nothing(photo)):
        assert len(found) == 0
        assert list(found.to_geodataframe().columns) == [*found.columns, "geometry"]
        assert found.columns
    assert _map_of_nothing(photo).to_geodataframe()["area_m2"].sum() == 0


def _map_of_nothing(photo: Path) -> CemeteryMap:
    nothing = {**STARTER, "prediction.decoding.min_area_m2": 10_000}
    bounds = rasterio.open(photo).bounds
    corner = (bounds.left, bounds.bottom, bounds.left + 4, bounds.bottom + 4)
    return predict_cemetery(photo, model="starter", bounds=corner, settings=nothing)


def test_without_geopandas_the_way_to_it_is_named(
    truth: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read_graves(truth)
    monkeypatch.setitem(sys.modules, "geopandas", None)
    with pytest.raises(ImportError, match=r"gravemapper\[notebook\]"):
        found.to_geodataframe()


def test_the_rectangle_of_the_command(photo: Path, untrained: Bundle) -> None:
    predict = ("predict-cemetery", photo, "--model", untrained.folder, *SETS)
    wrong = gravecli(*predict, "--bounds", "1,2,3", cwd=Path())
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "bounds are no rectangle (found 1,2,3" in wrong.stderr
    made = gravecli(*predict, "--bounds", "1,2,3,4", "--dst-crs", "EPSG:25832", cwd=Path())
    assert made.returncode == 2
    assert "bounds lie outside the orthophoto" in made.stderr
    two = gravecli(*predict, "--crs", "EPSG:25832", "--dst-crs", "EPSG:25833", cwd=Path())
    assert (two.returncode, "--crs and --dst-crs are one option" in two.stderr) == (2, True)
    alias = gravecli(*predict, "--dst-crs", "EPSG:0", cwd=Path())
    assert (alias.returncode, "unknown CRS" in alias.stderr) == (2, True)
