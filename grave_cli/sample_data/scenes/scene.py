"""One varied scene as arrays: a seed and a preset → picture, DEM, outlines, labels."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine
from rasterio import features

from grave_cli.sample_data.camera.develop import develop
from grave_cli.sample_data.camera.mosaic import draw_alpha
from grave_cli.sample_data.canvas import Array, Canvas
from grave_cli.sample_data.clutter.hedges import paint_hedge
from grave_cli.sample_data.clutter.registry import KINDS, paint_thing
from grave_cli.sample_data.clutter.trees import paint_tree
from grave_cli.sample_data.elevation import SurfaceModel
from grave_cli.sample_data.noise import Noise
from grave_cli.sample_data.paint import MOST_HIDDEN, hidden_share
from grave_cli.sample_data.relief import model_relief
from grave_cli.sample_data.scenes.cemetery import plan_scene
from grave_cli.sample_data.scenes.plan import ScenePlan
from grave_cli.sample_data.texture.ground import paint_areas
from grave_cli.sample_data.texture.look import Look, draw_look
from grave_cli.sample_data.texture.photographs import Texture
from grave_cli.sample_data.tombs.paint import paint_tomb
from grave_cli.sample_data.tombs.tomb import Tomb
from grave_cli.sample_data.variety.draw import draw_variety
from grave_cli.sample_data.variety.presets import ALL
from grave_cli.sample_data.variety.settings import Variety


@dataclass(frozen=True)
class Scene:
    """One varied scene.

    Args:
        rgba: The orthophoto.
        gsd_m: Its pixel edge in metres.
        height: True heights above ground in metres, on the orthophoto's grid.
        surface: The DEM on a grid of its own, or None.
        graves: The ground truth: outlined graves of which at least 40 % can be seen.
        is_ground: Whether no grave was placed, not even a hidden one or one without an outline.
        variety: The settings it was made with.

    Shapes:
        rgba (H, W, 4) uint8; height (H, W) float32.
    """

    rgba: Array
    gsd_m: float
    height: Array
    surface: SurfaceModel | None
    graves: list[Tomb]
    is_ground: bool
    variety: Variety


def make_scene(
    seed: int | Sequence[int],
    preset: str = ALL,
    size_m: float = 25.0,
    gsd_m: float | None = None,
) -> Scene:
    """Make one varied scene.

    The same arguments give the same arrays, in whatever process or order scenes are made.

    Args:
        seed: Number of the scene, or several numbers such as a seed and an index; none negative.
        preset: A name from `preset_names`.
        size_m: Edge of the square in metres, 10–200.
        gsd_m: Pixel edge in metres; None draws it from 0.015–0.06.

    Raises:
        DatasetError: No preset has this name.
    """
    rng = np.random.default_rng([*np.atleast_1d(seed), zlib.crc32(preset.encode())])
    variety = draw_variety(rng, preset)
    if gsd_m is not None:
        variety = replace(variety, lens=replace(variety.lens, gsd_m=gsd_m))
    return paint_scene(rng, size_m, variety)


def make_scenes(
    seeds: Iterable[int], preset: str = ALL, size_m: float = 25.0, gsd_m: float | None = None
) -> Iterator[Scene]:
    """Yield one varied scene per seed; see `make_scene`."""
    for seed in seeds:
        yield make_scene(seed, preset, size_m, gsd_m)


def make_scene_with_graves(seed: Sequence[int], preset: str, size_m: float) -> Scene:
    """Make a scene for a data set: with a DEM, and with a grave unless it is ground.

    A cemetery whose graves are all hidden is drawn again with the next number.

    Args:
        seed: A seed and an index, not negative.
        preset: A name from `preset_names`.
        size_m: Edge of the square in metres, 10–200.

    Raises:
        DatasetError: No preset has this name.
    """
    attempt = 0
    scene = make_scene([*seed, attempt], preset, size_m)
    while scene.surface is None or not (scene.graves or scene.variety.scene != "cemetery"):
        attempt += 1
        scene = make_scene([*seed, attempt], preset, size_m)
    return scene


def paint_scene(rng: np.random.Generator, size_m: float, variety: Variety) -> Scene:
    """Plan and paint one scene.

    Args:
        rng: Source of randomness.
        size_m: Edge of the square in metres.
        variety: Settings of the scene.
    """
    gsd_m = variety.lens.gsd_m
    canvas, noise = Canvas.blank(size_m, gsd_m), Texture(rng, gsd_m)
    look = draw_look(rng, variety)
    plan = plan_scene(rng, size_m, variety, look)
    paint_areas(canvas, plan.areas, noise, look)
    paint_objects(rng, canvas, plan, noise, look)
    alpha = draw_alpha(rng, canvas, noise, variety.mosaic)
    rgba = np.dstack([develop(rng, canvas, noise, variety), alpha])
    rgba[alpha == 0] = 0
    return Scene(
        rgba,
        gsd_m,
        canvas.height,
        model_relief(rng, canvas.height, gsd_m, variety.relief),
        visible_graves(canvas, alpha, plan.tombs),
        not plan.tombs,
        variety,
    )


def paint_objects(
    rng: np.random.Generator, canvas: Canvas, plan: ScenePlan, noise: Noise, look: Look
) -> None:
    """Paint everything that stands on the ground, the low things first.

    Args:
        rng: Source of randomness.
        canvas: Receives colours, heights and canopy.
        plan: Position of every object.
        noise: Texture fields.
        look: Surfaces and colours of the scene.
    """
    flat = [thing for thing in plan.things if KINDS[thing.kind].flat]
    upright = [thing for thing in plan.things if not KINDS[thing.kind].flat]
    for thing in flat:
        paint_thing(rng, canvas, thing, noise, look)
    for tomb in plan.tombs:
        paint_tomb(rng, canvas, tomb, noise, look)
    for hedge in plan.hedges:
        paint_hedge(rng, canvas, hedge, noise, look)
    for thing in upright:
        paint_thing(rng, canvas, thing, noise, look)
    for tree in sorted(plan.trees, key=lambda tree: tree.height_m):
        paint_tree(rng, canvas, tree, noise, look)


def visible_graves(canvas: Canvas, alpha: Array, tombs: list[Tomb]) -> list[Tomb]:
    """Return the outlined graves of which crowns and the mosaic's edge leave at least 40 %."""
    return [
        tomb
        for tomb in tombs
        if tomb.outlined and hidden_share(canvas, alpha, tomb.corners) <= MOST_HIDDEN
    ]


def label_graves(scene: Scene) -> Array:
    """Return the number of the grave that covers each pixel, counted from 1, or 0.

    Shapes:
        -> (H, W) int32.
    """
    shapes = [(tomb.outline, number) for number, tomb in enumerate(scene.graves, 1)]
    labels: Array = np.zeros(scene.rgba.shape[:2], np.int32)
    if shapes:
        features.rasterize(shapes, out=labels, transform=Affine.scale(scene.gsd_m))
    return labels
