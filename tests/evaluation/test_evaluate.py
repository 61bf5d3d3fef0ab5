"""Maps and ground truth as files: any format, CRS and layer gives the same score, or an error."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import fiona
import numpy as np
import pytest
import shapely
from deliveries import GRAVES, UTM, grave, moved, named, outline, with_spike, write
from pyproj import Transformer
from shapely import affinity

from grave_cli.delivery.grave_columns import GRAVE_COLUMNS
from grave_cli.delivery.layer import Layer
from grave_cli.delivery.simple_files import write_shapefile
from grave_cli.errors import DatasetError
from grave_cli.evaluation.evaluate import Evaluation, evaluate_files
from grave_cli.settings.inputs import DataSettings

SHIFTED = [affinity.translate(shape, 0.03, 0.04) for shape in GRAVES]
COLUMNS = {"grave_id": "str", "confidence": "float", "flags": "str", "needs_review": "bool"}


def map_file(path: Path, shapes: Iterable[shapely.Geometry], **columns: list) -> Path:
    """Write graves with the columns of our own maps."""
    schema = {"geometry": "Polygon", "properties": {name: COLUMNS[name] for name in columns}}
    with fiona.open(path, "w", driver="GPKG", crs=UTM, layer="graves", schema=schema) as file:
        for index, shape in enumerate(shapes):
            values = {name: column[index] for name, column in columns.items()}
            geometry = shapely.geometry.mapping(shape)
            file.write({"geometry": geometry, "properties": values})
    return path


def evaluate(prediction: Path, truth: Path, **options: object) -> Evaluation:
    data = options.pop("data", DataSettings())
    return evaluate_files(prediction, truth, data, **options)


def moved_from(shapes: Iterable[shapely.Geometry], crs: str) -> list[shapely.Geometry]:
    step = Transformer.from_crs(crs, "EPSG:25830", always_xy=True)
    return list(shapely.transform(np.array([*shapes]), step.transform, interleaved=False))


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return write(tmp_path / "truth.gpkg", GRAVES)


@pytest.mark.parametrize(
    ("ending", "crs"),
    [
        (".gpkg", UTM),
        (".gpkg", "EPSG:3857"),
        (".gpkg", "EPSG:31467"),
        (".geojson", "EPSG:4326"),
        (".shp", "EPSG:25833"),
        (".fgb", "EPSG:3857"),
    ],
)
def test_a_shift_of_5_cm_is_measured_as_5_cm_in_any_crs_and_format(
    tmp_path: Path, truth: Path, ending: str, crs: str
) -> None:
    drawn = write(tmp_path / f"drawn{ending}", moved(SHIFTED, crs), crs=crs)
    card = evaluate(drawn, truth).scorecard
    assert card.at_50.matches == 8
    # A metre of UTM is up to 0.4 per mille longer or shorter on the ground.
    assert card.corner_rmse_cm == pytest.approx(5, rel=0.02)
    assert card.area_error_m2 == pytest.approx(0, abs=2e-4)
    assert [group.truths for group in card.by_size] == [8]


def test_areas_are_true_where_a_map_unit_is_67_cm(tmp_path: Path) -> None:
    larger = [affinity.scale(shape, 1.1, 1.0) for shape in GRAVES]
    files = [
        write(tmp_path / f"{name}.gpkg", moved(shapes, "EPSG:3857"), crs="EPSG:3857")
        for name, shapes in (("drawn", larger), ("truth", GRAVES))
    ]
    result = evaluate(*files)
    assert result.judgement.truth_area == pytest.approx(np.full(8, 2.0), rel=2e-3)
    assert result.scorecard.area_bias_m2 == pytest.approx(0.2, abs=0.01)


def our_map(folder: Path) -> Path:
    path = write(folder / "m.gpkg", GRAVES, layer="graves")
    write(path, [shape.buffer(0.4) for shape in GRAVES], layer="graves_raw")
    return write(path, [shapely.box(500000, 5400000, 500020, 5400010)], layer="coverage")


def closed_lines(folder: Path) -> Path:
    return write(folder / "m.gpkg", [outline(shape) for shape in GRAVES], kind="LineString")


def broken(folder: Path) -> Path:
    return write(folder / "m.gpkg", [with_spike(GRAVES[0]), *GRAVES[1:]])


def in_parts(folder: Path) -> Path:
    return write(folder / "m.gpkg", [shapely.MultiPolygon(GRAVES)], kind="MultiPolygon")


@pytest.mark.parametrize("make", [our_map, closed_lines, broken, in_parts])
def test_files_are_read_as_annotations_are(
    tmp_path: Path, truth: Path, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path)
    assert evaluate(path, truth).scorecard.at_75.matches == 8
    assert evaluate(truth, path).scorecard.at_75.matches == 8


def test_repairs_are_reported(tmp_path: Path, truth: Path) -> None:
    (note,) = evaluate(broken(tmp_path), truth).notes
    assert note.endswith("m.gpkg: 1 invalid outline repaired")


def test_a_grave_drawn_twice_is_one_too_many_but_known_twice_is_one(
    tmp_path: Path, truth: Path
) -> None:
    twice = write(tmp_path / "twice.gpkg", [*GRAVES, GRAVES[0]])
    drawn = evaluate(twice, truth).scorecard
    assert (drawn.predictions, drawn.at_50.matches, drawn.count_error) == (9, 8, 1)
    assert evaluate(truth, twice).scorecard.truths == 8


def test_layers_are_chosen_by_name(tmp_path: Path, truth: Path) -> None:
    path = write(tmp_path / "m.gpkg", GRAVES[:3], layer="left")
    write(path, GRAVES, layer="all")
    with pytest.raises(DatasetError, match=r"left, all.*--prediction-layer=NAME"):
        evaluate(path, truth)
    with pytest.raises(DatasetError, match=r"left, all.*--truth-layer=NAME"):
        evaluate(truth, path)
    assert evaluate(path, truth, prediction_layer="left").scorecard.predictions == 3
    layer = DataSettings(annotation_layer="left")
    assert evaluate(truth, path, data=layer).scorecard.truths == 3


def test_the_truth_is_filtered_like_annotations(tmp_path: Path, truth: Path) -> None:
    rest = named("Weg", [shapely.box(500000, 5400000, 500020, 5400010)])
    drawing = write(tmp_path / "cad.gpkg", [*named("Grab belegt"), *rest])
    chosen = DataSettings(annotation_filter="NAME = 'Grab belegt'")
    assert evaluate(truth, drawing, data=chosen).scorecard.at_75.matches == 8


def test_only_graves_in_the_area_count(tmp_path: Path, truth: Path) -> None:
    west = shapely.box(500000, 5400000, 500009, 5400010)
    area = write(tmp_path / "area.gpkg", moved([west], "EPSG:4326"), crs="EPSG:4326")
    drawn = map_file(
        tmp_path / "m.gpkg",
        [*GRAVES[:5], grave(18, 5)],
        confidence=[0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
    )
    card = evaluate(drawn, truth, area=area).scorecard
    # Two columns of two graves lie west of the line; three of them are drawn.
    assert (card.truths, card.predictions, card.at_50.matches) == (4, 3, 3)
    assert sorted(group.mean for group in card.by_confidence) == [0.5, 0.8, 0.9]


def test_an_area_without_polygons_is_refused(tmp_path: Path, truth: Path) -> None:
    area = write(tmp_path / "area.gpkg", [])
    with pytest.raises(DatasetError, match=r"area\.gpkg: area has no polygons"):
        evaluate(truth, truth, area=area)


def test_a_column_of_the_truth_gives_scores_of_its_own(tmp_path: Path) -> None:
    kinds = [(shape, {"NAME": "Urne" if i < 2 else "Größe 1"}) for i, shape in enumerate(GRAVES)]
    known = write(tmp_path / "t.gpkg", kinds)
    drawn = write(tmp_path / "m.gpkg", GRAVES[1:])
    result = evaluate(drawn, known, attribute="NAME")
    found = {group.name: (group.truths, group.recall) for group in result.by_attribute}
    assert found == {"Größe 1": (6, 1.0), "Urne": (2, 0.5)}
    assert result.as_dict()["by_attribute"][0]["name"] == "Größe 1"


def test_a_column_that_is_not_there_is_refused_with_those_that_are(truth: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"truth\.gpkg: column is missing .*found NAME.*expected K"
    ):
        evaluate(truth, truth, attribute="KIND")


def test_files_of_two_places_are_refused(tmp_path: Path, truth: Path) -> None:
    wrong = write(tmp_path / "m.gpkg", GRAVES, crs="EPSG:25833")  # the same numbers, one zone on
    with pytest.raises(DatasetError, match=r"m\.gpkg: .*different places.*km from"):
        evaluate(wrong, truth)


@pytest.mark.parametrize("as_truth", [True, False])
def test_metres_that_are_called_degrees_are_refused(
    tmp_path: Path, truth: Path, as_truth: bool
) -> None:
    wrong = write(tmp_path / "wrong.shp", GRAVES, crs="EPSG:4326")
    files = (truth, wrong) if as_truth else (wrong, truth)
    with pytest.raises(DatasetError, match=r"wrong\.shp: its coordinates lie nowhere on the Earth"):
        evaluate(*files)


def test_a_grave_across_the_earth_takes_no_memory(tmp_path: Path, truth: Path) -> None:
    """One damaged coordinate: its outline had 200 million points."""
    far = shapely.Polygon([*GRAVES[0].exterior.coords[:2], (-5e6, 5.4e6), (-5e6, 5.4e6 + 1)])
    found = evaluate(write(tmp_path / "m.gpkg", [far, *GRAVES[1:]]), truth)
    assert found.scorecard.at_50.matches == 7


def test_graves_on_both_sides_of_the_antimeridian_are_neighbours(tmp_path: Path) -> None:
    metre = 1 / 111_320
    east, west = (shapely.box(x, 0, x + 2 * metre, metre) for x in (179.99999 - 3e-5, -179.99999))
    path = write(tmp_path / "t.gpkg", [east, west], crs="EPSG:4326")
    found = evaluate(path, path)
    assert found.scorecard.at_50.f1 == 1
    assert np.ptp(shapely.get_coordinates(found.truth.polygons), axis=0).max() < 10


def test_a_missing_grid_of_datum_shifts_is_noted(tmp_path: Path) -> None:
    british = [shapely.affinity.translate(shape, -77_758, -4_966_181) for shape in GRAVES]
    truth = write(tmp_path / "truth.gpkg", british, crs="EPSG:27700")
    drawn = write(tmp_path / "map.gpkg", moved_from(british, "EPSG:27700"), crs="EPSG:25830")
    (note,) = evaluate(drawn, truth).notes
    assert note.startswith(f"{drawn}: positions can be off by some metres")


@pytest.mark.parametrize(("drawn", "known"), [([], GRAVES), (GRAVES, []), ([], [])])
def test_empty_files_are_scored_as_what_they_are(tmp_path: Path, drawn: list, known: list) -> None:
    files = write(tmp_path / "m.gpkg", drawn), write(tmp_path / "t.gpkg", known)
    result = evaluate(*files)
    assert (result.scorecard.predictions, result.scorecard.truths) == (len(drawn), len(known))
    assert result.scorecard.at_50.f1 == 0
    assert result.scorecard.boundary_mean_cm is None
    assert "NaN" not in json.dumps(result.as_dict())
    empty = [file for file, graves in zip(files, (drawn, known), strict=True) if not graves]
    assert result.notes == tuple(f"{file}: holds no graves" for file in empty)


def test_one_file_as_map_and_truth_is_said(truth: Path) -> None:
    assert evaluate(truth, truth).notes == ("map and ground truth are the same file",)


def test_confidence_and_flags_are_judged_when_they_are_there(tmp_path: Path, truth: Path) -> None:
    far_off = affinity.translate(GRAVES[7], 0.9, 0.4)
    shapes = [*GRAVES[:7], far_off]
    confidence = [0.9] * 7 + [0.3]
    plain = evaluate(map_file(tmp_path / "a.gpkg", shapes), truth)
    assert plain.review is None
    assert plain.scorecard.by_confidence == ()
    sure = evaluate(map_file(tmp_path / "b.gpkg", shapes, confidence=confidence), truth)
    assert sure.scorecard.calibration_error == pytest.approx((7 * 0.1 + 0.3) / 8)
    assert (sure.review.flagged, sure.review.flagged_caught) == (0, 0)
    flags = [""] * 7 + ["low_confidence"]
    flagged = evaluate(map_file(tmp_path / "c.gpkg", shapes, flags=flags), truth)
    assert (flagged.review.flagged, flagged.review.flagged_caught) == (0.125, 1)
    asked = [True] + [False] * 7  # this column wins over flags
    both = map_file(tmp_path / "d.gpkg", shapes, flags=flags, needs_review=asked)
    assert evaluate(both, truth).review.flagged_caught == 0


@pytest.mark.parametrize("no", ["false", "0", "nein"])
def test_words_for_yes_and_no_are_read_as_such(tmp_path: Path, truth: Path, no: str) -> None:
    path = tmp_path / "map.geojson"
    schema = {"geometry": "Polygon", "properties": {"needs_review": "str"}}
    with fiona.open(path, "w", driver="GeoJSON", crs=UTM, schema=schema) as file:
        for shape, word in zip(GRAVES, ["true", *[no] * 7], strict=True):
            geometry = shapely.geometry.mapping(shape)
            file.write({"geometry": geometry, "properties": {"needs_review": word}})
    assert evaluate(path, truth).review.flagged == 0.125


def test_a_map_as_shapefile_is_reviewed_like_the_same_map_as_geopackage(
    tmp_path: Path, truth: Path
) -> None:
    rows = [
        {**dict.fromkeys(GRAVE_COLUMNS), "needs_review": index == 7, "review_rank": 8 - index}
        for index in range(8)
    ]
    for row in rows:
        row |= {"flags": "edge", "confidence": 0.9}  # `edge` need not call for a review
    shapes = np.array([*GRAVES[:7], affinity.translate(GRAVES[7], 0.9, 0.4)], dtype=object)
    write_shapefile(Layer("graves", GRAVE_COLUMNS, rows, shapes, UTM), tmp_path / "map.shp")
    review = evaluate(tmp_path / "map.shp", truth).review
    assert (review.flagged, review.flagged_caught, review.by_rank) == (0.125, 1, True)


def test_a_confidence_in_percent_is_ignored_with_a_note(tmp_path: Path, truth: Path) -> None:
    drawn = map_file(tmp_path / "m.gpkg", GRAVES, confidence=[90.0] * 8)
    result = evaluate(drawn, truth)
    assert result.scorecard.by_confidence == ()
    assert any(
        "confidence ignored, not all values are numbers in [0, 1]" in note for note in result.notes
    )


@pytest.mark.slow
@pytest.mark.timeout(60)  # it takes seconds; quadratic growth would take an hour
def test_ten_thousand_graves_take_seconds(tmp_path: Path) -> None:
    x, y = np.meshgrid(np.arange(100) * 1.05, np.arange(100) * 2.8)
    left, bottom = x.ravel() + 500000, y.ravel() + 5400000
    known = write(tmp_path / "t.gpkg", shapely.box(left, bottom, left + 1, bottom + 2.2))
    drawn = write(tmp_path / "m.gpkg", shapely.box(left, bottom, left + 1.02, bottom + 2.2))
    assert evaluate(drawn, known).scorecard.at_75.matches == 10_000
