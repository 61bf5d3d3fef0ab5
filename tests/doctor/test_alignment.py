"""A shift between two pictures of one place is found, with a mask of any shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, signal

from grave_cli.doctor.alignment import edges, measure_shift


def strokes(seed: int, shape: tuple[int, int] = (96, 108)) -> np.ndarray:
    """Edges of random boxes."""
    random = np.random.default_rng(seed)
    picture = np.zeros(shape, np.float32)
    for row, column in random.integers(5, np.array(shape) - 25, (25, 2)):
        height, width = random.integers(6, 20, 2)
        picture[row : row + height, column : column + width] = random.uniform(1, 3)
    return edges(picture, np.ones(shape, bool), 1.0)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 99), east=st.integers(-12, 12), north=st.integers(-12, 12))
def test_a_shift_by_whole_pixels_is_found(seed: int, east: int, north: int) -> None:
    reference = strokes(seed)
    moved = ndimage.shift(reference, (-north, east), order=0)  # rows point south
    shift = measure_shift(reference, moved, np.ones(reference.shape, bool), 0.1, 1.5)
    assert (shift.east_m, shift.north_m) == pytest.approx((0.1 * east, 0.1 * north))
    assert shift.distance_m == pytest.approx(0.1 * np.hypot(east, north))


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 99))
def test_fits_are_those_of_a_full_correlation(seed: int) -> None:
    reference, other = strokes(seed), strokes(seed + 1)
    mask = np.ones(reference.shape, bool)
    mask[30:50, 40:60] = False
    shift = measure_shift(reference, other, mask, 0.1, 0.95)  # 9 pixels each way
    inside = ndimage.distance_transform_cdt(np.pad(mask, 1), "taxicab")[1:-1, 1:-1] > 4
    first, second = (np.where(inside, p - p[inside].mean(), 0) for p in (reference, other))
    full = signal.correlate(first, second, mode="full", method="fft")
    middle = np.array(second.shape) - 1
    tried = full[middle[0] - 9 : middle[0] + 10, middle[1] - 9 : middle[1] + 10]
    tried = tried / (np.linalg.norm(first) * np.linalg.norm(second))
    assert shift.fit == pytest.approx(tried.max(), abs=1e-4)
    assert shift.fit_now == pytest.approx(tried[9, 9], abs=1e-4)
    assert shift.prominence == pytest.approx((tried.max() - tried.mean()) / tried.std(), rel=1e-3)


def test_only_a_long_and_clear_shift_counts() -> None:
    reference = strokes(3)
    everywhere = np.ones(reference.shape, bool)
    moved = ndimage.shift(reference, (0, 6), order=0)
    clear = measure_shift(reference, moved, everywhere, 0.1, 1.5)
    assert clear.is_clear(0.5)
    assert not clear.is_clear(0.7)
    assert not measure_shift(reference, reference, everywhere, 0.1, 1.5).is_clear(0.0)
    stripes = np.tile(np.arange(108) // 6 % 2, (96, 1)).astype(np.float32)
    moved = np.roll(stripes, 6, axis=1)  # half a period: any odd multiple fits as well
    assert not measure_shift(stripes, moved, everywhere, 0.1, 3.0).is_clear(0.0)
    unrelated = np.random.default_rng(0).random(reference.shape, np.float32)
    assert not measure_shift(reference, unrelated, everywhere, 0.1, 1.5).is_clear(0.0)


def test_edges_are_gradients_up_to_a_ceiling() -> None:
    ramp = np.tile(np.arange(20, dtype=np.float32) * 0.5, (20, 1))  # half a unit per pixel
    everywhere = np.ones(ramp.shape, bool)
    assert edges(ramp, everywhere, 9.0)[10, 5:15] == pytest.approx(0.5, abs=1e-4)
    assert edges(ramp, everywhere, 0.2).max() == pytest.approx(0.2)


def test_a_sliver_of_known_ground_has_no_shift() -> None:
    picture = np.random.default_rng(0).random((30, 30)).astype(np.float32)
    sliver = np.zeros((30, 30), np.bool_)
    sliver[10:14] = True
    assert not measure_shift(picture, picture, sliver, 0.1, 1.0).is_clear(0.0)
