"""Presets: which habits a region's cemeteries have, and how often a scene holds no grave."""

from __future__ import annotations

from dataclasses import dataclass

from grave_cli.errors import DatasetError
from grave_cli.sample_data.variety.settings import HabitKind, SceneKind

VARIETY_VERSION = 1
"""Raised whenever the same seed gives other scenes, so that a model card can name its scenes."""
ALL = "all"
"""Draws one of the other presets for every scene."""


@dataclass(frozen=True)
class Preset:
    """One region's cemeteries.

    Args:
        share: How often `all` draws it, relative to the others.
        habits: Layouts and their relative frequency.
        touching: Range of the share of neighbours that share an edge.
        gap_m: Range of the largest distance between neighbours in metres.
        mixed: Most layouts found in one cemetery.
    """

    share: float
    habits: dict[HabitKind, float]
    touching: tuple[float, float] = (0.0, 0.7)
    gap_m: tuple[float, float] = (0.1, 0.8)
    mixed: int = 4


PRESETS: dict[str, Preset] = {
    "central-europe": Preset(
        0.30,
        {"bordered": 8, "urns": 2, "children": 0.7, "family": 1.5, "mounds": 0.6, "cleared": 0.8},
    ),
    "france-italy": Preset(
        0.16,
        {"slabs": 8, "family": 1, "children": 0.4, "urns": 0.6, "mounds": 0.5, "cleared": 0.4},
        touching=(0.0, 0.9),
        gap_m=(0.05, 0.5),
    ),
    "netherlands-scandinavia": Preset(
        0.15,
        {"lawn plots": 5, "hedged": 2, "kerb sets": 2, "urns": 1.5, "bordered": 1, "cleared": 0.5},
        touching=(0.0, 0.4),
        gap_m=(0.2, 0.8),
    ),
    "britain-us": Preset(
        0.10,
        {"headstones": 4, "kerb sets": 5, "slabs": 1, "children": 0.6, "mounds": 0.6},
        touching=(0.0, 0.3),
        gap_m=(0.2, 0.8),
    ),
    "east-europe": Preset(
        0.15,
        {"fenced": 2, "slabs": 4, "bordered": 4, "mounds": 1, "children": 0.4},
        touching=(0.0, 0.6),
        gap_m=(0.05, 0.6),
    ),
    "headstone-plots": Preset(
        0.0,
        {"headstone plots": 6, "kerb sets": 3, "slabs": 0.5},
        touching=(0.0, 0.4),
        gap_m=(0.1, 0.8),
    ),
    "negatives": Preset(0.14, {}),
}
"""`headstone-plots` outlines the plot before each headstone in a lawn, which `britain-us` leaves
as background; `all` never draws it, so that the two do not contradict each other."""

NEGATIVES: dict[SceneKind, float] = {
    "park": 2.5,
    "car park": 1.5,
    "village": 2.0,
    "lawn": 1.0,
    "water": 0.6,
    "allotments": 1.5,
    "works": 1.0,
    "playground": 1.0,
    "wood": 0.8,
}
"""Scenes without a grave and their relative frequency in the preset `negatives`."""


def preset_names() -> list[str]:
    """Return the names that `--variety` accepts."""
    return [ALL, *PRESETS]


def check_preset(name: str) -> None:
    """Refuse an unknown preset.

    Raises:
        DatasetError: No preset has this name.
    """
    if name not in preset_names():
        raise DatasetError(
            "unknown variety of sample cemeteries",
            found=name,
            expected="one of " + ", ".join(preset_names()),
        )
