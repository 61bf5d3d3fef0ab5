import hashlib
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import fiona
import numpy as np
import pytest
import rasterio
import shapely
from image_store import runs_of
from PIL import Image
from pyproj import CRS
from rasterio._env import get_gdal_config
from support import Listener

from grave_cli.dataset.annotations import rasterize_instances, read_graves
from grave_cli.dataset.manifest import Cemetery, read_manifest
from grave_cli.errors import ExportError, ModelError, RasterReadError
from grave_cli.evaluation.judgement import judge
from grave_cli.graves.targets import encode
from grave_cli.mapping.engine import open_engine
from grave_cli.mapping.extract_graves import extract_graves
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.mapping.preview import write_preview
from grave_cli.mapping.probability_map import ProbabilityMap
from grave_cli.mapping.report.content import make_report
from grave_cli.mapping.result import Candidates, PredictionResult, score_map
from grave_cli.mapping.scene import open_scene
from grave_cli.model.bundle import Bundle, read_bundle
from grave_cli.rasters.orthophoto_pixels import read_orthophoto
from grave_cli.settings.load import with_values
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.vectors.areas import MapBounds


@pytest.fixture(scope="module")
def bundle(trained: Settings) -> Bundle:
    return resolve_model("tiny", trained).bundle


@pytest.fixture(scope="module")
def cemetery(sample_data: Path) -> Cemetery:
    return read_manifest(sample_data).cemeteries[0]


@pytest.fixture(scope="module")
def result(bundle: Bundle, cemetery: Cemetery) -> PredictionResult:
    """What a perfect model would yield: probabilities made from the truth."""
    recipe = bundle.card.recipe.model_copy(update={"gsd_m": 0.05})
    scene = open_scene(cemetery.orthophoto, cemetery.dem, recipe, 3)
    grid = scene.grid
    instances = rasterize_instances(read_graves(cemetery, grid).polygons, grid)
    levels = encode(instances, grid.gsd_m, 0.1, 0.2) * np.uint8(255)
    valid = read_orthophoto(scene.orthophoto, grid).valid
    probabilities = ProbabilityMap.of(levels, valid, grid)
    return extract_graves(probabilities, scene, DecodingSettings(), Settings(), {"made": "by hand"})


@pytest.fixture(scope="module")
def predicted(trained: Settings, bundle: Bundle, cemetery: Cemetery) -> PredictionResult:
    """What the tiny model yields: little, but by the real path."""
    engine = open_engine(bundle, trained.prediction)
    return predict_cemetery(cemetery.orthophoto, cemetery.dem, bundle, engine, trained)


def rows(path: Path, layer: str) -> list[dict]:
    with fiona.open(path, layer=layer) as file:
        return [dict(feature.properties) for feature in file]


def test_perfect_probabilities_give_the_true_graves(
    result: PredictionResult, cemetery: Cemetery
) -> None:
    truth = read_graves(cemetery, result.grid).polygons
    score = judge(truth, result.polygons).scores[0]
    assert score.f1 > 0.95
    assert score.mean_iou > 0.9


def test_graves_are_valid_and_none_overlaps_another(result: PredictionResult) -> None:
    assert len(result.polygons) > 1
    assert shapely.is_valid(result.polygons).all()
    assert (shapely.get_type_id(result.polygons) == shapely.GeometryType.POLYGON).all()
    union = shapely.area(shapely.union_all(result.polygons))
    assert shapely.area(result.polygons).sum() == pytest.approx(union, rel=1e-6)


def test_layers_columns_and_provenance_are_written(
    result: PredictionResult, tmp_path: Path
) -> None:
    path = tmp_path / "out" / "graves.gpkg"
    write_geopackage(result, path)
    layers = {"graves", "candidates", "graves_raw", "coverage", "gravecli_provenance"}
    assert layers <= set(fiona.listlayers(path))
    graves = rows(path, "graves")
    assert [row["grave_id"] for row in graves] == [r["grave_id"] for r in result.attributes]
    assert [row["grave_id"] for row in rows(path, "graves_raw")] == [g["grave_id"] for g in graves]
    assert all(0 <= row["confidence"] <= 1 and row["area_m2"] > 0 for row in graves)
    assert {row["shape"] for row in graves} <= {"rectangle", "orthogonal", "outline"}
    assert all(bool(row["flags"]) == bool(row["needs_review"]) for row in graves)
    assert all(row["length_m"] >= row["width_m"] and row["height_m"] is not None for row in graves)
    provenance = {row["key"]: row["value"] for row in rows(path, "gravecli_provenance")}
    assert provenance.pop("row_record")
    assert provenance.pop("content_sha256")
    assert provenance == {"made": "by hand"}
    with fiona.open(path, layer="graves") as file:
        assert CRS(file.crs_wkt) == CRS(result.crs)
    assert [item.name for item in path.parent.iterdir()] == ["graves.gpkg"]


def test_graves_have_their_place_in_the_register(result: PredictionResult, tmp_path: Path) -> None:
    write_geopackage(result, tmp_path / "graves.gpkg")
    graves = rows(tmp_path / "graves.gpkg", "graves")
    assert len({row["grave_id"] for row in graves}) == len(graves)
    for row in graves:
        field, line, number = (row[name] or 0 for name in ("field", "row", "number"))
        assert row["grave_id"] == f"sample_01-F{field:02d}-R{line:02d}-{number:03d}"
    places = [(row["field"], row["row"], row["number"]) for row in graves if row["row"]]
    assert places[:3] == [(1, 1, 1), (1, 1, 2), (1, 1, 3)]
    assert sorted(places) == places
    assert len(places) > len(graves) / 2


def test_a_prediction_says_which_model_and_data_it_comes_from(
    predicted: PredictionResult, bundle: Bundle, trained: Settings
) -> None:
    (run,) = runs_of(trained)
    weights = (bundle.folder / "model.safetensors").read_bytes()
    assert predicted.provenance["model_sha256"] == hashlib.sha256(weights).hexdigest()
    assert predicted.provenance["dataset_id"] == run.data.params["dataset_id"]
    assert predicted.provenance["mlflow_run"] == run.info.run_id
    assert predicted.provenance["dem"] == "sample_01.tif"
    assert predicted.computed_share == pytest.approx(0.9, abs=0.1)


def test_another_crs_moves_the_graves_but_not_their_areas(
    result: PredictionResult, tmp_path: Path
) -> None:
    path = tmp_path / "graves.gpkg"
    write_geopackage(result, path, "EPSG:4326")
    with fiona.open(path, layer="graves") as file:
        west, south, east, north = file.bounds
        assert -180 < west < east < 180
        assert -90 < south < north < 90
    areas = [row["area_m2"] for row in rows(path, "graves")]
    assert areas == pytest.approx([row["area_m2"] for row in result.attributes], abs=1e-3)


def test_a_file_that_is_there_is_replaced_whole_even_while_open(
    result: PredictionResult, tmp_path: Path
) -> None:
    path = tmp_path / "graves.gpkg"
    few = replace(
        result,
        polygons=result.polygons[:1],
        raw_polygons=result.raw_polygons[:1],
        attributes=result.attributes[:1],
    )
    write_geopackage(few, path)
    with fiona.open(path, layer="graves") as old:
        write_geopackage(result, path)
        assert len(old) == 1
    assert len(rows(path, "graves")) == len(result.polygons)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    result: PredictionResult, tmp_path: Path
) -> None:
    path = tmp_path / "graves.gpkg"
    write_geopackage(result, path)
    before = path.read_bytes()
    broken = replace(result, attributes=({"grave_id": "only this"},) * len(result.polygons))
    with pytest.raises(KeyError):
        write_geopackage(broken, path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["graves.gpkg"]


def test_a_folder_that_cannot_be_made_is_one_line(result: PredictionResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match=r"graves\.gpkg: cannot be written"):
        write_geopackage(result, tmp_path / "file" / "graves.gpkg")


def test_no_graves_make_an_empty_layer(result: PredictionResult, tmp_path: Path) -> None:
    nothing = np.array([], dtype=object)
    empty = replace(result, polygons=nothing, raw_polygons=nothing, attributes=())
    write_geopackage(empty, tmp_path / "none.gpkg")
    assert rows(tmp_path / "none.gpkg", "graves") == []


def test_a_model_for_heights_refuses_an_orthophoto_without(
    trained: Settings, bundle: Bundle, cemetery: Cemetery
) -> None:
    engine = open_engine(bundle, trained.prediction)
    with pytest.raises(ModelError, match=r"sample_01\.tif: model tiny needs a DEM .*--dem"):
        predict_cemetery(cemetery.orthophoto, None, bundle, engine, trained)


def test_an_orthophoto_without_a_valid_pixel_is_refused(
    trained: Settings, bundle: Bundle, cemetery: Cemetery, tmp_path: Path
) -> None:
    path = tmp_path / "blank.tif"
    with rasterio.open(cemetery.orthophoto) as file:
        profile = {**file.profile, "count": 3, "nodata": 0}
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.zeros((3, *file.shape), np.uint8))
    engine = open_engine(bundle, trained.prediction)
    with pytest.raises(RasterReadError, match=r"blank\.tif: orthophoto shows nothing .*nodata"):
        predict_cemetery(path, cemetery.dem, bundle, engine, trained)


def test_an_area_in_which_the_orthophoto_shows_nothing_is_refused(
    trained: Settings, bundle: Bundle, cemetery: Cemetery, tmp_path: Path
) -> None:
    path = tmp_path / "half.tif"
    with rasterio.open(cemetery.orthophoto) as file:
        profile, pixels = {**file.profile, "count": 3, "nodata": 0}, file.read((1, 2, 3))
        left, bottom, right, top = file.bounds
    pixels[:, :, pixels.shape[2] // 2 :] = 0
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels)
    blank = MapBounds(((left + 2 * right) / 3, bottom, right, top), None, "the right third")
    engine = open_engine(bundle, trained.prediction)
    with pytest.raises(RasterReadError, match=r"half\.tif: .* no valid pixel in the area to map"):
        predict_cemetery(path, cemetery.dem, bundle, engine, trained, bounds=blank)


def test_an_orthophoto_that_hardly_shows_anything_is_doubted(
    trained: Settings, bundle: Bundle, cemetery: Cemetery, tmp_path: Path
) -> None:
    path = tmp_path / "corner.tif"
    with rasterio.open(cemetery.orthophoto) as file:
        profile, pixels = {**file.profile, "count": 3, "nodata": 0}, file.read((1, 2, 3))
    pixels[:, :, pixels.shape[2] // 10 :] = 0
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels)
    listener = Listener()

    engine = open_engine(bundle, trained.prediction)
    predict_cemetery(path, cemetery.dem, bundle, engine, trained, progress=listener)

    assert any("of its frame; if that is too little" in note for note in listener.notes)


def test_the_preview_shows_found_false_and_missed_graves(
    result: PredictionResult, cemetery: Cemetery, tmp_path: Path
) -> None:
    path = tmp_path / "preview.png"
    far_away = shapely.box(*(np.array(result.grid.bounds) + 1e6))
    truth = np.array([*result.polygons[:2], far_away], dtype=object)
    write_preview(cemetery.orthophoto, result, path, score_map(result, truth))
    pixels = np.asarray(Image.open(path)).reshape(-1, 3)
    for color in ((40, 200, 80), (235, 60, 50), (50, 120, 255)):
        assert (pixels == color).all(axis=1).any()


def test_title_and_legend_of_the_preview_are_in_the_language_of_the_map(
    result: PredictionResult, cemetery: Cemetery, tmp_path: Path
) -> None:
    path, count = tmp_path / "preview.png", len(result.polygons)
    scored = score_map(result, result.polygons)
    for given, words in ((None, f"{count} Gräber"), (scored, f"{count} graves; ")):
        write_preview(cemetery.orthophoto, result, path, given, "de")
        with Image.open(path) as picture:
            assert picture.info["Description"].startswith(f"sample_01: {words}")


def test_pictures_show_the_part_that_was_mapped(
    result: PredictionResult, cemetery: Cemetery, tmp_path: Path
) -> None:
    left, _, _, top = result.grid.bounds
    unit = 1 / result.grid.metres_per_unit
    area = shapely.box(left + 3 * unit, top - 7 * unit, left + 9 * unit, top - 3 * unit)
    inside = shapely.within(result.polygons, area)
    part = replace(
        result,
        coverage=shapely.MultiPolygon([area]),
        polygons=result.polygons[inside],
        attributes=tuple(
            row for row, is_in in zip(result.attributes, inside, strict=True) if is_in
        ),
        candidates=Candidates(),
    )
    assert part.frame.bounds == pytest.approx(area.bounds, abs=result.grid.pixel_size)
    assert make_report(cemetery.orthophoto, part, "en").width == pytest.approx(600, abs=10)
    sizes = []
    for one in (result, part):
        write_preview(cemetery.orthophoto, one, tmp_path / "preview.png")
        with Image.open(tmp_path / "preview.png") as picture:
            sizes.append(picture.size)
    (whole_width, whole_height), (width, height) = sizes
    assert width < 0.8 * whole_width
    assert height < 0.8 * whole_height


def test_the_weights_are_hashed_once_per_prediction(
    trained: Settings, cemetery: Cemetery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    digest = hashlib.file_digest

    def count(file: BinaryIO, name: str) -> object:
        hashed.append(Path(file.name).name)
        return digest(file, name)

    bundle = read_bundle(resolve_model("tiny", trained).bundle.folder)
    in_files = with_values(trained, {"prediction.memory_mpx": 0.001, "work_dir": tmp_path / "runs"})
    monkeypatch.setattr(hashlib, "file_digest", count)
    engine = open_engine(bundle, in_files.prediction)
    predict_cemetery(cemetery.orthophoto, cemetery.dem, bundle, engine, in_files)
    assert hashed.count("model.safetensors") == 1


def test_the_cache_of_decoded_blocks_is_small_from_the_first_file_to_the_last(
    trained: Settings, bundle: Bundle, cemetery: Cemetery, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []
    really_open = rasterio.open

    def watched(*given: object, **options: object) -> object:
        limits.append(get_gdal_config("GDAL_CACHEMAX"))
        return really_open(*given, **options)

    engine = open_engine(bundle, trained.prediction)
    monkeypatch.setattr(rasterio, "open", watched)
    predict_cemetery(cemetery.orthophoto, cemetery.dem, bundle, engine, trained)
    assert len(limits) >= 4  # orthophoto and DEM, looked at and then read
    assert set(limits) == {128 * 2**20}
