"""Buildings seen from above: tiled, flat and tin roofs, sheds, chapels, pergolas, greenhouses."""

from __future__ import annotations

import numpy as np

from grave_cli.sample_data.canvas import Array, Colour
from grave_cli.sample_data.site import Site
from grave_cli.sample_data.texture.palettes import ROOFS, STONES, TINS, pick, shift

WALL: Colour = (186, 178, 164)


def _walls(rng: np.random.Generator, site: Site, eave: float) -> None:
    """Show the walls that lean out from under the roof."""
    inset = 0.3 if min(site.size) > 2.5 else 0.05
    size = (site.size[0] - 2 * inset, site.size[1] - 2 * inset)
    site.rise(size, np.asarray(shift(rng, WALL, 24), np.float32), eave)


def _ridge(site: Site, eave: float, rise: float, hipped: bool) -> Array:
    """Return the height of a roof with its ridge along u."""
    u, v = site.at(eave)
    half = site.size[1] / 2
    inside = half - np.abs(v)
    if hipped:
        inside = np.minimum(inside, (site.size[0] / 2 - np.abs(u)) * 1.2)
    return np.asarray(eave + rise * np.clip(inside / half, 0, 1))


def tile_roof(rng: np.random.Generator, site: Site) -> None:
    """Paint a gabled or hipped roof of tiles, with chimneys and windows."""
    eave = float(rng.uniform(2.4, 5.5)) if min(site.size) > 4 else float(rng.uniform(1.9, 2.6))
    rise = float(rng.uniform(0.2, 0.5)) * site.size[1]
    _walls(rng, site, eave)
    u, v = site.at(eave)
    course = np.abs(v) / float(rng.uniform(0.15, 0.34)) % 1
    tile = site.noise.at("grain", ((v / 0.17).astype(int) * 3, (u / 0.25).astype(int) * 3), 2)
    shade = 0.92 + 0.1 * course + 0.04 * tile + 0.05 * site.field("patch", 1)
    colour = np.asarray(pick(rng, ROOFS, 10), np.float32)
    moss = 0.3 * np.clip(site.field("clump", 3) - float(rng.uniform(0.5, 3)), 0, 1)[..., None]
    tiles = colour * shade[..., None] * (1 - moss) + np.array([96.0, 104, 70]) * moss
    top = _ridge(site, eave, rise, bool(rng.random() < 0.35))
    site.build(site.box(site.size, height_m=eave), tiles, top)
    _roof_parts(rng, site, eave + 0.6 * rise, colour)


def _roof_parts(rng: np.random.Generator, site: Site, height: float, colour: Array) -> None:
    """Put windows, chimneys and solar panels onto a roof."""
    u_max, v_max = 0.35 * site.size[0], 0.32 * site.size[1]
    for _ in range(int(rng.poisson(0.6 * min(4.0, min(site.size) / 3)))):
        at = (float(rng.uniform(-u_max, u_max)), float(rng.uniform(-v_max, v_max)))
        chance = rng.random()
        if chance < 0.4:
            site.build(site.box((0.7, 1.0), 0.02, at, height), (66, 76, 88), height + 0.05)
        elif chance < 0.75:
            site.rise((0.6, 0.6), colour * 0.8, height + 1.0, 0, at, height)
        else:
            size = (0.5 * site.size[0] * float(rng.random()) + 1, 1.6)
            grid = (np.abs(site.u % 1.0 - 0.5) < 0.48) & (np.abs(site.v % 0.8 - 0.4) < 0.38)
            panel = np.where(grid[..., None], (38, 44, 64), (120, 124, 130))
            site.build(site.box(size, 0, at, height), panel, height + 0.1)


def flat_roof(rng: np.random.Generator, site: Site) -> None:
    """Paint a flat roof of bitumen, gravel or plants, with a parapet and domes."""
    height = float(rng.uniform(2.3, 6))
    _walls(rng, site, height)
    surface = str(rng.choice(["gravel", "asphalt", "concrete", "meadow"]))
    top = site.box(site.size, height_m=height)
    site.build(top, np.asarray(shift(rng, (150, 150, 150), 16), np.float32), height + 0.2)
    inner = site.box((site.size[0] - 0.5, site.size[1] - 0.5), height_m=height)
    site.patch.paint(inner, site.ground(surface) * rng.uniform(0.75, 1.15))
    site.patch.height[inner > 0.5] = height
    for _ in range(int(rng.poisson(1.5))):
        at = (
            float(rng.uniform(-0.3, 0.3)) * site.size[0],
            float(rng.uniform(-0.3, 0.3)) * site.size[1],
        )
        edge = float(rng.uniform(0.6, 1.4))
        site.rise((edge, edge), np.array([206.0, 212, 214]), height + 0.4, 0.1, at, height)


def tin_roof(rng: np.random.Generator, site: Site) -> None:
    """Paint a roof of corrugated metal, with sheets of different age and rust."""
    eave = float(rng.uniform(1.9, 4.0))
    rise = float(rng.uniform(0.05, 0.3)) * site.size[1]
    _walls(rng, site, eave)
    u, v = site.at(eave)
    wave = np.cos(u * (2 * np.pi / float(rng.choice([0.18, 0.25, 0.5]))))
    colour = np.asarray(pick(rng, TINS, 12), np.float32)
    sheet = site.noise.at("grain", ((v / 1.8).astype(int) * 5, (u / 0.9).astype(int) * 5), 4)
    shade = 1 + 0.04 * sheet + 0.035 * wave + 0.05 * site.field("patch", 2)
    rust = 0.7 * np.clip(site.field("clump", 6) + site.field("patch", 7) - 1.8, 0, 1)[..., None]
    metal = colour * shade[..., None] * (1 - rust) + np.array([132.0, 84, 58]) * rust
    one_side = rng.random() < 0.5
    top = eave + rise * (0.5 + v / site.size[1]) if one_side else _ridge(site, eave, rise, False)
    site.build(site.box(site.size, height_m=eave), metal, top)


def chapel(rng: np.random.Generator, site: Site) -> None:
    """Paint a chapel: a tiled roof with a turret."""
    tile_roof(rng, site)
    at = (site.size[0] * float(rng.choice([-0.34, 0.34])), 0.0)
    turret = np.asarray(pick(rng, ROOFS, 8), np.float32) * 0.85
    site.rise((1.3, 1.3), turret, 8.0, 0, at, 5.0)


def tomb_chapel(rng: np.random.Generator, site: Site) -> None:
    """Paint a family chapel: a small stone roof between graves; no office maps it as a plot."""
    stone = np.asarray(pick(rng, STONES, 10), np.float32)
    _walls(rng, site, 2.2)
    speck = 6 * site.field("grain", 3) + 7 * site.field("clump", 4)
    top = _ridge(site, 2.3, 0.35 * site.size[1], False)
    site.build(site.box(site.size, height_m=2.3), stone + speck[..., None], top)


def columbarium(rng: np.random.Generator, site: Site) -> None:
    """Paint a wall of urn niches: a long, narrow roof of stone or metal."""
    stone = np.asarray(shift(rng, (150, 146, 140), 22), np.float32)
    joints = np.abs(site.at(1.9)[0] % 0.5 - 0.25) > 0.235
    colours = stone * np.where(joints, 0.75, 1.0)[..., None]
    site.rise(site.size, stone, float(rng.uniform(1.4, 2.1)))
    site.build(site.box(site.size, height_m=1.8), colours, 1.9)


def pergola(rng: np.random.Generator, site: Site) -> None:
    """Paint a pergola: beams with gaps, half grown over."""
    wood = np.array([124.0, 98, 70]) * rng.uniform(0.7, 1.3)
    u, v = site.at(2.4)
    beams = (np.abs(u % 0.5 - 0.25) < 0.05) | (np.abs(np.abs(v) - site.size[1] * 0.4) < 0.07)
    inside = site.box(site.size, height_m=2.4)
    site.build(inside * beams, wood, 2.4)
    if rng.random() < 0.5:
        grown = site.field("clump", 5) + 0.5 * site.field("patch", 6) > float(rng.uniform(-0.5, 1))
        green = np.asarray(site.look.greens[0], np.float32)
        leaf = 1 + 0.16 * site.field("grain", 7)
        site.build(inside * grown, green * leaf[..., None], 2.6)


def greenhouse(rng: np.random.Generator, site: Site) -> None:
    """Paint a greenhouse: panes in frames over green."""
    u, v = site.at(2.0)
    frame = (np.abs(u % 0.6 - 0.3) < 0.03) | (np.abs(v % 0.6 - 0.3) < 0.03)
    inside = site.box(site.size, height_m=2.0)
    glass = (
        np.array([176.0, 190, 188]) * rng.uniform(0.75, 1.1)
        + (6 * site.field("patch", 3))[..., None]
    )
    site.build(inside, glass, _ridge(site, 1.7, 0.6, False))
    site.patch.paint(inside * frame, (226, 228, 228))


def canopy(rng: np.random.Generator, site: Site) -> None:
    """Paint a parasol or tent: a pyramid of cloth."""
    colour = np.asarray(
        pick(rng, ((214, 208, 196), (164, 52, 48), (64, 96, 74), (230, 230, 228)), 8)
    )
    height = float(rng.uniform(2.0, 3.0))
    top = _ridge(site, height, 0.5, True)
    u, v = site.at(height)
    fold = 1 - 0.08 * (np.abs(u) > np.abs(v))
    site.build(site.box(site.size, 0.1, height_m=height), colour * fold[..., None], top)
