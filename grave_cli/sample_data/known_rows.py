"""Outlines of a sample cemetery with the rows they were laid in; nothing is painted."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.layout import plan_cemetery
from grave_cli.sample_data.plan import Grave
from grave_cli.sample_data.scenes.cemetery import plan_scene
from grave_cli.sample_data.style import draw_style
from grave_cli.sample_data.texture.look import draw_look
from grave_cli.sample_data.tombs.tomb import Tomb
from grave_cli.sample_data.variety.draw import draw_variety


@dataclass(frozen=True)
class KnownRows:
    """Graves whose rows are known.

    Args:
        polygons: Outlines in metres, x to the east, y to the north.
        sections: Section of each grave.
        rows: Row of each grave, counted over the whole cemetery.
    """

    polygons: Array
    sections: Array
    rows: Array


def sample_rows(seed: int, size_m: float, preset: str | None = None) -> KnownRows:
    """Plan a sample cemetery and return its graves by row.

    Args:
        seed: Equal seeds give equal cemeteries.
        size_m: Edge of the square in metres.
        preset: A name from `preset_names`; None takes the default look.
    """
    rng = np.random.default_rng([seed, 0 if preset is None else zlib.crc32(preset.encode())])
    if preset is None:
        return _known(plan_cemetery(rng, size_m, draw_style(rng, seed)).graves)
    variety = draw_variety(rng, preset)
    plan = plan_scene(rng, size_m, variety, draw_look(rng, variety))
    return _known([tomb for tomb in plan.tombs if tomb.outlined])


def _known(graves: Sequence[Grave | Tomb]) -> KnownRows:
    """Number the rows; y points down in a plan and up on a map."""
    corners = np.array([grave.corners for grave in graves]).reshape(-1, 4, 2) * (1, -1)
    places = np.array([grave.row or (-1, -1) for grave in graves], int).reshape(-1, 2)
    _, rows = np.unique(places, axis=0, return_inverse=True)
    return KnownRows(shapely.polygons(corners), places[:, 0], rows.reshape(-1))
