"""Generated graves on a photograph of real ground."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from grave_cli.errors import DatasetError
from grave_cli.sample_data.scenes.composite import composite
from grave_cli.sample_data.scenes.open_ground import find_open_ground, guess_heights
from grave_cli.sample_data.scenes.scene import label_graves
from grave_cli.sample_data.variety.settings import Sun

GSD_M = 0.05
SUN = Sun(220.0, 45.0, 1.0, (0.3, 0.32, 0.45), 0.02)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A lawn of 15 m with rough, dark wood along its left edge."""
    rng = np.random.default_rng(0)
    picture = np.array([110, 140, 70]) + rng.normal(0, 8, (300, 300, 1))
    picture[:, :80] = 60 + 60 * ndimage.gaussian_filter(rng.normal(0, 4, (300, 80, 1)), (2, 2, 0))
    return np.clip(picture, 0, 255).astype(np.uint8)


def test_open_ground_is_the_lawn_without_the_wood(photograph: np.ndarray) -> None:
    opened = find_open_ground(photograph, GSD_M)
    assert opened[:, 110:280].mean() > 0.85
    assert opened[:, :70].mean() < 0.05


def test_ground_keeps_its_pixels_beside_the_graves(photograph: np.ndarray) -> None:
    scene = composite(3, photograph, GSD_M, SUN, preset="central-europe")
    assert scene.graves
    labels = label_graves(scene)
    assert not labels[:, :70].any()
    away = ndimage.distance_transform_edt(scene.height < 0.02) * GSD_M
    far = np.abs(scene.rgba[..., :3].astype(int) - photograph).mean(axis=2)[:, :60]
    near = np.abs(scene.rgba[..., :3].astype(int) - photograph).mean(axis=2)[labels > 0]
    assert away.max() > 0
    assert far.mean() < 9 < near.mean()


def test_shadows_fall_away_from_the_sun_of_the_photograph(photograph: np.ndarray) -> None:
    """With the sun in the south-west, the ground north-east of graves is darker."""
    change = []
    for seed in range(3):
        scene = composite(seed, photograph, GSD_M, SUN, preset="central-europe")
        darker = photograph.astype(float).mean(axis=2) - scene.rgba[..., :3].mean(axis=2)
        raised = scene.height > 0.4
        raised[:, :90] = False
        ground = scene.height < 0.02
        for down, right in ((-8, 8), (8, -8)):
            beside = np.roll(raised, (down, right), (0, 1)) & ground
            change.append(darker[beside].mean())
    assert np.mean(change[::2]) > np.mean(change[1::2]) + 15


def test_same_seed_gives_the_same_composite(photograph: np.ndarray) -> None:
    first, second = (composite([1, 2], photograph, GSD_M, SUN) for _ in range(2))
    assert np.array_equal(first.rgba, second.rgba)
    assert np.array_equal(first.height, second.height)


def test_negatives_get_things_but_no_graves(photograph: np.ndarray) -> None:
    scene = composite(1, photograph, GSD_M, SUN, preset="negatives")
    assert scene.graves == []
    assert (scene.rgba[:, 100:, :3] != photograph[:, 100:]).any()


def test_made_up_heights_rise_where_the_ground_is_closed(photograph: np.ndarray) -> None:
    opened = find_open_ground(photograph, GSD_M)
    heights = guess_heights(np.random.default_rng(0), opened, GSD_M)
    assert heights[:, 20:60].mean() > 0.3
    assert heights[opened].max() == 0


def test_a_picture_that_is_not_square_is_refused(photograph: np.ndarray) -> None:
    with pytest.raises(DatasetError, match=r"300 × 200.*squares"):
        composite(1, photograph[:200], GSD_M, SUN)
