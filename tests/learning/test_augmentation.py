import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support import tiny_settings

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.dataset.training_data import plan_training, read_training_data
from grave_cli.learning.augmentation import cut_augmented, draw_matrix
from grave_cli.learning.places import Place
from grave_cli.settings.learning import ChipSettings

HERE = Place(0, 60, 70)


@pytest.fixture(scope="module")
def part(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> CemeteryArrays:
    work_dir = tmp_path_factory.mktemp("augmentation") / "runs"
    settings = tiny_settings(sample_data, work_dir, data__channels="rgb+dem")
    return read_training_data(plan_training(settings), settings).train[0]


def test_without_augmentation_a_chip_is_the_window_around_its_centre(part: CemeteryArrays) -> None:
    chip = cut_augmented(part, HERE, np.eye(2), 64)
    window = (slice(60 - 32, 60 + 32), slice(70 - 32, 70 + 32))
    assert (chip.rgb == part.rgb[(slice(None), *window)]).all()
    assert (chip.instances == part.instances[window]).all()
    assert (chip.valid == part.valid[window]).all()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_exact(part: CemeteryArrays, turns: int) -> None:
    plain = cut_augmented(part, HERE, np.eye(2), 64)
    angle = turns * math.pi / 2
    matrix = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned = cut_augmented(part, HERE, matrix, 64)
    assert (turned.rgb == np.rot90(plain.rgb, turns, (1, 2))).all()
    assert (turned.instances == np.rot90(plain.instances, turns)).all()


def test_a_grave_that_is_scaled_up_covers_more_of_the_chip(part: CemeteryArrays) -> None:
    square = part.instances.copy()
    square[:] = 0
    square[50:70, 60:80] = 7
    alone = replace(part, instances=square)
    chip = cut_augmented(alone, HERE, np.eye(2) / 1.5, 64)
    assert (chip.instances == 7).sum() == pytest.approx(900, rel=0.05)
    assert set(np.unique(chip.instances)) == {0, 7}


def test_matrices_keep_to_the_scale_range_and_rotate_by_any_angle() -> None:
    settings, rng = ChipSettings(scale_range=(0.8, 1.25)), np.random.default_rng(0)
    matrices = np.array([draw_matrix(settings, rng) for _ in range(500)])
    scales = 1 / np.sqrt(np.abs(np.linalg.det(matrices)))
    assert scales.min() >= 0.8
    assert scales.max() <= 1.25
    assert np.ptp(scales) > 0.4
    angles = np.degrees(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert (np.histogram(angles, 8, (-180, 180))[0] > 30).all()
    assert 0.4 < (np.linalg.det(matrices) < 0).mean() < 0.6  # mirrored


def test_without_rotation_chips_are_only_mirrored() -> None:
    settings, rng = ChipSettings(rotate=False, scale_range=(1.0, 1.0)), np.random.default_rng(0)
    drawn = {tuple(np.diag(draw_matrix(settings, rng)).tolist()) for _ in range(100)}
    assert drawn == {(1, 1), (1, -1), (-1, 1), (-1, -1)}


def test_pixels_beyond_the_cemetery_are_not_valid(part: CemeteryArrays) -> None:
    chip = cut_augmented(part, Place(0, 0, 0), np.eye(2), 64)
    assert not chip.valid[:32].any()
    assert not chip.valid[:, :32].any()
    assert not chip.instances[:32].any()


def test_a_hole_in_the_dem_stays_one_for_training_and_map_to_agree(part: CemeteryArrays) -> None:
    assert part.elevation is not None
    heights = part.elevation.copy()
    heights[:, 50:70, 60:80] = np.nan
    holed = replace(part, elevation=heights)
    chip = cut_augmented(holed, HERE, np.eye(2), 64)
    assert chip.elevation is not None
    unknown = np.isnan(heights[:, 60 - 32 : 60 + 32, 70 - 32 : 70 + 32])
    assert (np.isnan(chip.elevation) == unknown).all()
    assert not chip.scored[unknown.any(axis=0)].any()
