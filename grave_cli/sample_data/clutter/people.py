"""People seen from above, alone and in groups."""

from __future__ import annotations

import numpy as np

from grave_cli.sample_data.site import Site
from grave_cli.sample_data.texture.palettes import PAINTS, pick

SKINS = ((206, 168, 142), (150, 108, 82), (96, 66, 50), (226, 192, 168))
HAIRS = ((52, 42, 36), (112, 84, 58), (186, 182, 176), (30, 28, 28), (168, 132, 84))


def person(rng: np.random.Generator, site: Site) -> None:
    """Paint one person: shoulders, head, a foot set forward."""
    _stand(rng, site, (0.0, 0.0))


def group(rng: np.random.Generator, site: Site) -> None:
    """Paint a group of people, dark as at a burial or mixed."""
    for _ in range(int(rng.integers(3, 12))):
        at = (
            float(rng.uniform(-0.45, 0.45)) * site.size[0],
            float(rng.uniform(-0.45, 0.45)) * site.size[1],
        )
        _stand(rng, site, at)


def _stand(rng: np.random.Generator, site: Site, at: tuple[float, float]) -> None:
    cloth = np.asarray(pick(rng, PAINTS, 12), np.float32)
    width = float(rng.uniform(0.38, 0.5))
    for part in (0.0, 0.35, 0.7, 1.0, 1.3):
        body = (width * (0.7 + 0.25 * part / 1.3), 0.26)
        site.build(site.box(body, 0.12, at, part), cloth * (0.6 + 0.3 * part), part + 0.1)
    hair = np.asarray(pick(rng, HAIRS, 8), np.float32)
    site.build(site.disc(0.1, (at[0], at[1] - 0.06), 1.6), np.asarray(pick(rng, SKINS, 6)), 1.6)
    site.build(site.disc(0.1, at, 1.65), hair, 1.68)
