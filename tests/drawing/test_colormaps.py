import numpy as np

from grave_cli.drawing.colormaps import (
    PAPER,
    blend,
    grave_colors,
    grey,
    heat_colors,
    terrain_colors,
)


def test_low_ground_is_blue_middle_green_and_high_brown() -> None:
    heights = np.array([[0.0, 0.5, 1.0]], np.float32)
    low, middle, high = terrain_colors(heights, 0.0, 1.0)[0].astype(int)
    assert low.argmax() == 2
    assert middle.argmax() == 1
    assert high[0] > high[1] > high[2]


def test_heights_beyond_the_scale_get_its_ends_and_unknown_ones_the_paper() -> None:
    heights = np.array([[-9.0, 0.0, 1.0, 9.0, np.nan]], np.float32)
    colors = terrain_colors(heights, 0.0, 1.0)[0]
    assert (colors[0] == colors[1]).all()
    assert (colors[2] == colors[3]).all()
    assert tuple(colors[4]) == PAPER


def test_a_surer_pixel_is_brighter() -> None:
    heat = heat_colors(np.linspace(0, 1, 50, dtype=np.float32)[None])
    luma = grey(heat)[0, :, 0].astype(int)
    assert (np.diff(luma) >= 0).all()
    assert luma[0] < 5
    assert luma[-1] > 220


def test_neighbouring_ids_differ_in_colour_and_background_has_none() -> None:
    colors = grave_colors(np.arange(8, dtype=np.int32)[None])[0].astype(int)
    assert (colors[0] == 0).all()
    assert (np.abs(np.diff(colors[1:], axis=0)).sum(axis=1) > 60).all()


def test_blending_leaves_the_picture_below_alone() -> None:
    under = np.full((2, 2, 3), 100, np.uint8)
    under.flags.writeable = False
    mixed = blend(under, (200, 200, 200), np.array([[True, False], [False, False]]), 0.5)
    assert mixed[0, 0].tolist() == [150] * 3
    assert mixed[1, 1].tolist() == [100] * 3
