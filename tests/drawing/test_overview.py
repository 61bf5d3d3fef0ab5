"""Pictures show outlines where the graves are, and their inputs stay unchanged."""

import numpy as np
import pytest
import shapely
from affine import Affine

from grave_cli.drawing.colormaps import BLUE, GREEN, ORANGE, RED, YELLOW
from grave_cli.drawing.colormaps import GREY as NEUTRAL
from grave_cli.drawing.outlines import Layer, verdict_layers
from grave_cli.drawing.overview import (
    MAX_SHEET_PX,
    CemeteryView,
    _uncovered,
    cemetery_sheet,
    overview,
)
from grave_cli.evaluation.judgement import judge

# A 40 x 30 picture of 0.5 m pixels whose upper left corner lies at (1000, 2000).
TO_CRS = Affine(0.5, 0, 1000, 0, -0.5, 2000)
GREY = np.full((3, 30, 40), 90, np.uint8)
EVERYWHERE = np.ones((30, 40), bool)


def polygons(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    return np.array([shapely.box(*box) for box in boxes], dtype=object)


def pixels(layers: list[Layer], rgb: np.ndarray = GREY, valid: np.ndarray = EVERYWHERE):
    return np.asarray(overview(rgb, valid, TO_CRS, layers, "title"))


def colored(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return (picture[:30, :40] == color).all(axis=2)


def test_an_outline_is_painted_on_the_polygons_edge_and_nowhere_else() -> None:
    # columns 10 to 20, rows 4 to 12
    box = (1005.0, 1994.0, 1010.0, 1998.0)
    painted = colored(pixels([Layer(polygons(box), GREEN, "graves")]), GREEN)
    expected = np.zeros((30, 40), bool)
    expected[4:13, 10:21] = True
    expected[5:12, 11:20] = False
    assert (painted == expected).all()


def test_later_layers_lie_on_top() -> None:
    box = polygons((1005.0, 1994.0, 1010.0, 1998.0))
    picture = pixels([Layer(box, GREEN, "found"), Layer(box, RED, "false")])
    assert not colored(picture, GREEN).any()
    assert colored(picture, RED).any()


def test_where_the_orthophoto_shows_nothing_the_paper_shows() -> None:
    valid = EVERYWHERE.copy()
    valid[:, 20:] = False
    picture = pixels([], valid=valid)[:30, :40]
    assert (picture[:, :20] == 90).all()
    assert (picture[:, 20:] > 240).all()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_legend_has_a_line_for_the_title_and_one_for_each_layer(count: int) -> None:
    layers = [Layer(polygons(), color, "c") for color in (GREEN, RED, BLUE)[:count]]
    one_line = pixels([]).shape[0] - 30 - 10
    picture = pixels(layers)
    assert picture.shape[0] == 30 + 10 + one_line * (1 + count)
    legend = picture[30:]
    for layer in layers:
        assert (legend == layer.color).all(axis=2).any()


def test_a_long_caption_widens_the_picture_instead_of_being_cut() -> None:
    long = pixels([Layer(polygons(), YELLOW, "graves that nobody has found yet " * 3)])
    assert long.shape[1] > 3 * 40
    assert (long[:, -10:] > 240).all()


def test_the_inputs_of_a_picture_stay_unchanged() -> None:
    rgb, valid = GREY.copy(), EVERYWHERE.copy()
    rgb.flags.writeable = valid.flags.writeable = False
    boxes = polygons((1005.0, 1994.0, 1010.0, 1998.0))
    before = shapely.to_wkb(boxes).tolist()
    pixels([Layer(boxes, GREEN, "graves")], rgb, valid)
    assert (rgb == 90).all()
    assert valid.all()
    assert shapely.to_wkb(boxes).tolist() == before


def test_the_same_picture_is_drawn_each_time() -> None:
    layers = [Layer(polygons((1001.0, 1990.0, 1004.0, 1999.0)), RED, "Gräber")]
    assert (pixels(layers) == pixels(layers)).all()


def layers_of(predicted: np.ndarray, truth: np.ndarray) -> list[Layer]:
    return verdict_layers(predicted, truth, judge(truth, predicted).verdicts)


def view(shape: tuple[int, int] = (120, 160), **changes: object) -> CemeteryView:
    """Two true graves, one of them found, and one false prediction."""
    truth = polygons((1010, 1980, 1020, 1990), (1030, 1980, 1040, 1990))
    predicted = polygons((1010, 1980, 1020, 1991), (1050, 1950, 1060, 1960))
    values = {
        "title": "Nürnberg",
        "rgb": np.full((3, *shape), 90, np.uint8),
        "valid": np.ones(shape, bool),
        "probability": np.zeros((30, 40), np.float32),
        "transform": TO_CRS,
        "truth": truth,
        "verdicts": layers_of(predicted, truth),
        "predicted": predicted,
        "others": polygons(),
    }
    return CemeteryView(**{**values, **changes})


def has(picture: np.ndarray, color: tuple[int, int, int]) -> bool:
    return bool((picture == color).all(axis=2).any())


@pytest.mark.parametrize("shape", [(120, 160), (1200, 1200), (200, 3000), (3000, 150), (3, 4)])
def test_a_sheet_is_never_larger_than_2000_px(shape: tuple[int, int]) -> None:
    sheet = cemetery_sheet(view(shape))
    assert max(sheet.size) <= MAX_SHEET_PX
    assert max(sheet.size) >= 400


def test_a_sheet_shows_found_false_missed_and_known_graves() -> None:
    sheet = np.asarray(cemetery_sheet(view()))
    legend_rows = 60
    for color in (GREEN, RED, BLUE, YELLOW):
        assert has(sheet[:-legend_rows], color), color
    assert not has(sheet, NEUTRAL)
    others = polygons((1002.0, 1995.0, 1008.0, 1999.0))
    assert has(np.asarray(cemetery_sheet(view(others=others)))[:-legend_rows], NEUTRAL)


def test_a_sheet_without_any_grave_is_drawn() -> None:
    nothing = layers_of(polygons(), polygons())
    empty = view(truth=polygons(), verdicts=nothing, predicted=polygons())
    sheet = np.asarray(cemetery_sheet(empty))
    assert not has(sheet[:-60], RED)


def test_a_missed_grave_that_a_wrong_one_covers_is_left_red() -> None:
    truth, wrong = polygons((1010, 1980, 1020, 1990)), polygons((1010, 1960, 1030, 1990))
    layers = layers_of(wrong, truth)
    numbers = {layer.caption.partition(":")[0]: len(layer.polygons) for layer in layers}
    assert numbers == {"missed": 1, "found": 0, "wrong": 1, "merged": 0, "split": 0}
    assert len(_uncovered(layers[0], layers)) == 0


def test_a_match_that_covers_a_second_grave_is_filled_orange_only() -> None:
    truth = polygons((1010, 1980, 1020, 1990), (1020, 1980, 1023, 1990))
    layers = layers_of(polygons((1010, 1980, 1023, 1990)), truth)
    found, merged = (next(x for x in layers if x.color == color) for color in (GREEN, ORANGE))
    assert found.caption == "found: 1 of 2 graves, 1 of them also merged or split"
    assert merged.caption == "merged: 1 polygon over 2 graves"
    assert len(_uncovered(found, layers)) == 0
    assert len(_uncovered(merged, layers)) == 1


def test_only_neighbours_are_cut_out_of_a_grave(monkeypatch: pytest.MonkeyPatch) -> None:
    """A union of all graves, cut out of each, would take hours for a large cemetery."""
    left = np.arange(0, 900, 3.0)
    found, wrong = shapely.box(left, 0, left + 1, 2), shapely.box(left + 0.5, 0, left + 1.5, 2)
    layers = [Layer(found, GREEN, "found"), Layer(wrong, RED, "wrong")]
    sizes: list[int] = []
    union_all = shapely.union_all
    monkeypatch.setattr(
        shapely, "union_all", lambda parts: sizes.append(len(parts)) or union_all(parts)
    )
    rest = _uncovered(layers[0], layers)
    assert np.allclose(shapely.area(rest), 1)
    assert len(rest) == 300
    assert max(sizes) == 1
