"""Varied scenes: the same per seed, outlines that agree with pixels and heights, empty ground."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy import ndimage

from grave_cli.sample_data.elevation import NODATA
from grave_cli.sample_data.scenes.scene import (
    Scene,
    label_graves,
    make_scene,
    make_scenes,
    paint_scene,
    visible_graves,
)
from grave_cli.sample_data.variety.draw import draw_variety
from grave_cli.sample_data.variety.presets import PRESETS, VARIETY_VERSION
from grave_cli.sample_data.variety.settings import Variety

SIZE_M, GSD_M = 12.0, 0.05
HASH = (
    "import hashlib\n"
    "from grave_cli.sample_data.scenes.scene import make_scene\n"
    f"scene = make_scene(5, 'central-europe', {SIZE_M}, {GSD_M})\n"
    "print(hashlib.sha256(scene.rgba.tobytes() + scene.height.tobytes()).hexdigest())"
)


def _plain(variety: Variety) -> Variety:
    """The same scene on a full, sharp mosaic with an exact DEM."""
    return replace(
        variety,
        mosaic=replace(variety.mosaic, outline="full", lean=0.0, tilt=(0.0, 0.0)),
        relief=replace(
            variety.relief,
            gsd_m=0.05,
            noise_m=0.0,
            soften_m=0.0,
            holes=0.0,
            slope=0.0,
            waves_m=0.0,
            terraces=0,
            shift_m=(0.0, 0.0),
        ),
        lens=replace(variety.lens, gsd_m=0.03),
    )


@pytest.fixture(scope="module")
def plain() -> Scene:
    rng = np.random.default_rng(2)
    variety = _plain(draw_variety(rng, "central-europe"))
    care = replace(variety.care, trees=0.0, overgrowth=0.0)
    return paint_scene(rng, 15.0, replace(variety, habits=("bordered",), care=care))


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_makes_scenes_with_valid_disjoint_outlines(preset: str) -> None:
    graves = 0
    for scene in make_scenes(range(3), preset, SIZE_M, GSD_M):
        assert scene.rgba.shape == (240, 240, 4)
        assert scene.rgba.dtype == np.uint8
        assert np.isfinite(scene.height).all()
        outlines = [grave.outline for grave in scene.graves]
        assert all(outline.is_valid and outline.area > 0.08 for outline in outlines)
        overlaps = [a.intersection(b).area for a, b in combinations(outlines, 2)]
        assert max(overlaps, default=0.0) < 1e-3
        graves += len(outlines)
        assert scene.is_ground or preset != "negatives"
        assert not (scene.is_ground and scene.graves)
    assert (graves == 0) == (preset == "negatives")


def test_labels_cover_the_outlines_and_nothing_else(plain: Scene) -> None:
    labels = label_graves(plain)
    areas = np.bincount(labels.ravel(), minlength=len(plain.graves) + 1)[1:] * plain.gsd_m**2
    inside = [g.outline for g in plain.graves if g.outline.within(_square(plain))]
    assert len(inside) >= 3
    for grave, area in zip(plain.graves, areas, strict=True):
        if grave.outline.within(_square(plain)):
            assert area == pytest.approx(grave.outline.area, rel=0.12, abs=0.02)


def _square(scene: Scene):  # type: ignore[no-untyped-def]
    import shapely

    edge = scene.rgba.shape[0] * scene.gsd_m
    return shapely.box(0, 0, edge, edge)


def test_scenes_without_graves_have_an_empty_truth() -> None:
    scene = make_scene(1, "negatives", SIZE_M, GSD_M)
    assert scene.graves == []
    assert not label_graves(scene).any()


def test_same_seed_gives_the_same_scene_in_another_process_and_order() -> None:
    make_scene(9, "negatives", SIZE_M, 0.03)
    scene = make_scene(5, "central-europe", SIZE_M, GSD_M)
    here = hashlib.sha256(scene.rgba.tobytes() + scene.height.tobytes()).hexdigest()
    there = subprocess.run(
        [sys.executable, "-c", HASH], capture_output=True, text=True, check=True, timeout=60
    )
    assert there.stdout.strip() == here
    other = make_scene(6, "central-europe", SIZE_M, GSD_M)
    assert not np.array_equal(other.rgba, scene.rgba)


def test_dem_shows_the_objects_where_the_picture_does(plain: Scene) -> None:
    """On level ground without faults the DEM is the true height plus one constant."""
    surface = plain.surface
    assert surface is not None
    step = surface.gsd_m / plain.gsd_m
    rows = (np.arange(surface.values.shape[0]) + 0.5) * step + surface.corner_m[1] / plain.gsd_m
    cols = (np.arange(surface.values.shape[1]) + 0.5) * step + surface.corner_m[0] / plain.gsd_m
    grid = np.meshgrid(rows - 0.5, cols - 0.5, indexing="ij")
    true = ndimage.map_coordinates(ndimage.uniform_filter(plain.height, 2), grid, order=1)
    edge = plain.height.shape[0] - 2
    inside = (grid[0] > 1) & (grid[0] < edge) & (grid[1] > 1) & (grid[1] < edge)
    above = surface.values - np.median(surface.values - true)
    assert np.corrcoef(above[inside], true[inside])[0, 1] > 0.95


def test_graves_stand_above_the_ground_around_them(plain: Scene) -> None:
    labels = label_graves(plain)
    tops = ndimage.maximum(plain.height, labels, range(1, labels.max() + 1))
    assert np.median(tops) > 0.1


def test_grave_under_a_crown_leaves_the_ground_truth(plain: Scene) -> None:
    from grave_cli.sample_data.canvas import Canvas

    canvas = Canvas.blank(15.0, plain.gsd_m)
    alpha = np.full(canvas.height.shape, 255, np.uint8)
    grave = next(g for g in plain.graves if g.outline.within(_square(plain)))
    assert visible_graves(canvas, alpha, [grave]) == [grave]
    patch = canvas.patch(grave.corners, 0.0)
    assert patch is not None
    canvas.canopy[patch.rows, patch.cols] = True
    assert visible_graves(canvas, alpha, [grave]) == []
    assert visible_graves(canvas, alpha, [replace(grave, outlined=False)]) == []


def test_headstones_in_a_lawn_are_background_or_plots_by_preset() -> None:
    habits = {
        name: {h for s in range(30) for h in draw_variety(np.random.default_rng(s), name).habits}
        for name in ("britain-us", "headstone-plots")
    }
    assert "headstones" in habits["britain-us"]
    assert "headstones" not in habits["headstone-plots"]
    assert "headstone plots" in habits["headstone-plots"]


def test_dem_may_be_missing_and_has_holes_and_grids_of_its_own() -> None:
    surfaces = [scene.surface for scene in make_scenes(range(24), "all", 10.0, 0.06)]
    present = [surface for surface in surfaces if surface is not None]
    assert 0 < len(surfaces) - len(present) < 12
    assert len({surface.gsd_m for surface in present}) == len(present)
    assert any((surface.values == NODATA).any() for surface in present)


def test_version_rises_when_scenes_change() -> None:
    """Coarse figures of one scene, so that other versions of the libraries give them as well.

    If this fails on purpose, raise `VARIETY_VERSION` and renew the figures.
    """
    scene = make_scene(11, "east-europe", SIZE_M, GSD_M)
    assert VARIETY_VERSION == 1
    assert len(scene.graves) == 18
    assert scene.rgba.reshape(-1, 4).mean(axis=0) == pytest.approx(
        [67.3, 59.3, 53.7, 201.6], abs=1.0
    )
    assert scene.height.mean() == pytest.approx(0.096, abs=0.01)
