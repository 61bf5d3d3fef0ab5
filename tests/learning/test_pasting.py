"""Graves are pasted whole, with their heights, onto free ground with known ground truth."""

import numpy as np

from grave_cli.learning.cutting import Chip
from grave_cli.learning.pasting import paste_graves

SIZE = 40


def chip_of(value: int, *graves: tuple[slice, slice]) -> Chip:
    """A chip of one colour and one height, with graves of twice the colour and height."""
    instances = np.zeros((SIZE, SIZE), np.int32)
    for number, grave in enumerate(graves, start=1):
        instances[grave] = number
    painted = np.where(instances > 0, 2 * value, value)
    everywhere = np.ones((SIZE, SIZE), np.bool_)
    return Chip(
        rgb=np.repeat(painted[None], 3, 0).astype(np.uint8),
        valid=everywhere,
        scored=everywhere.copy(),
        elevation=painted[None].astype(np.float32),
        instances=instances,
    )


LEFT = np.s_[5:15, 4:10]
BESIDE = np.s_[5:15, 11:17]
RIGHT = np.s_[25:35, 28:36]


def test_a_grave_comes_with_its_colours_heights_and_rim() -> None:
    chip = paste_graves(chip_of(10, RIGHT), chip_of(50, LEFT), rim_px=2)
    assert (chip.instances[LEFT] == 2).all()
    assert (chip.instances[RIGHT] == 1).all()
    assert (chip.instances > 0).sum() == 60 + 80
    assert (chip.rgb[:, *LEFT] == 100).all()
    assert chip.elevation is not None
    assert (chip.elevation[:, *LEFT] == 100).all()
    assert chip.rgb[0, 10, 2] == 50, "the rim is the donor's ground"
    assert chip.rgb[0, 10, 1] == 10
    assert (chip.rgb[:, *RIGHT] == 20).all()


def test_without_a_rim_only_graves_are_pasted() -> None:
    chip = paste_graves(chip_of(10), chip_of(50, LEFT), rim_px=0)
    assert ((chip.rgb[0] == 10) == (chip.instances == 0)).all()


def test_neighbours_go_together_or_not_at_all() -> None:
    donor = chip_of(50, LEFT, BESIDE, RIGHT)
    under_the_second = chip_of(10, np.s_[8:10, 16:20])
    chip = paste_graves(under_the_second, donor, rim_px=1)
    assert (chip.instances[LEFT] == 0).all()
    assert (chip.rgb[:, *LEFT] == 10).all()
    assert (chip.instances[RIGHT] == 4).all()


def test_a_grave_that_would_touch_one_of_the_chip_is_left_out() -> None:
    touching, apart = np.s_[5:15, 10:12], np.s_[5:15, 11:13]
    donor = chip_of(50, LEFT)
    assert (paste_graves(chip_of(10, touching), donor, rim_px=0).instances[LEFT] == 0).all()
    assert (paste_graves(chip_of(10, apart), donor, rim_px=0).instances[LEFT] == 2).all()


def test_unscored_pixels_neither_give_nor_receive_graves() -> None:
    plain, donor = chip_of(10), chip_of(50, LEFT, RIGHT)
    plain.scored[7, 5] = False
    donor.scored[30, 30] = False
    pasted = paste_graves(plain, donor, rim_px=1)
    assert not pasted.instances.any()
    assert (pasted.rgb == 10).all()


def test_a_donor_without_graves_changes_nothing() -> None:
    chip = chip_of(10, LEFT)
    pasted = paste_graves(chip, chip_of(50), rim_px=3)
    assert (pasted.rgb == chip.rgb).all()
    assert (pasted.instances == chip.instances).all()
