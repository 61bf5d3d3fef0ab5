"""Generated graves and things on a photograph of real ground, with shadows that agree."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely
from scipy import ndimage

from grave_cli.errors import DatasetError
from grave_cli.sample_data.camera.develop import BAND_PX, compress
from grave_cli.sample_data.camera.sunlight import HALO_PX, light_of, shadow_of
from grave_cli.sample_data.canvas import Array, Canvas
from grave_cli.sample_data.clutter.thing import Thing
from grave_cli.sample_data.plan import Frame
from grave_cli.sample_data.relief import model_relief
from grave_cli.sample_data.scenes.open_ground import find_open_ground, guess_heights
from grave_cli.sample_data.scenes.plan import ScenePlan
from grave_cli.sample_data.scenes.scene import Scene, paint_objects, visible_graves
from grave_cli.sample_data.scenes.sections import Section, fill_section
from grave_cli.sample_data.scenes.strew import PARK, SITE, YARD, strew
from grave_cli.sample_data.sections import Box
from grave_cli.sample_data.texture.ground import paint_areas
from grave_cli.sample_data.texture.look import Look, draw_look
from grave_cli.sample_data.texture.photographs import Texture
from grave_cli.sample_data.variety.draw import draw_variety
from grave_cli.sample_data.variety.presets import ALL
from grave_cli.sample_data.variety.settings import Sun, Variety

TRIES, CLUTTER_PER_M2 = 80, 0.02
LEAST_OPEN = 0.9
"""Share of a grave or thing that has to lie on open ground."""


def composite(
    seed: int | Sequence[int],
    ground: Array,
    gsd_m: float,
    sun: Sun,
    *,
    preset: str = ALL,
    opened: Array | None = None,
    ground_height: Array | None = None,
) -> Scene:
    """Place generated graves and things onto a photograph of real ground.

    The photograph keeps its pixels except under objects and in their shadows. Give the sun under
    which it was taken. Without heights of the ground, the DEM has made-up ones.

    Args:
        seed: Number of the scene, or several numbers; none negative.
        ground: The photograph without graves; a fourth band is its alpha.
        gsd_m: Its pixel edge in metres.
        sun: Daylight of the photograph.
        preset: A name from `preset_names`; `negatives` places things only.
        opened: Where objects may lie; None finds even, sunlit ground.
        ground_height: Heights above ground of what the photograph shows, in metres.

    Returns:
        A scene of the photograph's size.

    Shapes:
        ground (H, W, 3 or 4) uint8; opened (H, W) bool; ground_height (H, W).

    Raises:
        DatasetError: The photograph is not square, or no preset has this name.
    """
    if ground.shape[0] != ground.shape[1]:
        raise DatasetError(
            "graves are composited onto square pictures",
            found=f"{ground.shape[1]} × {ground.shape[0]} pixels",
            remedy="cut the photograph into squares",
        )
    rng = np.random.default_rng([*np.atleast_1d(seed), zlib.crc32(preset.encode())])
    variety = _on_photograph(draw_variety(rng, preset), gsd_m, sun)
    rgb, alpha = ground[..., :3], _alpha(ground)
    free = find_open_ground(rgb, gsd_m) if opened is None else opened
    free = free & (alpha > 0)
    canvas = Canvas(
        gsd_m, rgb.copy(), np.zeros(alpha.shape, np.float32), np.zeros(alpha.shape, bool)
    )
    noise, look = Texture(rng, gsd_m), draw_look(rng, variety)
    plan = _plan(rng, canvas, free, variety, look)
    paint_areas(canvas, plan.areas, noise, look)
    paint_objects(rng, canvas, plan, noise, look)
    picture = _develop(rng, canvas, rgb, variety)
    base = guess_heights(rng, free, gsd_m) if ground_height is None else ground_height
    height = np.maximum(canvas.height, 0) + base * (canvas.height <= 0.01)
    return Scene(
        np.dstack([picture, alpha]),
        gsd_m,
        height,
        model_relief(rng, height, gsd_m, variety.relief),
        visible_graves(canvas, alpha, plan.tombs),
        not plan.tombs,
        variety,
    )


def _on_photograph(variety: Variety, gsd_m: float, sun: Sun) -> Variety:
    lens = replace(variety.lens, gsd_m=gsd_m)
    return replace(variety, lens=lens, sun=sun, care=replace(variety.care, wet=0.0))


def _alpha(ground: Array) -> Array:
    if ground.shape[2] == 4:
        return np.asarray(ground[..., 3])
    return np.full(ground.shape[:2], 255, np.uint8)


def _plan(
    rng: np.random.Generator, canvas: Canvas, free: Array, variety: Variety, look: Look
) -> ScenePlan:
    """Place sections of graves, and things beside them, where the ground is open."""
    size_m = free.shape[0] * canvas.gsd_m
    plan, taken = ScenePlan(size_m), list[shapely.Polygon]()
    spots = np.argwhere(free)[:, ::-1] * canvas.gsd_m
    tries = TRIES if variety.habits and len(spots) else 0
    for _ in range(tries):
        centre, half = spots[int(rng.integers(len(spots)))], rng.uniform(1.2, 5.0, 2)
        site = Frame(centre, float(rng.uniform(0, 2 * math.pi)))
        box: Box = (-half[0], -half[1], half[0], half[1])
        shape = shapely.Polygon(site.box(*box))
        if _open_share(free, canvas, shape) > 0.5 and not any(map(shape.intersects, taken)):
            taken.append(shape)
            habit = variety.habits[int(rng.integers(len(variety.habits)))]
            _add_section(rng, plan, Section(box, site, habit), variety, look)
    _add_clutter(rng, plan, taken)
    plan.tombs = [t for t in plan.tombs if _open_share(free, canvas, t.outline) >= LEAST_OPEN]
    plan.things = [t for t in plan.things if _open_share(free, canvas, _shape(t)) >= LEAST_OPEN]
    used = shapely.union_all([tomb.outline for tomb in plan.tombs])
    plan.areas = [area for area in plan.areas if area.shape.intersects(used)]
    return plan


def _add_section(
    rng: np.random.Generator, plan: ScenePlan, section: Section, variety: Variety, look: Look
) -> None:
    """Add one section on the photograph's own ground; some get a ground of their own."""
    before = len(plan.areas), len(plan.hedges), len(plan.trees)
    fill_section(rng, plan, section, variety, look)
    if rng.random() < 0.7:
        del plan.areas[before[0] :]
    del plan.hedges[before[1] :], plan.trees[before[2] :]


def _add_clutter(rng: np.random.Generator, plan: ScenePlan, taken: list[shapely.Polygon]) -> None:
    kinds = (PARK, YARD, SITE)[int(rng.integers(3))]
    site = Frame(np.full(2, plan.size_m / 2), float(rng.uniform(0, 2 * math.pi)))
    reach = 0.7 * plan.size_m
    before = len(plan.things)
    strew(rng, plan, (-reach, -reach, reach, reach), site, kinds, CLUTTER_PER_M2)
    plan.things[before:] = [
        thing
        for thing in plan.things[before:]
        if not any(shape.intersects(_shape(thing)) for shape in taken)
    ]


def _shape(thing: Thing) -> shapely.Polygon:
    half = thing.size[0] / 2, thing.size[1] / 2
    corners = Frame(thing.centre, thing.angle).box(-half[0], -half[1], half[0], half[1])
    return shapely.Polygon(corners)


def _open_share(free: Array, canvas: Canvas, shape: shapely.Polygon) -> float:
    """Return the share of a shape on open ground, sampled on a grid of 5 × 5 points."""
    left, top, right, bottom = shape.bounds
    share = (np.arange(5) + 0.5) / 5
    x, y = np.meshgrid(left + share * (right - left), top + share * (bottom - top))
    inside = shapely.contains_xy(shape, x, y)
    cols, rows = (x / canvas.gsd_m).astype(int), (y / canvas.gsd_m).astype(int)
    edge = free.shape[0]
    on = (cols >= 0) & (rows >= 0) & (cols < edge) & (rows < edge) & inside
    found = free[np.clip(rows, 0, edge - 1), np.clip(cols, 0, edge - 1)] & on
    return float(found.sum() / max(1, inside.sum()))


def _develop(rng: np.random.Generator, canvas: Canvas, rgb: Array, variety: Variety) -> Array:
    """Return the photograph with lit objects and their shadows; the rest keeps its pixels."""
    shadow = shadow_of(canvas.height, canvas.gsd_m, variety.sun)
    picture, edge = np.empty_like(rgb), rgb.shape[0]
    gain = float(np.clip(rng.normal(1.05, 0.12), 0.8, 1.3))
    for top in range(0, edge, BAND_PX):
        bottom = min(top + BAND_PX, edge)
        rows = slice(max(0, top - HALO_PX), min(bottom + HALO_PX, edge))
        light = light_of(canvas.height[rows], shadow[rows], canvas.gsd_m, variety.sun)
        painted = (canvas.rgb[rows] != rgb[rows]).any(axis=2) | (canvas.height[rows] > 0.02)
        weight = ndimage.gaussian_filter(painted.astype(np.float32), 0.7)[..., None]
        lit = ndimage.gaussian_filter(canvas.rgb[rows] * light * gain, (0.6, 0.6, 0))
        lit += 2.0 * rng.standard_normal(lit.shape[:2], dtype=np.float32)[..., None]
        kept = rgb[rows] * light
        mixed = np.clip(kept + (lit - kept) * weight, 0, 255).astype(np.uint8)
        picture[top:bottom] = mixed[top - rows.start : bottom - rows.start]
    return compress(picture, int(rng.integers(82, 97)))
