"""The shift between two surveys is found among rows that repeat, or it is said that it is not."""

import numpy as np
import pytest
import shapely
from shapely import affinity
from survey_scene import SHIFT_M, TURN_DEG, plant

from grave_cli.resurvey.shift import Shift, estimate_shift
from grave_cli.sample_data.known_rows import sample_rows
from grave_cli.settings.compare import CompareSettings


def estimate(old: list, new: list, **values: object) -> Shift:
    before, after = (np.array(graves, dtype=object) for graves in (old, new))
    return estimate_shift(before, after, CompareSettings.model_validate(values))


def redrawn(graves: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move each grave by 3 cm and each of its corners by 2 cm."""
    points = [shapely.get_coordinates(grave)[:-1] for grave in graves]
    drawn = [p + rng.normal(0, 0.03, 2) + rng.normal(0, 0.02, p.shape) for p in points]
    return np.array([shapely.Polygon(p) for p in drawn], dtype=object)


@pytest.mark.parametrize("preset", [None, "france-italy", "netherlands-scandinavia"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_shift_of_metres_is_found_although_graves_come_and_go(
    preset: str | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    graves = sample_rows(seed, 30.0, preset).polygons
    east, north, turn = rng.uniform(-3, 3), rng.uniform(-3, 3), rng.uniform(-0.8, 0.8)
    moved = [affinity.rotate(grave, turn, origin=(20, -20)) for grave in graves]
    moved = redrawn(np.array([affinity.translate(g, east, north) for g in moved]), rng)
    here, there = (rng.random(len(graves)) > 0.08 for _ in range(2))
    shift = estimate(list(graves[here]), list(moved[there]))
    assert shift.is_estimated
    assert shift.turn_deg == pytest.approx(turn, abs=0.1)
    off = shapely.distance(shapely.centroid(shift.outlines(graves)), shapely.centroid(moved))
    assert np.median(off) < 0.06
    assert shift.residual_m < 0.08


def test_graves_that_changed_do_not_disturb_the_estimate() -> None:
    planted = plant()
    shift = estimate(planted.old, planted.new)
    assert shift.turn_deg == pytest.approx(TURN_DEG, abs=0.02)
    (moved,) = shift.points(np.zeros((1, 2)))
    assert moved == pytest.approx(SHIFT_M, abs=0.02)


def row(count: int, west: float = 0.0) -> list[shapely.Polygon]:
    return [shapely.box(west + 1.3 * i, 0, west + 1.3 * i + 1, 2) for i in range(count)]


def test_of_few_graves_or_graves_that_do_not_fit_no_shift_is_estimated() -> None:
    few = estimate(row(3), row(3, 0.5))
    assert not few.is_estimated
    assert few.reason == "a survey has only 3 graves"
    far = estimate(row(20), row(20, 60.0))
    assert not far.is_estimated
    assert far.reason == "only 0 of 20 graves fit"
    assert (far.east_m, far.north_m, far.turn_deg) == (0, 0, 0)
    assert not estimate(row(20), row(20, 0.5), max_shift_m=0).is_estimated
    beyond = estimate(row(20), row(20, 0.6), max_shift_m=0.1)
    assert beyond.reason == "the surveys lie farther apart than the limits allow"
    assert beyond.is_unlikely
    assert beyond.east_m == 0
    assert estimate([], row(3)).pairs == 0


def test_a_shift_by_one_grave_that_fits_as_well_is_reported() -> None:
    shift = estimate(row(30), row(30, 0.2))
    assert shift.east_m == pytest.approx(0.2, abs=1e-6)
    assert shift.rival_m is not None
    assert abs(shift.rival_m[0] - 0.2) == pytest.approx(1.3, abs=1e-6)
    assert estimate(plant().old, plant().new).rival_m is None


def test_no_rotation_is_read_from_a_few_graves() -> None:
    graves = row(6)
    turned = [affinity.rotate(grave, 1.5, origin=(3, 1)) for grave in graves]
    assert estimate(graves, turned).turn_deg == 0


@pytest.mark.parametrize("far_m", [1e5, 5e6])
def test_a_stray_outline_does_not_disturb_the_estimate(far_m: float) -> None:
    """Such as one at 0, 0; the shift is that at the cemetery, not half-way to the stray."""
    planted = plant()
    still = estimate(planted.old[:-1], planted.new)
    shift = estimate(
        [*planted.old[:-1], affinity.translate(planted.old[-1], far_m, far_m)], planted.new
    )
    assert (shift.east_m, shift.north_m) == pytest.approx((still.east_m, still.north_m), abs=0.02)
    assert shift.turn_deg == pytest.approx(still.turn_deg, abs=0.01)
    assert shift.pairs == still.pairs
