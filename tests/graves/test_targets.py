"""Three channels say where graves are, where they end and where they meet."""

import numpy as np
import pytest
from grave_rows import GSD_M, row_of_graves
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from grave_cli.graves.targets import BODY, BORDER, CHANNEL_NAMES, CONTACT, encode, extreme

BORDER_M, CONTACT_M = 0.10, 0.20
angles = st.floats(0, 180)


def targets(labels: np.ndarray, gsd_m: float = GSD_M) -> np.ndarray:
    return encode(labels, gsd_m, BORDER_M, CONTACT_M)


def two_graves(gap_px: int) -> np.ndarray:
    """Two graves of 20 x 20 px whose edges are gap_px apart."""
    labels = np.zeros((30, 60), np.int32)
    labels[5:25, 5:25] = 1
    labels[5:25, 25 + gap_px : 45 + gap_px] = 2
    return labels


def test_channels_are_body_border_and_contact() -> None:
    channels = targets(two_graves(0))
    assert channels.shape == (3, 30, 60)
    assert channels.dtype == np.uint8
    assert (BODY, BORDER, CONTACT) == (0, 1, 2)  # bundles and stored arrays rely on this order
    assert CHANNEL_NAMES == ("body", "border", "contact")
    assert channels[:, 15, [2, 5, 15, 24]].T.tolist() == [
        [0, 0, 0],  # beside the first grave
        [1, 1, 0],  # on its left edge
        [1, 0, 0],  # in its middle
        [1, 1, 1],  # on the edge that it shares
    ]


def test_the_reach_of_two_pixels_is_the_disc_in_the_docstring() -> None:
    ids = np.zeros((7, 7), np.int32)
    ids[3, 3] = 5
    disc = [".......", "..###..", ".#####.", ".#####.", ".#####.", "..###..", "......."]
    expected = [[5 * (sign == "#") for sign in row] for row in disc]
    assert extreme(ids, 2, np.maximum).tolist() == expected


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), reach=st.integers(1, 6))
def test_an_extreme_is_that_of_a_disc(seed: int, reach: int) -> None:
    ids = np.random.default_rng(seed).integers(0, 9, (23, 31), np.int32)
    rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = rows**2 + columns**2 <= (reach + 0.3) ** 2
    for pick, filtered in (
        (np.minimum, ndimage.minimum_filter),
        (np.maximum, ndimage.maximum_filter),
    ):
        expected = filtered(ids, footprint=disc, mode="nearest")
        np.testing.assert_array_equal(extreme(ids, reach, pick), expected)


def test_a_yard_without_graves_has_empty_targets() -> None:
    assert not targets(np.zeros((20, 30), np.int32)).any()


@settings(deadline=None, max_examples=30)
@given(angle=angles, gap=st.sampled_from([0.0, 0.03, 0.08, 0.5]))
def test_the_body_is_the_graves_and_the_border_lies_within(angle: float, gap: float) -> None:
    _, labels = row_of_graves(4, 2.0, 0.9, gap, angle)
    body, border, _ = targets(labels)
    assert (body == (labels > 0)).all()
    assert not (border > body).any()
    for grave in range(1, labels.max() + 1):
        inside = labels == grave
        edge = inside & ~ndimage.binary_erosion(inside)
        assert border[edge].all()
        assert not border[inside].all()


@settings(deadline=None, max_examples=30)
@given(angle=angles)
def test_the_border_is_equally_wide_at_every_angle(angle: float) -> None:
    _, labels = row_of_graves(1, 2.4, 1.2, 0.0, angle)
    border = targets(labels)[BORDER].astype(bool)
    depth = ndimage.distance_transform_edt(labels > 0)
    assert depth[border].max() <= 2.5  # 0.10 m are 2 px
    assert depth[(labels > 0) & ~border].min() > 1.9


@pytest.mark.parametrize(("gsd_m", "width_px"), [(0.05, 2), (0.02, 5), (0.2, 2)])
def test_the_border_is_as_wide_as_set_but_never_below_two_pixels(
    gsd_m: float, width_px: int
) -> None:
    border = targets(two_graves(10), gsd_m)[BORDER]
    assert border[15, 5:25].tolist() == [1] * width_px + [0] * (20 - 2 * width_px) + [1] * width_px


def test_a_grave_cut_by_the_edge_of_the_chip_has_no_border_there() -> None:
    labels = np.zeros((30, 30), np.int32)
    labels[5:25, :20] = 1
    assert not targets(labels)[BORDER][15, :10].any()


@settings(deadline=None, max_examples=30)
@given(angle=angles, length=st.floats(1.2, 2.4), width=st.floats(0.6, 1.4))
def test_a_contact_band_reaches_into_both_graves_that_share_an_edge(
    angle: float, length: float, width: float
) -> None:
    _, labels = row_of_graves(2, length, width, 0.0, angle)
    contact = targets(labels)[CONTACT].astype(bool)
    for grave, other in ((1, 2), (2, 1)):
        # Distance to the other grave: 1 for the pixels next to it.
        distance = ndimage.distance_transform_edt(labels != other)
        near = (labels == grave) & (distance <= 2)
        assert near.any()
        assert contact[near].all()
        assert not contact[(labels == grave) & (distance > 3)].any()


def test_contact_along_a_straight_edge_is_two_pixels_deep_on_both_sides() -> None:
    contact = targets(two_graves(0))[CONTACT]
    assert np.flatnonzero(contact[15]).tolist() == [23, 24, 25, 26]


def test_contact_fills_a_narrow_gap_and_still_touches_both() -> None:
    contact = targets(two_graves(1))[CONTACT]
    assert np.flatnonzero(contact[15]).tolist() == [24, 25, 26]


def test_graves_farther_apart_than_the_contact_width_have_none() -> None:
    assert targets(two_graves(3))[CONTACT].any()
    assert not targets(two_graves(4))[CONTACT].any()


@settings(deadline=None, max_examples=30)
@given(angle=angles)
def test_far_graves_have_no_contact_at_any_angle(angle: float) -> None:
    _, labels = row_of_graves(3, 1.5, 0.8, 0.4, angle)
    assert not targets(labels)[CONTACT].any()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_targets_do_not_depend_on_how_graves_are_numbered(seed: int) -> None:
    _, labels = row_of_graves(6, 1.2, 0.6, 0.03, 20.0)
    renumbered = np.concatenate([[0], np.random.default_rng(seed).permutation(500)[:6] + 1])
    assert (targets(renumbered[labels].astype(np.int32)) == targets(labels)).all()
