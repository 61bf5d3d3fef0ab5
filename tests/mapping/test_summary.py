import numpy as np
import pytest
import shapely
from affine import Affine

from grave_cli.mapping import summary
from grave_cli.mapping.probability_map import ProbabilityMap
from grave_cli.mapping.summary import look_over
from grave_cli.rasters.grid import WorkingGrid


def map_of(levels: np.ndarray, valid: np.ndarray) -> ProbabilityMap:
    height, width = valid.shape
    grid = WorkingGrid("EPSG:25832", Affine(0.1, 0, 0, 0, -0.1, 0), width, height, 0.1)
    return ProbabilityMap.of(np.broadcast_to(levels, (3, height, width)), valid, grid)


@pytest.mark.parametrize("window_px", [6, 64, 10_000])
def test_the_picture_averages_whole_and_cut_blocks(
    window_px: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "_WINDOW_PX", window_px)
    values = np.full((2500, 4), 51, np.uint8)  # blocks of 3: the last has one row
    values[2499] = 255
    values[0, 3] = 255
    picture = look_over(map_of(values, np.ones((2500, 4), np.bool_))).probability
    assert picture.shape == (834, 2)
    assert picture[-1] == pytest.approx([1.0, 1.0])
    assert picture[0] == pytest.approx([0.2, 0.2 + 0.8 / 3])


@pytest.mark.parametrize("window_px", [7, 64, 10_000])
def test_footprint_and_share_are_those_of_the_valid_pixels(
    window_px: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "_WINDOW_PX", window_px)
    valid = np.zeros((100, 120), np.bool_)
    valid[20:70, 30:110] = True
    seen = look_over(map_of(np.uint8(0), valid))
    assert seen.valid_share == pytest.approx(valid.mean())
    assert seen.footprint.equals(shapely.MultiPolygon([shapely.box(3, -7, 11, -2)]))
    cut = look_over(map_of(np.uint8(0), valid), shapely.box(0, -5, 20, 0))
    assert cut.footprint.equals(shapely.MultiPolygon([shapely.box(3, -5, 11, -2)]))


def test_the_footprint_of_a_whole_picture_ends_with_it() -> None:
    seen = look_over(map_of(np.uint8(0), np.ones((101, 122), np.bool_)))
    assert seen.footprint.bounds == pytest.approx((0, -10.1, 12.2, 0))
    assert seen.footprint.area == pytest.approx(10.1 * 12.2)
