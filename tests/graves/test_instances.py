"""Decoding undoes encoding: the same number of graves comes out, each in its place."""

import numpy as np
import pytest
import shapely
from grave_rows import GSD_M, blurred, row_of_graves
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import regionprops
from skimage.segmentation import relabel_sequential, watershed

from grave_cli.evaluation.score import score_labels
from grave_cli.graves.instances import (
    centroids,
    decode,
    drop_small,
    owned_labels,
    quantile_by_label,
    seed_certainty,
)
from grave_cli.graves.targets import encode
from grave_cli.settings.mapping import DecodingSettings

angles = st.floats(0, 180)
rasters = st.lists(st.integers(0, 6), min_size=12, max_size=12).map(
    lambda values: np.array(values, np.int32).reshape(3, 4)
)


def there_and_back(labels: np.ndarray, sigma_px: float = 0.8) -> np.ndarray:
    channels = encode(labels, GSD_M, 0.10, 0.20)
    return decode(blurred(channels, sigma_px), GSD_M, DecodingSettings())


@pytest.mark.parametrize("gap_m", [0.0, 0.03, 0.08])
@settings(deadline=None, max_examples=25)
@given(
    angle=angles, length=st.floats(1.2, 2.4), width=st.floats(0.6, 1.2), sigma=st.floats(0.01, 1)
)
def test_rows_of_eight_come_apart_again_and_in_shape(
    gap_m: float, angle: float, length: float, width: float, sigma: float
) -> None:
    _, labels = row_of_graves(8, length, width, gap_m, angle)
    decoded = there_and_back(labels, sigma)
    assert decoded.max() == 8
    assert score_labels(labels, decoded, min_iou=0.9).matches == 8


@settings(deadline=None, max_examples=40)
@given(angle=angles, sigma=st.floats(0.01, 1.4))
def test_a_small_urn_grave_survives(angle: float, sigma: float) -> None:
    _, labels = row_of_graves(1, 0.4, 0.4, 0.0, angle)
    assert there_and_back(labels, sigma).max() == 1


@settings(deadline=None, max_examples=40)
@given(angle=angles, gap=st.sampled_from([0.0, 0.03, 0.08]))
def test_small_urn_graves_in_a_row_come_apart(angle: float, gap: float) -> None:
    _, labels = row_of_graves(5, 0.4, 0.4, gap, angle)
    decoded = there_and_back(labels)
    assert decoded.max() == 5
    assert score_labels(labels, decoded, min_iou=0.7).matches == 5


@settings(deadline=None, max_examples=30)
@given(angle=angles)
def test_double_graves_stay_one(angle: float) -> None:
    _, labels = row_of_graves(3, 2.4, 2.2, 0.0, angle)
    assert score_labels(labels, there_and_back(labels), min_iou=0.9).matches == 3


def test_without_the_contact_channel_touching_graves_would_be_one() -> None:
    _, labels = row_of_graves(4, 2.0, 0.9, 0.0)
    probabilities = blurred(encode(labels, GSD_M, 0.10, 0.20))
    probabilities[1:] = 0
    assert decode(probabilities, GSD_M, DecodingSettings()).max() == 1


def test_a_body_without_a_seed_is_a_grave() -> None:
    probabilities = np.zeros((3, 40, 40), np.float32)
    probabilities[0, 10:30, 10:30] = 0.52  # above the body threshold, below that of seeds
    decoded = decode(probabilities, GSD_M, DecodingSettings(min_peak_body=0))
    assert ((decoded == 1) == (probabilities[0] > 0)).all()


def test_a_grave_without_a_sure_pixel_is_left_out() -> None:
    probabilities = np.zeros((3, 40, 40), np.float32)
    probabilities[0, 10:30, 10:30] = 0.7
    assert decode(probabilities, GSD_M, DecodingSettings(min_peak_body=0.8)).max() == 0
    probabilities[0, 15:22, 15:22] = 0.85  # 49 of 400 pixels
    assert decode(probabilities, GSD_M, DecodingSettings(min_peak_body=0.8)).max() == 1


def test_a_less_sure_grave_beside_a_sure_one_keeps_its_own_seed() -> None:
    _, labels = row_of_graves(2, 2.0, 1.0, 0.0)
    channels = blurred(encode(labels, GSD_M, 0.10, 0.20))
    channels[0][labels == 2] *= 0.72
    assert decode(channels, GSD_M, DecodingSettings(min_peak_body=0)).max() == 2


def test_quantiles_by_label_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, (20, 30)).astype(np.int32)
    labels[labels == 3] = 0
    values = rng.random((20, 30)).astype(np.float32)
    expected = [
        np.quantile(values[labels == i], 0.9, method="lower") if (labels == i).any() else np.nan
        for i in range(1, 5)
    ]
    assert quantile_by_label(values, labels, 0.9) == pytest.approx(expected, nan_ok=True)


def test_nothing_in_gives_nothing_out() -> None:
    decoded = decode(np.zeros((3, 20, 30), np.float32), GSD_M, DecodingSettings())
    assert decoded.shape == (20, 30)
    assert decoded.dtype == np.int32
    assert not decoded.any()


def test_specks_are_no_graves() -> None:
    probabilities = np.zeros((3, 40, 40), np.float32)
    probabilities[0, 5:10, 5:10] = 1  # 0.06 m2
    probabilities[0, 20:30, 20:30] = 1  # 0.25 m2
    decoded = decode(probabilities, GSD_M, DecodingSettings(min_area_m2=0.1))
    assert decoded.max() == 1
    assert not decoded[5:10, 5:10].any()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_labels_lie_in_the_body_and_are_numbered_without_gaps(seed: int) -> None:
    noise = np.random.default_rng(seed).random((3, 48, 48), np.float32)
    probabilities = blurred(noise * 2 - 0.5, 3).clip(0, 1)
    options = DecodingSettings(min_area_m2=0.02)
    decoded = decode(probabilities, GSD_M, options)
    assert (probabilities[0][decoded > 0] >= options.body_threshold).all()
    sizes = np.bincount(decoded.ravel())[1:]
    assert (sizes * GSD_M**2 >= options.min_area_m2 - 1e-9).all()


@settings(deadline=None)
@given(labels=rasters, least=st.floats(0, 5))
def test_dropping_small_labels_keeps_the_others_whole(labels: np.ndarray, least: float) -> None:
    kept = drop_small(labels, least)
    sizes = np.bincount(labels.ravel(), minlength=7)
    large = [label for label in range(1, 7) if sizes[label] >= max(least, 1)]
    expected = np.zeros_like(labels)
    for number, label in enumerate(large, start=1):
        expected[labels == label] = number
    assert (kept == expected).all()


@settings(deadline=None)
@given(labels=rasters)
def test_centroids_are_those_of_each_labels_pixels(labels: np.ndarray) -> None:
    places = centroids(labels)
    assert len(places) == labels.max()
    for label in range(1, labels.max() + 1):
        if (labels == label).any():
            assert places[label - 1] == pytest.approx(np.argwhere(labels == label).mean(axis=0))
        else:
            assert np.isnan(places[label - 1]).all()


def test_centroids_decide_which_graves_an_area_owns() -> None:
    labels = np.zeros((6, 10), np.int32)
    labels[1:3, 0:4], labels[1:3, 4:9], labels[4:6, 6:8] = 1, 2, 4
    left = np.zeros(labels.shape, np.bool_)
    left[:, :6] = True
    # Centroids lie in the columns 1.5, 6 and 6.5; there is no grave 3.
    assert owned_labels(labels, left)[[0, 1, 2, 4]].tolist() == [False, True, False, False]
    assert owned_labels(labels, ~left)[[0, 1, 2, 4]].tolist() == [False, False, True, True]


def test_a_grave_is_owned_like_its_outline() -> None:
    labels = np.zeros((3, 8), np.int32)
    labels[0, 3:5] = labels[1:, 2] = labels[2, 7] = 1  # centroid at column 3.6, in pixel 4
    area = np.zeros(labels.shape, np.bool_)
    area[:, 4:] = True
    outline = shapely.union_all([shapely.box(c, r, c + 1, r + 1) for r, c in np.argwhere(labels)])
    assert outline.centroid.x > 4
    assert owned_labels(labels, area).tolist() == [False, True]


def test_certainty_is_worked_out_on_paper() -> None:
    probabilities = np.array([[0.9, 1.0, 0.5], [0.2, 0.0, 1.0], [0.1, 0.0, 0.0]], np.float32)
    assert seed_certainty(probabilities) == pytest.approx([0.9 * 0.9 * 0.9, 1.0, 0.25])


def test_a_less_sure_part_gets_its_own_seed_and_lower_levels_join_nothing() -> None:
    probabilities = np.zeros((3, 1, 6), np.float32)
    probabilities[0, 0] = [0.9, 0.9, 0.6, 0.7, 0.7, 0.2]
    options = DecodingSettings(
        body_threshold=0.1, min_seed_area_m2=0, min_area_m2=0, min_peak_body=0
    )
    decoded = decode(probabilities, GSD_M, options)[0].tolist()
    assert decoded[:2] + decoded[3:] == [1, 1, 2, 2, 2]
    assert decoded[2] in (1, 2)
    sure_only = options.model_copy(update={"seed_floor": 0.85})
    assert decode(probabilities, GSD_M, sure_only).max() == 1


@pytest.mark.parametrize("threshold", [0.85, 0.6, 0.5, 0.3])
def test_a_threshold_below_the_floor_still_separates(threshold: float) -> None:
    probabilities = np.zeros((3, 20, 40), np.float32)
    probabilities[0], probabilities[2, :, 18:22] = 1.0, 0.9
    options = DecodingSettings(seed_threshold=threshold, seed_floor=0.7)
    assert decode(probabilities, GSD_M, options).max() == 2


def seeds_at_once(
    certainty: np.ndarray, inside: np.ndarray, options: DecodingSettings
) -> np.ndarray:
    assert (options.seed_threshold, options.seed_floor) == (0.85, 0.55)
    seeds = np.zeros(inside.shape, np.int32)
    for level in (0.85, 0.75, 0.65, 0.55, -1.0):
        parts, count = ndimage.label((certainty >= level) & inside)
        least = max(1, options.min_seed_area_m2 / GSD_M**2 if level >= 0 else 0)
        taken = set(parts[seeds > 0])
        for part in range(1, count + 1):
            if part not in taken and (parts == part).sum() >= least:
                seeds[parts == part] = seeds.max() + 1
    return seeds


def flooded_at_once(probabilities: np.ndarray, options: DecodingSettings) -> np.ndarray:
    """Decode with one watershed over the whole raster: the referee of the decoder."""
    inside = probabilities[0] >= options.body_threshold
    body, border, contact = probabilities
    certainty = body * (1 - contact) * (1 - border / 2)
    labels = watershed(-certainty, seeds_at_once(certainty, inside, options), mask=inside)
    for region in regionprops(labels, intensity_image=body):
        values = region.image_intensity[region.image]
        if (
            region.area * GSD_M**2 < options.min_area_m2
            or np.quantile(values, 0.9, method="lower") < options.min_peak_body
        ):
            labels[labels == region.label] = 0
    return relabel_sequential(labels)[0]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), sigma=st.floats(1.5, 4))
def test_parts_decoded_by_themselves_are_those_of_one_flood(seed: int, sigma: float) -> None:
    noise = np.random.default_rng(seed).random((3, 90, 110), np.float32)
    smooth = blurred(noise, sigma)
    probabilities = ((smooth - smooth.mean()) / smooth.std() * 0.4 + 0.5).clip(0, 1)
    probabilities += noise * np.float32(1e-4)  # a watershed settles ties by the rest of its queue
    options = DecodingSettings(min_area_m2=0.02, min_peak_body=0.6)
    decoded = decode(probabilities, GSD_M, options)
    assert decoded.max() > 1
    assert (decoded == flooded_at_once(probabilities, options)).all()


def test_ties_move_single_pixels_between_neighbours_at_most() -> None:
    _, labels = row_of_graves(10, 2.0, 0.9, 0.03, 20)
    probabilities = np.rint(blurred(encode(labels, GSD_M, 0.10, 0.20)) * 255) / np.float32(255)
    options = DecodingSettings()
    decoded = decode(probabilities, GSD_M, options)
    expected = flooded_at_once(probabilities, options)
    assert decoded.max() == expected.max() == 10
    assert (decoded != expected).sum() < 0.002 * (expected > 0).sum()
