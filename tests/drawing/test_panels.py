import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.segmentation import find_boundaries

from grave_cli.drawing.colormaps import BLUE, CYAN, GREEN, ORANGE, PAPER, RED, YELLOW
from grave_cli.drawing.outlines import grave_edges
from grave_cli.drawing.panels import (
    CELL_PX,
    SampleView,
    combined,
    draw_cell,
    error_map,
    height_range,
    part_picture,
)

SIZE = 64


def boxes(*places: tuple[int, int, int, int]) -> np.ndarray:
    """Ids from 1 for rows and columns (top, bottom, left, right)."""
    labels = np.zeros((SIZE, SIZE), np.int32)
    for number, (top, bottom, left, right) in enumerate(places, 1):
        labels[top:bottom, left:right] = number
    return labels


def view(**changes: object) -> SampleView:
    """One grave found, one missed, and one false prediction."""
    values = {
        "name": "Köln, place 1",
        "gsd_m": 0.05,
        "rgb": np.full((3, SIZE, SIZE), 90, np.uint8),
        "valid": np.ones((SIZE, SIZE), bool),
        "scored": np.ones((SIZE, SIZE), bool),
        "truth": boxes((4, 14, 4, 24), (30, 40, 4, 24)),
        "predicted": boxes((4, 14, 4, 24), (30, 40, 40, 60)),
        "probability": np.linspace(0, 1, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE),
        "heights": None,
    }
    return SampleView(**{**values, **changes})


def has(cell: object, color: tuple[int, int, int]) -> bool:
    return bool((np.asarray(cell) == color).all(axis=2).any())


def test_error_map_is_green_for_hits_red_for_false_and_blue_for_missed_pixels() -> None:
    picture = error_map(view()).astype(int)
    assert picture[8, 10].argmax() == 1
    assert picture[35, 50].argmax() == 0
    assert picture[35, 10].argmax() == 2
    assert np.ptp(picture[60, 60]) == 0


def test_nothing_is_judged_where_the_truth_is_unknown() -> None:
    unknown = view(scored=np.zeros((SIZE, SIZE), bool))
    assert [len(unknown.verdicts[kind]) for kind in ("wrong", "missed")] == [0, 0]
    assert np.ptp(error_map(unknown)[35, 50]) == 0


def test_whole_graves_are_outlined_by_their_verdict() -> None:
    cell = draw_cell(view(), "error_map")
    assert all(has(cell, color) for color in (GREEN, RED, BLUE))
    perfect = view(predicted=view().truth)
    cell = draw_cell(perfect, "error_map")
    assert has(cell, GREEN)
    assert not has(cell, RED)
    assert not has(cell, BLUE)


def test_two_graves_in_one_outline_are_all_hits_by_pixels_and_wrong_as_graves() -> None:
    pair = view(truth=boxes((4, 14, 4, 24), (14, 24, 4, 24)), predicted=boxes((4, 24, 4, 24)))
    # The IoU of one of them is exactly a half.
    assert [len(pair.verdicts[kind]) for kind in ("found", "merged", "missed")] == [1, 1, 0]
    triple = view(
        truth=boxes((4, 14, 4, 24), (14, 24, 4, 24), (24, 34, 4, 24)),
        predicted=boxes((4, 34, 4, 24)),
    )
    assert "Dice 1.00" in triple.caption()
    assert "0 found, 1 merged, 0 split, 0 wrong, 0 missed" in triple.caption()
    assert has(draw_cell(triple, "error_map"), ORANGE)


def test_touching_graves_have_an_edge_each() -> None:
    labels = boxes((0, 10, 0, 10), (0, 10, 10, 20))
    edges = grave_edges(labels)
    assert edges[5, 9]
    assert edges[5, 10]
    assert not edges[5, 5]
    assert not edges[5, 20]


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_edges_are_the_inner_boundaries_of_scikit_image(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 4, (9, 12)).astype(np.int32)
    labels = np.kron(labels, np.ones((3, 3), np.int32))
    expected = find_boundaries(labels, connectivity=1, mode="inner")
    assert (grave_edges(labels) == expected).all()
    thick = grave_edges(labels, width=2)
    assert thick[expected].all()
    assert thick.sum() > expected.sum()


@pytest.mark.parametrize("key", ["rgb", "dem", "gt_overlay", "pred_heatmap", "error_map"])
def test_each_aspect_is_a_picture_with_words_around_it(key: str) -> None:
    sample = view(heights=np.zeros((SIZE, SIZE), np.float32))
    picture = part_picture(sample, key, "epoch 3")
    assert picture.width >= CELL_PX
    assert picture.height > CELL_PX + 40
    assert draw_cell(sample, key).size == (CELL_PX, CELL_PX)


def test_truth_and_prediction_are_outlined_on_their_pictures() -> None:
    assert has(draw_cell(view(), "gt_overlay"), YELLOW)
    assert has(draw_cell(view(), "pred_heatmap"), CYAN)


def test_a_sheet_has_a_column_for_heights_only_where_there_are_some() -> None:
    flat = view(heights=np.zeros((SIZE, SIZE), np.float32))
    without, with_dem = combined([view()] * 2, "epoch 1"), combined([flat] * 2, "epoch 1")
    assert "dem" not in view().aspects
    assert with_dem.width - without.width == pytest.approx(CELL_PX, abs=20)
    one_row = combined([view()], "epoch 1")
    assert without.height - one_row.height > CELL_PX


def test_where_nothing_is_valid_the_paper_shows() -> None:
    valid = np.ones((SIZE, SIZE), bool)
    valid[:, 40:] = False
    sample = view(valid=valid, scored=valid, predicted=boxes(), truth=boxes())
    for key in ("rgb", "gt_overlay", "pred_heatmap", "error_map"):
        corner = np.asarray(draw_cell(sample, key))[-5, -5]
        assert tuple(corner) == PAPER, key


def test_a_tree_does_not_take_the_colours_from_the_graves() -> None:
    heights = np.zeros((SIZE, SIZE), np.float32)
    heights[:20, :20] = 9.0
    heights[40:50, 40:50] = 0.4
    assert height_range(heights) == pytest.approx((0.0, 1.5))


def test_flat_and_unknown_ground_are_drawn() -> None:
    low, high = height_range(np.full((4, 4), 0.3, np.float32))
    assert high - low == pytest.approx(0.1)
    unknown = view(heights=np.full((SIZE, SIZE), np.nan, np.float32))
    assert tuple(np.asarray(draw_cell(unknown, "dem"))[5, 5]) == PAPER
