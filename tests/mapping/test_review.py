"""Candidates and the order of the review, from probabilities to the layer of the map."""

from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
import shapely
from affine import Affine

from grave_cli.delivery.candidate_columns import CANDIDATE_COLUMNS
from grave_cli.graves.faint import Faint, find_faint, pooling
from grave_cli.graves.review_model import CANDIDATE_FEATURES, DEFAULT_REVIEW, DOUBTS, Step
from grave_cli.graves.targets import encode
from grave_cli.mapping.extract_graves import extract_graves
from grave_cli.mapping.faint_windows import find_faint_between
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.mapping.probability_map import ProbabilityMap, to_levels
from grave_cli.mapping.result import PredictionResult
from grave_cli.mapping.scene import Scene
from grave_cli.rasters.bands import Bands
from grave_cli.rasters.georeference import Georeference
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import Orthophoto
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings

GSD_M = 0.05
DECODING = DecodingSettings()
# Rows of graves of 1.0 m x 2.0 m, 0.4 m apart: a grave and its gap are 28 px wide.
ROWS, COLUMNS, STEP, WIDE, LONG, DOWN = 3, 9, 28, 20, 40, 70


def place_of(row: int, column: int) -> tuple[slice, slice]:
    top, left = 20 + row * DOWN, 20 + column * STEP
    return slice(top, top + LONG), slice(left, left + WIDE)


def probabilities(dimmed: dict[tuple[int, int], float]) -> ProbabilityMap:
    """Rows of sure graves; `dimmed` ones have a lower body, by row and column."""
    shape = (ROWS * DOWN + 40, COLUMNS * STEP + 40)
    instances = np.zeros(shape, np.int32)
    strength = np.full(shape, 0.99, np.float32)
    for row in range(ROWS):
        for column in range(COLUMNS):
            instances[place_of(row, column)] = row * COLUMNS + column + 1
            strength[place_of(row, column)] = dimmed.get((row, column), 0.99)
    channels = encode(instances, GSD_M, 0.1, 0.1).astype(np.float32)
    channels[0] = channels[0] * strength + 0.01
    grid = WorkingGrid("EPSG:25832", Affine(GSD_M, 0, 0, 0, -GSD_M, 0), *shape[::-1], GSD_M)
    return ProbabilityMap.of(to_levels(channels.clip(0, 1)), np.ones(shape, np.bool_), grid)


def scene_of(seen: ProbabilityMap) -> Scene:
    grid = seen.grid
    place = Georeference(grid.crs, grid.transform, grid.width, grid.height)
    recipe = InputRecipe(channels="rgb", gsd_m=GSD_M, mean=(0, 0, 0), std=(1, 1, 1), elevation=None)
    orthophoto = Orthophoto(Path("anna.tif"), place, Bands((1, 2, 3)), "uint8", False, ())
    return Scene(orthophoto, None, grid, recipe, None)


def mapped(dimmed: dict[tuple[int, int], float], **changes: Any) -> PredictionResult:
    seen = probabilities(dimmed)
    settings = Settings(**changes)
    return extract_graves(seen, scene_of(seen), DECODING, settings, {})


DIM = {(1, 3): 0.4, (2, 6): 0.8, (0, 8): 0.3}


@pytest.fixture(scope="module")
def result() -> PredictionResult:
    return mapped(DIM)


def outline(row: int, column: int) -> shapely.Polygon:
    rows, columns = place_of(row, column)
    return shapely.box(
        columns.start * GSD_M, -rows.stop * GSD_M, columns.stop * GSD_M, -rows.start * GSD_M
    )


def test_graves_below_a_threshold_become_candidates(result: PredictionResult) -> None:
    assert len(result.polygons) == ROWS * COLUMNS - len(DIM)
    assert len(result.candidates) == len(DIM)
    for place in DIM:
        common = shapely.intersection(result.candidates.polygons, outline(*place))
        either = shapely.union(result.candidates.polygons, outline(*place))
        assert (shapely.area(common) / shapely.area(either)).max() > 0.7


def test_each_says_what_it_lacks_and_what_speaks_for_it(result: PredictionResult) -> None:
    rows = {
        place: row
        for place in DIM
        for polygon, row in zip(
            result.candidates.polygons, result.candidates.attributes, strict=True
        )
        if polygon.intersects(outline(*place))
    }
    assert rows[1, 3]["reason"] == rows[0, 8]["reason"] == "too faint to be drawn"
    assert rows[2, 6]["reason"] == "nowhere sure enough"
    assert "a gap in its row" in rows[1, 3]["review_reason"]
    assert "it continues a row" in rows[0, 8]["review_reason"]
    assert [row["candidate_id"] for row in result.candidates.attributes] == [1, 2, 3]
    assert all(list(row) == list(CANDIDATE_COLUMNS) for row in result.candidates.attributes)
    assert {row["decision"] for row in rows.values()} == {""}


def test_graves_and_candidates_share_the_ranks(result: PredictionResult) -> None:
    rows = (*result.attributes, *result.candidates.attributes)
    assert sorted(row["review_rank"] for row in rows) == list(range(1, len(rows) + 1))
    falling = [row["probability"] for row in result.candidates.attributes]
    assert falling == sorted(falling, reverse=True)
    assert max(row["review_rank"] for row in result.candidates.attributes) <= 6


def test_no_candidate_overlaps_a_grave_or_another_one() -> None:
    dimmed = {(row, column): 0.45 for row in range(ROWS) for column in range(COLUMNS) if column % 2}
    found = mapped(dimmed, review={"candidates_per_grave": 1.0})
    everything = np.concatenate([found.polygons, found.candidates.polygons])
    assert len(found.candidates) >= 10
    assert shapely.is_valid(everything).all()
    assert shapely.area(everything).sum() == pytest.approx(shapely.union_all(everything).area)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2])
def test_there_are_never_more_candidates_than_asked_for(share: float) -> None:
    dimmed = {(row, column): 0.45 for row in range(ROWS) for column in range(COLUMNS) if column % 2}
    found = mapped(dimmed, review={"candidates_per_grave": share})
    assert len(found.candidates) == int(share * len(found.polygons))


def test_german_maps_have_german_reasons(tmp_path: Path) -> None:
    found = mapped(DIM, output={"language": "de"})
    write_geopackage(found, tmp_path / "map.gpkg", language="de")
    with fiona.open(tmp_path / "map.gpkg", layer="candidates") as layer:
        texts = {feature.properties["reason"] for feature in layer}
    assert texts == {"zu schwach, um gezeichnet zu werden", "nirgends sicher genug"}
    assert any("Reihe" in row["review_reason"] for row in found.candidates.attributes)


def test_a_map_without_graves_has_no_candidates() -> None:
    found = mapped({(row, column): 0.2 for row in range(ROWS) for column in range(COLUMNS)})
    assert len(found.polygons) == len(found.candidates) == 0


def test_a_doubtful_grave_comes_before_the_sure_ones_and_says_why() -> None:
    seen = probabilities({})
    levels = seen.shelf[0, 0]
    rows, columns = place_of(1, 4)
    levels[0, rows.start + 24 : rows.stop, columns] = 2  # the lower part of one grave is gone
    found = extract_graves(seen, scene_of(seen), DECODING, Settings(), {})
    first = min(found.attributes, key=lambda row: row["review_rank"])
    assert first["area_m2"] == min(row["area_m2"] for row in found.attributes)
    assert "a size unlike the graves around it" in first["review_reason"]
    assert sum(bool(row["review_reason"]) for row in found.attributes) <= 5


def test_a_model_with_proof_promises_and_one_without_does_not() -> None:
    seen = probabilities(DIM)
    proof = (Step(below=0.5, graves=500, wrong=3),)
    model = DEFAULT_REVIEW.model_copy(update={"proof": proof})
    found = extract_graves(seen, scene_of(seen), DECODING, Settings(), {}, None, model)
    assert found.review is not None
    (promise,) = found.review.promises
    assert promise.unseen <= 2
    assert promise.looked_at < len(found.polygons)
    without = extract_graves(seen, scene_of(seen), DECODING, Settings(), {})
    assert without.review is not None
    assert without.review.promises == ()


@pytest.mark.parametrize("core_px", [40, 64, 97, 300])
def test_faint_instances_are_the_same_however_the_map_is_cut(core_px: int) -> None:
    seen = probabilities(DIM)
    none = np.zeros(0, object)
    whole, cut = (
        sorted_by_place(find_faint_between(seen, none, DECODING, 4.0, core_px=px, threads=2))
        for px in (10_000, core_px)
    )
    assert len(whole) == len(cut) > len(DIM)
    for name, values in vars(whole).items():
        assert getattr(cut, name) == pytest.approx(values), name


def sorted_by_place(found: Faint) -> Faint:
    return found.take(np.lexsort((found.level, found.area, *found.centre.round(3).T)))


def test_the_rim_of_a_drawn_grave_is_no_instance() -> None:
    side = 60
    levels = np.zeros((3, side, side), np.uint8)
    levels[0, 10:50, 10:50] = 120  # the body fades out over 2 px around a grave
    free = np.ones((side, side), np.bool_)
    free[12:48, 12:48] = False
    assert len(find_faint(levels, free, GSD_M, 0.5, (0.05, 4.0))) == 0
    assert side % pooling(GSD_M) == 0


def test_all_weights_of_the_defaults_have_a_feature() -> None:
    assert set(DEFAULT_REVIEW.candidates.weights) <= set(CANDIDATE_FEATURES)
    assert set(DEFAULT_REVIEW.mistakes.weights) <= set(DOUBTS)
