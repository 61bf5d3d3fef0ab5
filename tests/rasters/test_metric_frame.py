import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli.rasters.crs import LONLAT
from grave_cli.rasters.grid import GEOD
from grave_cli.rasters.metric_frame import MetricFrame, frame_around


@settings(deadline=None, max_examples=50)
@given(st.floats(-179, 179), st.floats(-75, 75), st.floats(0, 360), st.floats(1, 20_000))
def test_lengths_and_areas_are_those_on_the_ground(
    longitude: float, latitude: float, azimuth: float, away_m: float
) -> None:
    frame = MetricFrame(longitude, latitude)
    lon, lat, _ = GEOD.fwd(longitude, latitude, azimuth, away_m)
    # A square of 4 m from corner to corner: 8 square metres.
    ends = [GEOD.fwd(lon, lat, turn, 2.0)[:2] for turn in (0, 90, 180, 270)]
    grave = shapely.Polygon(ends)
    (flat,) = frame.bring(np.array([grave], dtype=object), LONLAT)
    assert flat.area == pytest.approx(8, rel=1e-6)
    sides = np.hypot(*np.diff(shapely.get_coordinates(flat), axis=0).T)
    assert sides == pytest.approx(np.full(4, 2 * np.sqrt(2)), rel=1e-5)


def test_the_frame_lies_around_most_of_the_graves() -> None:
    graves = [shapely.Point(9 + i / 1e5, 48).buffer(1e-5) for i in range(5)]
    stray = [shapely.Point(0, 0).buffer(1e-5), None, shapely.Point(np.inf, np.inf)]
    frame = frame_around(np.array([*graves, *stray], dtype=object), LONLAT)
    assert (frame.longitude, frame.latitude) == pytest.approx((9, 48), abs=1e-3)


def test_nothing_has_a_frame_too() -> None:
    nothing = np.array([], dtype=object)
    assert len(frame_around(nothing, LONLAT).bring(nothing, LONLAT)) == 0
