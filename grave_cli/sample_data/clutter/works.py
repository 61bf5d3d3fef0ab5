"""Construction: pallets, stacked slabs and pipes, tarpaulins, fences, open pits, toilets."""

from __future__ import annotations

import numpy as np

from grave_cli.sample_data.site import Site
from grave_cli.sample_data.texture.palettes import PAINTS, STONES, pick, shift

CLOTH = ((52, 88, 150), (64, 108, 78), (196, 198, 196), (96, 92, 80), (206, 124, 48))


def pallet(rng: np.random.Generator, site: Site) -> None:
    """Paint a pallet, empty or with a load of stones."""
    boards = np.abs(site.v % 0.16 - 0.08) < 0.055
    wood = np.array([162.0, 132, 94]) * rng.uniform(0.7, 1.1)
    cover = site.box(site.size)
    site.build(cover, wood * np.where(boards, 1.0, 0.55)[..., None], 0.14)
    if rng.random() < 0.6:
        size = (site.size[0] * 0.9, site.size[1] * 0.9)
        stone = np.asarray(pick(rng, STONES, 12), np.float32)
        joints = (np.abs(site.u % 0.3 - 0.15) > 0.14) | (np.abs(site.v % 0.2 - 0.1) > 0.09)
        load = stone * np.where(joints, 0.75, 1.0)[..., None]
        site.rise(size, load, float(rng.uniform(0.3, 1.1)), 0, (0, 0), 0.14)


def stack(rng: np.random.Generator, site: Site) -> None:
    """Paint a stack of old gravestones, kerbs or slabs, laid down at odd angles."""
    for _ in range(int(rng.integers(3, 8))):
        size = (float(rng.uniform(0.15, 0.9)), float(rng.uniform(0.5, 1.6)))
        at = (
            float(rng.uniform(-0.3, 0.3)) * site.size[0],
            float(rng.uniform(-0.3, 0.3)) * site.size[1],
        )
        stone = np.asarray(pick(rng, STONES, 12), np.float32)
        site.rise(size, stone, float(rng.uniform(0.1, 0.6)), 0.01, at)


def pipes(rng: np.random.Generator, site: Site) -> None:
    """Paint a bundle of pipes or beams."""
    radius = float(rng.uniform(0.05, 0.25))
    colour = np.asarray(pick(rng, ((196, 120, 70), (150, 150, 148), (70, 72, 74)), 10), np.float32)
    round_ = np.sqrt(np.clip(1 - ((site.u % (2 * radius)) / radius - 1) ** 2, 0, 1))
    cover = site.box(site.size)
    site.build(cover, colour * (0.55 + 0.5 * round_)[..., None], 2 * radius * (0.5 + 0.5 * round_))


def tarp(rng: np.random.Generator, site: Site) -> None:
    """Paint a tarpaulin with folds over something."""
    colour = np.asarray(pick(rng, CLOTH, 12), np.float32)
    folds = site.field("clump", 4) + 0.6 * site.field("patch", 5)
    cover = site.box(site.size, 0.15)
    site.build(cover, colour * (1 + 0.08 * folds)[..., None], 0.15 + 0.08 * folds)


def pit(rng: np.random.Generator, site: Site) -> None:
    """Paint an open pit with boards beside it: dug, but nothing to map yet."""
    cover = site.box(site.size)
    site.patch.paint(cover, site.ground("soil") * 0.45)
    site.patch.height[cover > 0.5] = -float(rng.uniform(0.6, 1.6))
    for side in (-1, 1):
        board = site.box((0.3, site.size[1] + 0.6), 0, (side * (site.size[0] / 2 + 0.17), 0))
        site.build(board, np.array([168.0, 140, 102]) * rng.uniform(0.8, 1.1), 0.05)


def toilet(rng: np.random.Generator, site: Site) -> None:
    """Paint a portable toilet with its pale roof."""
    colour = np.asarray(pick(rng, PAINTS, 12), np.float32)
    site.rise((1.1, 1.1), colour, 2.1, 0.05)
    site.build(site.box((1.0, 1.0), 0.15, height_m=2.2), (222, 226, 226), 2.3)


def fence(rng: np.random.Generator, site: Site) -> None:
    """Paint a builder's fence: thin mesh on concrete feet."""
    metal = np.array([150.0, 152, 152])
    mesh = np.abs(site.u % 0.2 - 0.1) < 0.05
    site.build(site.box((site.size[0], 0.04), height_m=1.0) * mesh, metal, 1.8)
    for u in np.arange(-site.size[0] / 2, site.size[0] / 2 + 0.1, 3.4):
        foot = site.box((0.22, 0.7), 0.03, (float(u), 0))
        site.build(foot, np.asarray(shift(rng, (150, 146, 140), 10)), 0.15)
