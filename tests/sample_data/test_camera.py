"""Sun, camera and mosaic of varied scenes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grave_cli.sample_data.camera.develop import compress, develop, expose
from grave_cli.sample_data.camera.mosaic import draw_alpha, lay_photos
from grave_cli.sample_data.camera.sunlight import light_of, shadow_of
from grave_cli.sample_data.canvas import Canvas
from grave_cli.sample_data.relief import model_relief
from grave_cli.sample_data.texture.photographs import STEPS, Texture
from grave_cli.sample_data.variety.draw import draw_variety
from grave_cli.sample_data.variety.settings import Lens, Sun

GSD_M = 0.05
CLEAR = Sun(180.0, 45.0, 1.0, (0.3, 0.3, 0.4), 0.02)
LENS = Lens(GSD_M, 0.3, 1.0, 1.0, 1.0, (1.0, 1.0, 1.0), 0.0, 0.0, 0.0, 95)


def _post() -> np.ndarray:
    height = np.zeros((80, 80), np.float32)
    height[50:54, 38:42] = 1.0
    return height


def test_shadow_is_dark_bluish_and_lies_away_from_the_sun() -> None:
    """A 1 m post under a sun 45° high in the south throws 1 m of shadow to the north."""
    height = _post()
    light = light_of(height, shadow_of(height, GSD_M, CLEAR), GSD_M, CLEAR)
    assert light[5, 5] == pytest.approx((1.0, 1.0, 1.0), abs=0.01)
    assert light[40, 40, 0] < 0.45 < light[62, 40, 0]
    assert light[40, 40, 2] > light[40, 40, 0]
    assert light[25, 40, 0] > 0.95


def test_overcast_sky_throws_no_shadow() -> None:
    sun = replace(CLEAR, share=0.0)
    height = _post()
    light = light_of(height, shadow_of(height, GSD_M, sun), GSD_M, sun)
    assert light[30:45, 40].min() > 0.8


@pytest.mark.parametrize(
    ("change", "brighter"),
    [({"gain": 1.3}, True), ({"gain": 0.7}, False), ({"haze": 0.2}, True)],
)
def test_exposure_and_haze_change_brightness(change: dict[str, float], brighter: bool) -> None:
    rng, lit = np.random.default_rng(0), np.full((8, 8, 3), 90.0, np.float32)
    plain = expose(rng, lit, LENS).mean()
    assert (expose(rng, lit, replace(LENS, **change)).mean() > plain + 5) == brighter


def test_low_jpeg_quality_loses_detail() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)
    errors = [np.abs(compress(picture, q).astype(int) - picture).mean() for q in (45, 95)]
    assert errors[0] > errors[1]


def test_bands_leave_no_seam() -> None:
    """A scene taller than one band equals itself at the band's border."""
    rng = np.random.default_rng(0)
    canvas = Canvas.blank(25.0, GSD_M)
    canvas.rgb[...] = 120
    variety = draw_variety(rng)
    mosaic = replace(variety.mosaic, gain_spread=0.0, shift_m=0.0, ghosting=0.0)
    variety = replace(variety, sun=CLEAR, lens=replace(LENS, noise=0.0), mosaic=mosaic)
    picture = develop(rng, canvas, Texture(rng, GSD_M), variety)
    assert np.ptp(picture.astype(int)) <= 2


@pytest.mark.parametrize("outline", ["full", "square", "round", "turned", "strip"])
def test_mosaic_holds_most_of_the_scene(outline: str) -> None:
    rng = np.random.default_rng(3)
    canvas = Canvas.blank(15.0, GSD_M)
    mosaic = replace(draw_variety(rng).mosaic, outline=outline)
    alpha = draw_alpha(rng, canvas, Texture(rng, GSD_M), mosaic)
    assert set(np.unique(alpha)) <= {0, 255}
    assert (alpha == 255).all() == (outline == "full")
    assert (alpha == 255).mean() > 0.4


def test_every_pixel_comes_from_one_photo_that_is_hardly_misplaced() -> None:
    rng = np.random.default_rng(3)
    canvas = Canvas.blank(15.0, GSD_M)
    mosaic = replace(draw_variety(rng).mosaic, shift_m=0.03, photo_m=6.0, ghosting=0.3)
    photos = lay_photos(rng, canvas, Texture(rng, GSD_M), mosaic)
    owner, ghosting = photos.rows(37, 91, 300)
    assert owner.shape == ghosting.shape == (54, 300)
    assert len(np.unique(photos.owner)) > 3
    assert abs(photos.shift_px).max() * GSD_M < 0.2
    assert 0 <= ghosting.min() <= ghosting.max() < 0.5


def test_textures_keep_their_contrast_and_repeat_without_a_seam() -> None:
    for gsd in STEPS:
        texture = Texture(np.random.default_rng(0), gsd)
        for name in ("grain", "clump", "grass", "stones", "brick", "broad"):
            field = texture._fields[name]
            seam = np.abs(field[0] - field[-1]).mean()
            assert seam < 1.6 * np.abs(np.diff(field, axis=0)).mean() + 1e-6, name
            assert 0.3 < field.std() < 1.1


def test_dem_holes_cover_about_the_share_asked_for() -> None:
    rng = np.random.default_rng(0)
    relief = replace(draw_variety(rng).relief, gsd_m=0.1, holes=0.05)
    surface = model_relief(rng, np.zeros((300, 300), np.float32), GSD_M, relief)
    assert surface is not None
    assert (surface.values == -9999).mean() == pytest.approx(0.05, abs=0.01)
    assert model_relief(rng, np.zeros((9, 9)), GSD_M, replace(relief, gsd_m=0.0)) is None
