import numpy as np
import pytest
import shapely

from grave_cli.sample_data.known_rows import sample_rows


@pytest.mark.parametrize("preset", [None, "central-europe"])
def test_every_grave_has_a_row_and_every_row_one_section(preset: str | None) -> None:
    known = sample_rows(3, 40.0, preset)
    assert len(known.polygons) == len(known.rows) == len(known.sections) > 20
    assert shapely.is_valid(known.polygons).all()
    assert (known.sections >= 0).all()
    pairs = np.unique(np.stack([known.rows, known.sections]), axis=1)
    assert len(pairs[0]) == len(np.unique(known.rows)) > 5
    again = sample_rows(3, 40.0, preset)
    assert shapely.equals(known.polygons, again.polygons).all()


def test_ground_without_graves_has_no_rows() -> None:
    known = sample_rows(0, 20.0, "negatives")
    assert len(known.polygons) == len(known.rows) == 0
