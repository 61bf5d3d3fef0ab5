"""Graves are measured in metres and degrees on the ground, in any CRS."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from shapely import affinity

from grave_cli.delivery.grave_columns import GRAVE_COLUMNS
from grave_cli.graves.attributes import heights_by_label, measure
from grave_cli.rasters.grid import ground_scale


def grave(azimuth_deg: float, length_m: float, width_m: float, crs: str) -> tuple[object, float]:
    """Draw a grave at 48 degrees north, and say how many metres a unit of the CRS is there."""
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(9.0, 48.0)
    scale = ground_scale(crs, x, y)
    upright = shapely.box(
        x - width_m / 2 / scale,
        y - length_m / 2 / scale,
        x + width_m / 2 / scale,
        y + length_m / 2 / scale,
    )
    return affinity.rotate(upright, -azimuth_deg), scale


@pytest.mark.parametrize("crs", ["EPSG:25832", "EPSG:3857"])
@settings(deadline=None, max_examples=50)
@given(azimuth=st.floats(0, 179.9), length=st.floats(1.5, 2.5), width=st.floats(0.4, 1.2))
def test_a_rectangles_measures_are_its_own_in_metres(
    crs: str, azimuth: float, length: float, width: float
) -> None:
    polygon, scale = grave(azimuth, length, width, crs)
    measures = measure(np.array([polygon], dtype=object), crs, scale)
    assert measures.length_m[0] == pytest.approx(length, rel=1e-3)
    assert measures.width_m[0] == pytest.approx(width, rel=1e-3)
    assert measures.area_m2[0] == pytest.approx(length * width, rel=5e-3)
    turn = abs(measures.azimuth_deg[0] - azimuth)
    assert min(turn, 180 - turn) < 0.01


@pytest.mark.parametrize("lean", [0.0, 1e-17, -1e-17, 1e-12, -1e-12])
@pytest.mark.parametrize("upside_down", [False, True])
def test_north_is_zero_and_never_a_hundred_and_eighty(lean: float, upside_down: bool) -> None:
    corners = [(0, 0), (1, lean), (1 + lean, 2), (lean, 2)]
    polygon = shapely.Polygon(corners[::-1] if upside_down else corners)
    azimuth = measure(np.array([polygon], dtype=object), "EPSG:25832", 1.0).azimuth_deg
    assert 0 <= azimuth[0] < 180


@pytest.mark.parametrize("way", [-1, 1])
def test_a_grave_whose_long_side_leans_by_a_hair_points_north(way: int) -> None:
    hair = way * 1e-17
    polygon = shapely.Polygon([(hair, 2), (0, 0), (1, 0), (1, 2)])
    azimuth = measure(np.array([polygon], dtype=object), "EPSG:25832", 1.0).azimuth_deg[0]
    assert azimuth == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("lean", [0.0, 0.001, 0.0016, 0.003])
def test_a_written_direction_is_never_a_hundred_and_eighty(lean: float) -> None:
    leaning = shapely.Polygon([(0, 0), (1, lean / 2), (1 - lean, 2 + lean / 2), (-lean, 2)])
    azimuth = measure(np.array([leaning], dtype=object), "EPSG:25832", 1.0).azimuth_deg[0]
    assert GRAVE_COLUMNS["azimuth_deg"].cell(azimuth) < 180


def test_no_graves_have_no_measures() -> None:
    measures = measure(np.array([], dtype=object), "EPSG:25832", 1.0)
    for values in (measures.area_m2, measures.length_m, measures.width_m, measures.azimuth_deg):
        assert values.shape == (0,)


def test_an_outline_with_many_corners_is_measured_by_its_rectangle() -> None:
    ellipse = affinity.scale(shapely.Point(500_000, 5_300_000).buffer(1), 0.5, 1)
    measures = measure(np.array([ellipse], dtype=object), "EPSG:25832", 1.0)
    assert (measures.length_m[0], measures.width_m[0]) == pytest.approx((2, 1), rel=0.02)


def test_a_height_is_near_the_top_of_the_stone_and_of_no_other() -> None:
    labels = np.repeat(np.array([[0, 1, 2]], np.int32), 100, axis=0)
    heights = np.zeros((100, 3), np.float32)
    heights[:, 0] = 9  # a tree beside the graves
    heights[:, 1] = np.linspace(0, 1, 100)
    heights[:, 2] = 0.2
    heights[7, 2] = 50  # one noisy pixel
    found = heights_by_label(heights, labels, np.array([1, 2]))
    assert found == pytest.approx([0.95, 0.2], abs=0.01)


def test_a_grave_without_known_heights_has_none() -> None:
    labels = np.array([[1, 1, 2, 3]], np.int32)
    heights = np.array([[np.nan, 1, np.nan, 0.5]], np.float32)
    found = heights_by_label(heights, labels, np.array([3, 2, 1, 77]))
    assert found == pytest.approx([0.5, np.nan, 1, np.nan], nan_ok=True)


def test_no_graves_have_no_heights() -> None:
    empty = heights_by_label(
        np.zeros((2, 2), np.float32), np.zeros((2, 2), np.int32), np.array([], np.int64)
    )
    assert empty.shape == (0,)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_heights_are_those_of_each_label_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 5, (8, 8)).astype(np.int32)
    heights = random.uniform(0, 3, (8, 8)).astype(np.float32)
    heights[random.random((8, 8)) < 0.3] = np.nan
    for label, found in zip(
        range(1, 5), heights_by_label(heights, labels, np.arange(1, 5)), strict=True
    ):
        own = heights[labels == label]
        own = own[np.isfinite(own)]
        expected = np.percentile(own, 95) if len(own) else np.nan
        assert found == pytest.approx(expected, nan_ok=True)
