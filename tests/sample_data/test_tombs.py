"""Graves of varied scenes: paint fills the outline and hardly reaches beyond it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grave_cli.sample_data.canvas import Canvas, polygon_inside
from grave_cli.sample_data.texture.look import Look, draw_look
from grave_cli.sample_data.texture.photographs import Texture
from grave_cli.sample_data.tombs.borders import BORDERS
from grave_cli.sample_data.tombs.draw import MAKES, draw_tomb
from grave_cli.sample_data.tombs.fillings import FILLERS
from grave_cli.sample_data.tombs.heads import HEADS
from grave_cli.sample_data.tombs.paint import paint_tomb
from grave_cli.sample_data.tombs.tomb import Tomb
from grave_cli.sample_data.variety.draw import draw_variety
from grave_cli.sample_data.variety.settings import Variety

GSD_M = 0.03
MAGENTA = (255, 0, 255)
TRACES = ("plot",)
"""Fillings that only leave a trace in the grass."""


@pytest.fixture(scope="module")
def scene() -> tuple[Variety, Look]:
    rng = np.random.default_rng(4)
    variety = draw_variety(rng, "central-europe")
    mosaic = replace(variety.mosaic, lean=0.0, tilt=(0.0, 0.0))
    variety = replace(variety, mosaic=mosaic, lens=replace(variety.lens, gsd_m=GSD_M))
    return variety, draw_look(rng, variety)


def _tomb(rng: np.random.Generator, variety: Variety, look: Look) -> Tomb:
    corners = np.array([(2.0, 2.0), (3.1, 2.1), (2.9, 4.1), (1.8, 4.0)])
    tomb = draw_tomb(rng, "bordered", "single", corners, variety.care, look)
    return replace(tomb, status="occupied", border="stone", rim_m=0.08, overgrown=0.0)


def _painted(tomb: Tomb, look: Look) -> tuple[np.ndarray, np.ndarray, Canvas]:
    """Where a grave changed the canvas, the distance to its outline, and the canvas."""
    rng = np.random.default_rng(8)
    canvas = Canvas.blank(6.0, GSD_M)
    canvas.rgb[...] = MAGENTA
    paint_tomb(rng, canvas, tomb, Texture(rng, GSD_M), look)
    changed = (np.abs(canvas.rgb.astype(int) - MAGENTA) > 40).any(axis=2)
    metres = (np.arange(canvas.rgb.shape[0]) + 0.5) * GSD_M
    return changed, polygon_inside(metres[None, :], metres[:, None], tomb.corners), canvas


@pytest.mark.parametrize("filling", FILLERS)
def test_filling_covers_the_outline_and_ends_there(
    filling: str, scene: tuple[Variety, Look]
) -> None:
    variety, look = scene
    tomb = replace(_tomb(np.random.default_rng(1), variety, look), filling=filling, head="none")
    if filling in TRACES or filling == "mound":
        tomb = replace(tomb, border="none", rim_m=0.0)
    changed, inside, canvas = _painted(replace(tomb, gifts=0.0), look)
    least = 0.5 if filling in TRACES else 0.9
    assert changed[inside > GSD_M].mean() > least
    assert not changed[inside < -0.25].any()
    assert changed[(inside < -0.06)].mean() < 0.01
    assert canvas.height[inside < -0.2].max() == 0


@pytest.mark.parametrize("border", [name for name in BORDERS if name != "none"])
def test_border_stands_on_the_outline(border: str, scene: tuple[Variety, Look]) -> None:
    variety, look = scene
    tomb = _tomb(np.random.default_rng(1), variety, look)
    tomb = replace(tomb, border=border, filling="soil", head="none", gifts=0.0, rim_m=0.12)
    changed, inside, canvas = _painted(tomb, look)
    rim = (inside > 0) & (inside < 0.1)
    assert changed[rim].mean() > (0.2 if border == "metal" else 0.6)
    assert canvas.height[rim].max() > 0.03


@pytest.mark.parametrize("head", [name for name in HEADS if name != "none"])
def test_head_stands_at_the_head_and_rises(head: str, scene: tuple[Variety, Look]) -> None:
    variety, look = scene
    tomb = _tomb(np.random.default_rng(1), variety, look)
    tomb = replace(tomb, head=head, filling="lawn", border="none", rim_m=0.0, gifts=0.0)
    _, inside, canvas = _painted(tomb, look)
    row, col = np.unravel_index(int(canvas.height.argmax()), canvas.height.shape)
    top = np.array([(col + 0.5) * GSD_M, (row + 0.5) * GSD_M])
    middle = (tomb.corners[0] + tomb.corners[1]) / 2
    assert np.hypot(*(top - middle)) < 0.75
    assert canvas.height.max() > 0.15
    assert (canvas.height[inside < -0.35] == 0).all()


def test_graves_of_every_habit_can_be_painted(scene: tuple[Variety, Look]) -> None:
    variety, look = scene
    rng = np.random.default_rng(3)
    corners = np.array([(2.0, 2.0), (3.1, 2.1), (2.9, 4.1), (1.8, 4.0)])
    for habit, make in MAKES.items():
        for kind in make.kinds:
            tomb = draw_tomb(rng, habit, kind, corners, variety.care, look)
            changed, _, _ = _painted(tomb, look)
            assert changed.any(), habit
            assert tomb.outlined == make.outlined


def test_overgrowth_hides_the_border(scene: tuple[Variety, Look]) -> None:
    variety, look = scene
    look = replace(look, greens=((80, 120, 60),))
    tomb = _tomb(np.random.default_rng(1), variety, look)
    tomb = replace(tomb, filling="covered", gifts=0.0, head="none")
    _, inside, bare = _painted(replace(tomb, filling="soil"), look)
    _, _, grown = _painted(replace(tomb, overgrown=1.0), look)
    rim = (inside > 0.01) & (inside < 0.07)
    green = [c.rgb[rim].astype(int) for c in (bare, grown)]
    excess = [(2 * g[:, 1] - g[:, 0] - g[:, 2]).mean() for g in green]
    assert excess[1] > excess[0] + 10
