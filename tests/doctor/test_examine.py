"""Each fault planted in sample data is found, and none in sound data."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio
import shapely
import shapely.affinity
from affine import Affine
from delivery_scene import deliver
from pyproj import Transformer
from support import SHARED_DATA

from grave_cli.dataset.manifest import Cemetery
from grave_cli.dataset.plans import CemeteryPlan, plan_cemetery
from grave_cli.dataset.splits import Part
from grave_cli.doctor import checks
from grave_cli.doctor.examine import _check_depths, examine
from grave_cli.doctor.patient import Patient
from grave_cli.doctor.report import CheckReport, Severity
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.load import load_settings
from grave_cli.settings.tree import Settings


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound") / "data"
    write_sample_data(root, cemeteries=1, size_m=40, seed=1)
    return root


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound data to plant a fault in."""
    return Path(shutil.copytree(sound, tmp_path / "data"))


def check(root: Path, **options: object) -> CheckReport:
    chosen = {key.replace("__", "."): value for key, value in options.items()}
    return examine(load_settings(options={"data.root": root, **chosen}, environ={}).settings)


def found(report: CheckReport, severity: Severity, *words: str) -> bool:
    """Whether one finding of that severity has all the words."""
    return any(
        finding.severity == severity
        and all(word in f"{finding.what} {finding.remedy}" for word in words)
        for finding in report.findings
    )


def reported_shift(report: CheckReport, what: str, *sides: str) -> tuple[float, ...]:
    """Read the distances out of the finding about a shift."""
    (finding,) = (f for f in report.findings if f.what.startswith(what))
    pattern = " and ".join(rf"(\d\.\d) m to the {side}" for side in sides)
    match = re.search(pattern, finding.what)
    assert match, finding.what
    return tuple(float(number) for number in match.groups())


def rewrite_raster(path: Path, change: Callable[[dict, np.ndarray], np.ndarray]) -> None:
    """Write a raster anew; `change` alters its profile in place and returns its pixels."""
    with rasterio.open(path) as dataset:
        profile, pixels = dict(dataset.profile), dataset.read()
    pixels = change(profile, pixels)
    path.unlink()
    profile |= {"count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2]}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(pixels)


def rewrite_graves(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    with fiona.open(path) as layer:
        crs = layer.crs_wkt
        graves = np.array([shapely.geometry.shape(row.geometry) for row in layer], dtype=object)
    path.unlink()
    schema = {"geometry": "Polygon", "properties": {}}
    with fiona.open(path, "w", driver="GPKG", layer="graves", crs_wkt=crs, schema=schema) as file:
        for grave in change(graves):
            file.write({"geometry": shapely.geometry.mapping(grave), "properties": {}})


def orthophoto(root: Path) -> Path:
    return root / "orthophotos" / "sample_01.tif"


def annotations(root: Path) -> Path:
    return root / "annotations" / "sample_01.gpkg"


def test_a_validation_on_few_graves_is_named(sound: Path) -> None:
    report = check(sound, data__channels="rgb+dem", data__val_share=0.01, data__guard_m=0)
    (finding,) = report.findings
    assert finding.severity == "warning"
    assert "to validate on: too few" in finding.what
    assert "data.guard_m" in finding.remedy


def test_sound_data_has_no_findings_and_a_row_of_true_figures(sound: Path) -> None:
    report = check(sound, data__channels="rgb+dem")
    assert report.findings == ()
    assert report.can_train
    (row,) = report.cemeteries
    assert row.splits == ("train", "val", "test")
    assert row.gsd_m == pytest.approx(0.025, rel=0.01)
    assert row.width_m == pytest.approx(40, abs=0.5)
    assert 0.5 < row.valid_share < 1
    assert row.dem_share is not None
    assert row.dem_share > 0.9
    assert row.dem_high_m > row.dem_low_m > 100
    with fiona.open(annotations(sound)) as layer:
        assert row.graves == len(layer)
    assert 0.3 < row.median_area_m2 < 5


def test_a_shifted_dem_is_found_with_its_distance(data: Path) -> None:
    def move(profile: dict, pixels: np.ndarray) -> np.ndarray:
        profile["transform"] = Affine.translation(1.2, -0.8) @ profile["transform"]
        return pixels

    rewrite_raster(data / "dems" / "sample_01.tif", move)
    east, south = reported_shift(check(data), "DEM appears shifted", "east", "south")
    assert (east, south) == pytest.approx((1.2, 0.8), abs=0.15)


def test_shifted_annotations_are_found_with_their_distance(data: Path) -> None:
    rewrite_graves(
        annotations(data),
        lambda graves: shapely.transform(graves, lambda xy: xy + np.array([-1.0, 0.6])),
    )
    west, north = reported_shift(check(data), "annotations appear shifted", "west", "north")
    assert (west, north) == pytest.approx((1.0, 0.6), abs=0.15)


def test_a_shift_without_the_grid_of_its_datum_is_not_blamed_on_the_file(data: Path) -> None:
    (path,) = (data / "annotations").iterdir()
    with fiona.open(path) as layer:
        crs = layer.crs_wkt
        graves = [shapely.geometry.shape(row.geometry) for row in layer]
    to_old = Transformer.from_crs(crs, "EPSG:31467", always_xy=True).transform
    moved = [
        shapely.transform(shapely.affinity.translate(grave, 1.0), to_old, interleaved=False)
        for grave in graves
    ]
    path.unlink()
    schema = {"geometry": "Polygon", "properties": {}}
    with fiona.open(path, "w", driver="GPKG", crs="EPSG:31467", schema=schema) as file:
        for grave in moved:
            file.write({"geometry": shapely.geometry.mapping(grave), "properties": {}})

    report = check(data)

    if not found(report, "warning", "positions can be off"):
        pytest.skip("PROJ has the grid of this datum")
    assert found(report, "warning", "annotations appear shifted", "missing grid")


def test_map_metres_that_are_no_ground_metres_are_noted(tmp_path: Path) -> None:
    write_sample_data(tmp_path / "data", cemeteries=1, size_m=20, crs="EPSG:3857")
    report = check(tmp_path / "data")
    assert found(report, "note", "0.67 m on the ground", "2.23 times the true areas")


def test_duplicate_and_overlapping_graves_are_found(data: Path) -> None:
    def plant(graves: np.ndarray) -> np.ndarray:
        beside = shapely.transform(graves[5:6], lambda xy: xy + np.array([0.3, 0.0]))
        return np.concatenate([graves, graves[:2], beside])

    rewrite_graves(annotations(data), plant)
    report = check(data)
    assert found(report, "warning", "2 duplicate outlines ignored")
    assert found(report, "warning", "overlap")


def test_implausible_sizes_are_found(data: Path) -> None:
    def plant(graves: np.ndarray) -> np.ndarray:
        x, y = shapely.get_coordinates(graves[0].centroid)[0]
        return np.append(graves, [shapely.box(x, y, x + 9, y + 9)])

    rewrite_graves(annotations(data), plant)
    assert found(check(data), "warning", "1 of ", "implausible area", "81.")


def test_graves_that_would_never_be_drawn_are_found(sound: Path) -> None:
    report = check(sound, prediction__decoding__min_area_m2=1.0)
    assert found(report, "warning", "smaller than prediction.decoding.min_area_m2 = 1")


def test_a_large_file_in_strips_is_found_with_the_command_that_converts_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strip(profile: dict, pixels: np.ndarray) -> np.ndarray:
        for key in ("tiled", "blockxsize", "blockysize"):
            profile.pop(key, None)
        return pixels

    rewrite_raster(orthophoto(data), strip)
    assert not found(check(data), "warning", "slow to read")
    monkeypatch.setattr(checks, "_LARGE_MPX", 1.0)
    words = (
        "slow to read: stored in strips, without overviews",
        "gdal_translate -of COG",
        "rio cogeo create",
    )
    assert found(check(data), "warning", *words)


def test_pixels_of_very_different_size_are_found(data: Path) -> None:
    second = data / "orthophotos" / "coarse.tif"
    shutil.copy(orthophoto(data), second)
    shutil.copy(annotations(data), data / "annotations" / "coarse.gpkg")

    def thin(profile: dict, pixels: np.ndarray) -> np.ndarray:
        profile["transform"] = profile["transform"] @ Affine.scale(4)
        return pixels[:, ::4, ::4]

    rewrite_raster(second, thin)
    report = check(data)
    assert found(report, "warning", "0.025 m (sample_01) to 0.100 m (coarse)")
    assert found(report, "note", "no DEM for coarse")


def test_a_part_without_graves_is_found_unless_the_labelled_area_is_given(data: Path) -> None:
    def keep_a_corner(graves: np.ndarray) -> np.ndarray:
        xy = shapely.get_coordinates(shapely.centroid(graves))
        return graves[np.argsort(xy.sum(axis=1))[:15]]

    rewrite_graves(annotations(data), keep_a_corner)
    assert found(check(data), "warning", "from any labelled grave", "areas/sample_01.gpkg")
    with fiona.open(annotations(data)) as layer:
        crs, bounds = layer.crs_wkt, layer.bounds
    (data / "areas").mkdir()
    schema = {"geometry": "Polygon", "properties": {}}
    path = data / "areas" / "sample_01.gpkg"
    with fiona.open(path, "w", driver="GPKG", crs_wkt=crs, schema=schema) as file:
        shape = shapely.geometry.mapping(shapely.box(*bounds))
        file.write({"geometry": shape, "properties": {}})
    assert not found(check(data), "warning", "from any labelled grave")


def test_rare_graves_are_found(data: Path) -> None:
    rewrite_graves(annotations(data), lambda graves: graves[shapely.area(graves).argsort()[:8]])
    assert found(check(data), "warning", "hard to learn", "chips.grave_share")


def test_a_dem_of_another_place_stops_training(data: Path) -> None:
    def move(profile: dict, pixels: np.ndarray) -> np.ndarray:
        profile["transform"] = Affine.translation(5000, 0) @ profile["transform"]
        return pixels

    rewrite_raster(data / "dems" / "sample_01.tif", move)
    report = check(data)
    assert found(report, "error", "no heights within the orthophoto")
    assert not report.can_train


def test_holes_in_the_dem_are_found(data: Path) -> None:
    def pierce(profile: dict, pixels: np.ndarray) -> np.ndarray:
        pixels[:, : pixels.shape[1] // 2] = profile["nodata"]
        return pixels

    rewrite_raster(data / "dems" / "sample_01.tif", pierce)
    assert found(check(data), "warning", "the DEM covers only 5", "% of the orthophoto")


def test_an_unusable_cemetery_is_an_error_and_the_others_are_examined(data: Path) -> None:
    shutil.copy(orthophoto(data), data / "orthophotos" / "unlabelled.tif")
    report = check(data)
    assert found(report, "error", "unlabelled.tif", "no annotations")
    assert [row.name for row in report.cemeteries] == ["sample_01"]


def test_a_split_without_graves_is_an_error(data: Path) -> None:
    rewrite_graves(annotations(data), lambda graves: graves[:1])
    report = check(data)
    assert not report.can_train
    assert found(report, "error", "no graves in sample_01:", "1 grave in all", "data.guard_m")


def test_a_name_that_is_no_utf8_is_one_line(data: Path) -> None:
    for path in (orthophoto(data), annotations(data), data / "dems" / "sample_01.tif"):
        path.rename(path.with_name(os.fsdecode(b"S\xfcd") + path.suffix))
    (finding,) = check(data, data__channels="rgb+dem").findings
    assert "file name is not UTF-8" in finding.what
    assert "rename it" in finding.what


def test_heights_in_centimetres_are_doubted(data: Path) -> None:
    def scale(profile: dict, pixels: np.ndarray) -> np.ndarray:
        known = pixels > -9000
        return np.where(known, (pixels - pixels[known].min()) * 100, pixels)

    rewrite_raster(data / "dems" / "sample_01.tif", scale)
    report = check(data, data__channels="rgb+dem")
    assert found(report, "warning", "m per metre", "gdal_edit.py -scale 0.01 sample_01.tif")


def test_a_border_without_a_mark_is_found(data: Path) -> None:
    def blacken(profile: dict, pixels: np.ndarray) -> np.ndarray:
        pixels[:3, :, :200] = 0
        return pixels[:3]

    rewrite_raster(orthophoto(data), blacken)
    report = check(data)
    assert found(report, "warning", "pure black", "gdal_edit.py -a_nodata 0 sample_01.tif")


@pytest.mark.parametrize(
    ("nodata", "compression", "command"),
    [(0, "JPEG", "nearblack -nb 0"), (255, "WEBP", "nearblack -white -nb 0"), (0, "LZW", "")],
)
def test_a_nodata_value_that_compression_changed_is_found(
    data: Path, nodata: int, compression: str, command: str
) -> None:
    def compress(profile: dict, pixels: np.ndarray) -> np.ndarray:
        profile |= {"nodata": nodata, "compress": compression, "photometric": "RGB"}
        profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256}
        colours = np.clip(pixels[:3], 20, 235)
        colours[:, :, :400] = nodata
        noise = np.random.default_rng(0).integers(0, 40, (3, pixels.shape[1], 6), np.uint8)
        for left in range(0, 400, 16):  # single stones in the border, around which colours ring
            colours[:, :, left + 3 : left + 9] = 100 + noise
        return colours

    rewrite_raster(orthophoto(data), compress)
    assert found(check(data), "warning", "lossy compression changed", command) == bool(command)


def test_an_orthophoto_that_shows_nothing_stops_training(data: Path) -> None:
    def blank(profile: dict, pixels: np.ndarray) -> np.ndarray:
        profile["nodata"] = 0
        return pixels[:3] * 0

    rewrite_raster(orthophoto(data), blank)
    report = check(data, data__channels="rgb+dem")
    assert found(report, "error", "shows nothing")
    assert not found(report, "error", "DEM")


def test_graves_where_the_orthophoto_shows_nothing_are_found(data: Path) -> None:
    def invert(profile: dict, pixels: np.ndarray) -> np.ndarray:
        pixels[3] = 255 - pixels[3]
        return pixels

    rewrite_raster(next((data / "orthophotos").iterdir()), invert)

    assert found(check(data), "warning", "lie where", "shows nothing", "alpha channel")


def test_one_place_in_two_splits_is_found(data: Path) -> None:
    for folder in ("orthophotos", "annotations"):
        (path,) = (data / folder).iterdir()
        shutil.copy(path, path.with_name(f"again{path.suffix}"))

    assert found(check(data), "warning", "again and sample_01 show the same place", "data.train")


def test_outlines_of_whole_cemeteries_are_found(data: Path) -> None:
    (path,) = (data / "annotations").iterdir()
    rewrite_graves(path, lambda graves: [*graves, shapely.box(*shapely.total_bounds(graves))])

    assert found(check(data), "warning", "graves cover", "data.annotation_filter")


def test_data_that_is_not_read_is_noted(data: Path) -> None:
    (data / "orthophotos" / "sample_01.jpg").write_bytes(b"x")
    assert found(check(data), "note", "sample_01.jpg is not read; sample_01.tif is used")


def test_a_missing_folder_is_one_error(tmp_path: Path) -> None:
    report = check(tmp_path / "nowhere")
    assert [finding.severity for finding in report.findings] == ["error"]


@pytest.mark.parametrize("name", ["kampala", "teak"])
def test_real_data_can_be_trained_on(name: str) -> None:
    if not (SHARED_DATA / name).is_dir():
        pytest.skip(f"no {name} data beside the repository")
    report = check(SHARED_DATA / name)
    assert report.can_train
    assert not any("DEM appears" in finding.what for finding in report.findings)
    assert not any("annotations appear" in finding.what for finding in report.findings)


def test_the_command_prints_a_table_or_json_and_exits_with_2_on_errors(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer.testing import CliRunner

    from grave_cli.cli.app import app

    runner = CliRunner()
    shown = runner.invoke(app, ["check", str(sound), "--quiet"])
    assert shown.exit_code == 0
    assert "sample_01" in shown.stdout
    assert "0 errors, 0 warnings, 0 notes" in shown.stdout
    as_json = json.loads(runner.invoke(app, ["check", str(sound), "--json", "--quiet"]).stdout)
    assert as_json["cemeteries"][0]["name"] == "sample_01"
    assert runner.invoke(app, ["check", str(tmp_path / "nowhere")]).exit_code == 2


def test_ground_without_graves_is_examined_without_its_labels(data: Path) -> None:
    for folder in ("orthophotos", "dems"):
        (data / "ground" / folder).mkdir(parents=True)
        shutil.copy(data / folder / "sample_01.tif", data / "ground" / folder / "park.tif")
    shutil.copy(data / "ground/orthophotos/park.tif", data / "ground/orthophotos/yard.tif")
    report = check(data, data__channels="rgb+dem")
    rows = {row.name: row for row in report.cemeteries}
    assert rows["park"].splits == rows["yard"].splits == ("train",)
    assert (rows["park"].graves, rows["park"].median_area_m2) == (0, None)
    assert [finding for finding in report.findings if finding.severity == "error"] == []
    assert not any("DEM for yard" in finding.what for finding in report.findings)


def test_sixteen_bit_values_are_compared_with_those_of_the_training(tmp_path: Path) -> None:
    plain = deliver(tmp_path / "plain.tif", dtype="uint16")
    bright = Path(shutil.copy(plain, tmp_path / "bright.tif"))
    with rasterio.open(bright, "r+") as raster:
        raster.write(5 * raster.read((1, 2, 3)), (1, 2, 3))
    patients = [Patient(_flight(path), Settings()) for path in (plain, bright)]
    parts = [Part(patients[0].cemetery, "train"), Part(patients[1].cemetery, "val")]

    (finding,) = _check_depths(patients, parts)
    assert finding.what.startswith(f"{bright}: the orthophoto's values are outside")
    assert not list(_check_depths(patients[:1], parts[1:]))  # a flight to be mapped is alone


def _flight(path: Path) -> CemeteryPlan:
    return plan_cemetery(Cemetery(path.stem, path, is_ground=True), Settings())
