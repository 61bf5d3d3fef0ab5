"""Records find their graves by place, and a place that contradicts is said."""

import numpy as np
import pytest
import shapely

from grave_cli.joining.match import Claims, Graves, claim_by_place


@pytest.mark.parametrize(
    ("own", "x", "reason"),
    [
        (0, 1.5, ""),  # in both graves
        (1, 1.5, ""),
        (1, 2.5, ""),
        (1, 0.5, "its coordinates lie in A"),
    ],
)
def test_a_place_in_two_graves_contradicts_neither(own: int, x: float, reason: str) -> None:
    outlines = np.array([shapely.box(0, 0, 2, 2), shapely.box(1, 0, 3, 2)], dtype=object)
    graves = Graves(outlines, [{"grave_id": "A"}, {"grave_id": "B"}], ["", ""])
    claims = Claims([[own]], ["number"], [""])
    claim_by_place(claims, graves, np.array([[x, 1.0]]), 0.5)
    assert claims.reasons == [reason]
