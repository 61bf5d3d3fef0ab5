"""Things that are not graves: each paints within its size and stands where it is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grave_cli.sample_data.canvas import Canvas
from grave_cli.sample_data.clutter.hedges import paint_hedge
from grave_cli.sample_data.clutter.registry import KINDS, draw_thing, paint_thing
from grave_cli.sample_data.clutter.trees import paint_tree
from grave_cli.sample_data.plan import Hedge, Tree
from grave_cli.sample_data.texture.look import Look, draw_look
from grave_cli.sample_data.texture.photographs import Texture
from grave_cli.sample_data.variety.draw import draw_variety

GSD_M, EDGE_M = 0.06, 20.0


@pytest.fixture(scope="module")
def look() -> Look:
    rng = np.random.default_rng(4)
    variety = draw_variety(rng, "negatives")
    mosaic = replace(variety.mosaic, lean=0.0, tilt=(0.0, 0.0))
    return draw_look(
        rng,
        replace(variety, season="summer", mosaic=mosaic, lens=replace(variety.lens, gsd_m=GSD_M)),
    )


def _canvas() -> Canvas:
    canvas = Canvas.blank(EDGE_M, GSD_M)
    canvas.rgb[...] = (255, 0, 255)
    return canvas


@pytest.mark.parametrize("kind", KINDS)
def test_thing_is_painted_where_it_stands_and_no_higher_than_said(kind: str, look: Look) -> None:
    rng, canvas = np.random.default_rng(1), _canvas()
    thing = draw_thing(rng, kind, np.array([10.0, 10.0]), 0.3)
    paint_thing(rng, canvas, thing, Texture(rng, GSD_M), look)
    changed = (canvas.rgb != (255, 0, 255)).any(axis=2)
    rows, cols = np.nonzero(changed)
    metres = np.stack([cols + 0.5, rows + 0.5], axis=1) * GSD_M
    away = np.hypot(*(metres - 10.0).T)
    assert changed.sum() * GSD_M**2 > 0.002
    assert away.max() < np.hypot(*thing.size) / 2 + 0.5
    assert canvas.height.max() <= KINDS[kind].height_m + 1.6
    assert KINDS[kind].flat or abs(canvas.height[changed]).max() > 0.03


def test_crown_hides_what_lies_below_and_a_bare_one_hides_less(look: Look) -> None:
    tree = Tree(np.array([10.0, 10.0]), 3.0, 6.0, "broadleaf")
    hidden = []
    for bare in (False, True):
        rng, canvas = np.random.default_rng(1), _canvas()
        paint_tree(rng, canvas, tree, Texture(rng, GSD_M), replace(look, bare=bare))
        hidden.append(canvas.canopy.sum() * GSD_M**2)
        assert 3 < canvas.height.max() < 9
    assert hidden[0] > 0.4 * np.pi * 9
    assert hidden[1] < 0.5 * hidden[0]


@pytest.mark.parametrize("wall", [True, False])
def test_hedge_and_wall_stand_along_their_line(wall: bool, look: Look) -> None:
    rng, canvas = np.random.default_rng(1), _canvas()
    hedge = Hedge(np.array([2.0, 10.0]), np.array([18.0, 10.0]), 0.6, 1.2, wall)
    paint_hedge(rng, canvas, hedge, Texture(rng, GSD_M), look)
    rows, cols = np.nonzero(canvas.height > 0.4)
    assert abs((rows + 0.5) * GSD_M - 10.0).max() < 0.8
    assert (cols.min() * GSD_M, cols.max() * GSD_M) == pytest.approx((2.0, 18.0), abs=0.3)
