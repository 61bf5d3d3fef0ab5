"""Draws the parts and materials of a grave by the habit of its section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from grave_cli.sample_data.canvas import Array
from grave_cli.sample_data.texture.look import Look
from grave_cli.sample_data.tombs.tomb import (
    BorderKind,
    FillingKind,
    HeadKind,
    Tomb,
    TombKind,
    TombStatus,
)
from grave_cli.sample_data.variety.draw import choose
from grave_cli.sample_data.variety.settings import Care, HabitKind

Range = tuple[float, float]


@dataclass(frozen=True)
class Make:
    """Parts and materials of the graves of one habit.

    Args:
        kinds: Relative frequency of each kind.
        borders: Relative frequency of each border.
        fillings: Relative frequency of each filling.
        heads: Relative frequency of each head.
        rim_m: Range of the border's width in metres.
        rim_height_m: Range of the border's height in metres.
        lift_m: Range of the height of slab or bed in metres.
        gifts: Mean number of gifts.
        outlined: Whether the graves belong to the ground truth.
    """

    kinds: Mapping[TombKind, float]
    borders: Mapping[BorderKind, float]
    fillings: Mapping[FillingKind, float]
    heads: Mapping[HeadKind, float]
    rim_m: Range = (0.04, 0.14)
    rim_height_m: Range = (0.04, 0.22)
    lift_m: Range = (0.06, 0.2)
    gifts: float = 1.6
    outlined: bool = True


ADULTS: Mapping[TombKind, float] = {"single": 6, "double": 3, "child": 0.3}
STONES: Mapping[HeadKind, float] = {
    "block": 6,
    "stele": 1.2,
    "cross": 1,
    "iron cross": 0.6,
    "boulder": 0.8,
    "pillow": 0.6,
    "none": 0.7,
}
MAKES: dict[HabitKind, Make] = {
    "bordered": Make(
        ADULTS,
        {"stone": 9, "none": 1, "hedge": 0.5, "pebbles": 0.6, "metal": 0.7},
        {
            "planted": 6,
            "covered": 2.5,
            "slab": 2,
            "half slab": 2,
            "pebbles": 2.5,
            "mulch": 0.7,
            "lawn": 0.5,
            "soil": 0.8,
        },
        STONES,
    ),
    "slabs": Make(
        ADULTS,
        {"none": 3, "stone": 1.5},
        {"ledger": 5, "roof slab": 2, "slab": 3, "pebbles": 1, "soil": 0.4, "frame": 1},
        {"block": 5, "cross": 2, "stele": 0.7, "none": 2, "obelisk": 0.2, "pillow": 0.6},
        rim_m=(0.06, 0.2),
        lift_m=(0.1, 0.6),
        gifts=2.2,
    ),
    "lawn plots": Make(
        {"single": 5, "double": 2, "urn": 1},
        {"none": 4, "stone": 3, "metal": 0.5, "pebbles": 0.8},
        {"planted": 6, "covered": 2, "pebbles": 2, "mulch": 1, "slab": 0.7},
        {"block": 6, "boulder": 2, "pillow": 1, "cross": 0.5, "stele": 0.7},
        rim_m=(0.03, 0.1),
        rim_height_m=(0.02, 0.12),
        gifts=1.0,
    ),
    "hedged": Make(
        {"single": 3, "double": 5, "family": 1},
        {"hedge": 9, "stone": 1},
        {"pebbles": 6, "planted": 2, "covered": 0.8, "lawn": 1, "soil": 1},
        {"block": 5, "boulder": 3, "pillow": 1},
        rim_m=(0.15, 0.4),
        rim_height_m=(0.25, 0.9),
        gifts=1.4,
    ),
    "headstones": Make(
        {"single": 8, "double": 2, "child": 0.5},
        {"none": 1},
        {"slab": 6, "soil": 1},
        {"block": 8, "cross": 1, "stele": 0.5, "obelisk": 0.3, "none": 1},
        lift_m=(0.03, 0.15),
        gifts=0.4,
        outlined=False,
    ),
    "headstone plots": Make(
        {"single": 8, "double": 2},
        {"none": 1},
        {"plot": 1},
        {"block": 8, "cross": 1, "stele": 0.5, "obelisk": 0.2},
        gifts=0.6,
    ),
    "kerb sets": Make(
        ADULTS,
        {"stone": 8, "metal": 0.5, "fence": 0.3},
        {"pebbles": 4, "lawn": 3, "slab": 2, "planted": 1.5, "soil": 0.5, "covered": 0.6},
        {"block": 6, "cross": 1, "none": 1, "obelisk": 0.3, "pillow": 0.5},
        rim_m=(0.07, 0.18),
        rim_height_m=(0.06, 0.3),
        gifts=1.0,
    ),
    "urns": Make(
        {"urn": 1},
        {"stone": 5, "none": 3, "pebbles": 0.5, "metal": 0.3},
        {"planted": 3, "slab": 3, "ledger": 2, "pebbles": 2, "covered": 1, "half slab": 0.6},
        {"pillow": 3, "block": 3, "stele": 2, "boulder": 1, "none": 3},
        rim_m=(0.03, 0.09),
        rim_height_m=(0.03, 0.15),
        lift_m=(0.04, 0.16),
        gifts=1.0,
    ),
    "children": Make(
        {"child": 1},
        {"stone": 5, "none": 2, "pebbles": 1.5},
        {"planted": 5, "pebbles": 3, "slab": 1, "covered": 1, "mulch": 1},
        {"block": 2, "boulder": 1.5, "cross": 1.5, "pillow": 1.5, "none": 1},
        rim_m=(0.03, 0.09),
        gifts=4.0,
    ),
    "family": Make(
        {"family": 1},
        {"stone": 6, "hedge": 1.5, "fence": 1, "none": 0.5},
        {"planted": 4, "covered": 2, "pebbles": 3, "slab": 2, "frame": 1, "half slab": 1},
        {"block": 6, "obelisk": 1.2, "cross": 1.2, "stele": 1},
        rim_m=(0.08, 0.25),
        rim_height_m=(0.1, 0.4),
        lift_m=(0.06, 0.5),
        gifts=3.0,
    ),
    "mounds": Make(
        {"single": 8, "child": 1},
        {"none": 3, "pebbles": 2},
        {"mound": 1},
        {"none": 3, "cross": 4, "block": 1, "stele": 0.5},
        gifts=0.8,
    ),
    "fenced": Make(
        {"single": 4, "double": 4, "family": 2},
        {"fence": 6, "stone": 3},
        {"frame": 5, "slab": 2, "pebbles": 2, "soil": 2, "planted": 2, "mound": 0.5},
        {"block": 5, "cross": 3, "iron cross": 1, "stele": 1},
        rim_m=(0.06, 0.16),
        lift_m=(0.08, 0.35),
        gifts=3.5,
    ),
    "cleared": Make({"single": 1}, {"none": 1}, {"soil": 1}, {"none": 1}, outlined=False),
}
"""Parts and materials by habit. `cleared` sections get traces of former graves instead."""


UNMARKED: tuple[FillingKind, ...] = ("soil", "lawn", "mulch", "pebbles")
"""Fillings that nobody can tell from a cleared plot without a border or a stone."""


def draw_tomb(
    rng: np.random.Generator,
    habit: HabitKind,
    kind: TombKind,
    corners: Array,
    care: Care,
    look: Look,
) -> Tomb:
    """Draw the parts and materials of one grave.

    Args:
        rng: Source of randomness.
        habit: Layout of its section.
        kind: Kind of plot.
        corners: Where it lies.
        care: Age and overgrowth of the cemetery.
        look: Stones of the scene.
    """
    make, status = MAKES[habit], _draw_status(rng, care)
    fresh = status == "new" and habit not in ("headstones", "urns")
    stone = look.stone(rng)
    filling: FillingKind = "mound" if fresh else choose(rng, make.fillings)
    border: BorderKind = "none" if fresh else choose(rng, make.borders)
    head: HeadKind = choose(rng, {"cross": 3, "none": 1}) if fresh else choose(rng, make.heads)
    if border == "none" and head == "none" and filling in UNMARKED:
        head = "block"
    wild = rng.random() < 0.15 + 0.35 * care.overgrowth
    return Tomb(
        corners=corners,
        kind=kind,
        status=status,
        outlined=make.outlined,
        border=border,
        rim_m=0.0 if border == "none" else float(rng.uniform(*make.rim_m)),
        rim_height_m=float(rng.uniform(*make.rim_height_m)),
        filling=filling,
        head=head,
        stone=stone,
        head_stone=stone if rng.random() < 0.5 else look.stone(rng),
        lift_m=float(rng.uniform(*make.lift_m)),
        gifts=make.gifts * float(rng.uniform(0.2, 1.8)) * (0.3 if status == "neglected" else 1.0),
        overgrown=float(rng.random()) * care.overgrowth if wild else 0.0,
    )


def _draw_status(rng: np.random.Generator, care: Care) -> TombStatus:
    chance = rng.random()
    if chance < 0.25 * care.age:
        return "neglected"
    return "new" if chance > 0.975 else "occupied"
