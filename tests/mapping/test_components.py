"""Parts of the body across cells, as in the sketch of `components._Seams`."""

import numpy as np
import pytest
from affine import Affine

from grave_cli.mapping.components import find_components
from grave_cli.mapping.probability_map import ProbabilityMap
from grave_cli.rasters.grid import WorkingGrid

# Cells of 3 px: the seams lie below the third row and right of the third column.
BODY = np.array(
    [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [1, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
    ],
    np.uint8,
)


@pytest.fixture
def probabilities() -> ProbabilityMap:
    grid = WorkingGrid("EPSG:25832", Affine(0.1, 0, 0, 0, -0.1, 0), 6, 6, 0.1)
    levels = np.stack([BODY * 255] * 3)
    return ProbabilityMap.of(levels, np.ones((6, 6), np.bool_), grid)


def test_parts_that_touch_across_seams_are_one(probabilities: ProbabilityMap) -> None:
    found = find_components(probabilities, 0.5, cell_px=3, max_px=100)
    assert found.whole.bounds.tolist() == [[2, 0, 4, 5], [5, 2, 6, 3]]
    assert found.whole.anchors.tolist() == [[2, 1], [5, 2]]
    assert found.whole.sizes.tolist() == [5, 1]
    assert len(found.pieces) == 0


def test_a_part_that_is_too_large_stays_in_its_pieces(probabilities: ProbabilityMap) -> None:
    found = find_components(probabilities, 0.5, cell_px=3, max_px=9)
    assert found.whole.bounds.tolist() == [[5, 2, 6, 3]]
    assert sorted(found.pieces.sizes.tolist()) == [1, 1, 1, 2]
