"""Masks of COCO: runs of pixels, plain or packed, become outlines along the pixels."""

import numpy as np
import pytest
import shapely

from grave_cli.exchange.runs import MaskRuns, trace_runs

# As pycocotools 2.0 packs them: a square of 20 x 15 pixels with a hole of 5 x 4, and one in the
# corner; and an ellipse.
SQUARES = "e<?i000000000D[O5e0K[O5e0K[O5e0K[O5e0K[O5e07000000000000000000Y=JmB00000000000000000RO"
ELLIPSE = (
    "_T<W1m7`0A>D:G8H8H8I6J6K4K6K4K6K4L4L4L4M2M4M2M4M2M4M2N2N2N2N2N2N2N2N2N2O0O2O0O2N2O000O2O0O2O00"
    "00000000000000000000000001N101N10001N2N101N101N2N2N2N2N2N2N2N2N2N3L3N3L3N3L3N3L4L4L4L5J5L5J5L5J6"
    "J7H8H8H9F<B?@e^a0"
)


def drawn(polygons: list[shapely.Polygon], rows: int, columns: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    return np.asarray(shapely.contains_xy(shapely.union_all(polygons), x, y))


def test_a_packed_mask_is_traced_with_its_hole() -> None:
    polygons = trace_runs(MaskRuns(size=(40, 50), counts=SQUARES))
    expected = np.zeros((40, 50), bool)
    expected[5:20, 10:30] = True
    expected[8:12, 15:20] = False
    expected[30:39, 40:50] = True
    assert [len(one.interiors) for one in polygons] == [1, 0]
    assert (drawn(polygons, 40, 50) == expected).all()


def test_a_packed_ellipse() -> None:
    (polygon,) = trace_runs(MaskRuns(size=(300, 200), counts=ELLIPSE))
    y, x = np.mgrid[:300, :200]
    assert (drawn([polygon], 300, 200) == ((y - 150) ** 2 / 4 + (x - 90) ** 2 < 50**2)).all()


def test_plain_runs_go_down_the_columns() -> None:
    """The example in the module: corners do not connect, so that there are two outlines."""
    polygons = trace_runs(MaskRuns(size=(3, 3), counts=[2, 3, 4]))
    assert drawn(polygons, 3, 3).astype(int).tolist() == [[0, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_an_empty_mask_has_no_outline() -> None:
    assert trace_runs(MaskRuns(size=(3, 3), counts=[9])) == []


@pytest.mark.parametrize(
    "counts", [[2, 3], [2, 3, 5], "e<?i", "é", "~~~~", "oooooooooooo0", "n", SQUARES[:-1]]
)
def test_runs_that_do_not_fit_are_refused(counts: object) -> None:
    with pytest.raises(ValueError, match="runs of a mask"):
        trace_runs(MaskRuns(size=(40, 50), counts=counts))  # type: ignore[arg-type]
