"""A style as a value: rules, strokes and labels, free of any program. `qml` writes it for QGIS."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from grave_cli.settings.output import Language

Words = Mapping[Language, str]
Millimetres = tuple[float, float]
ELSE = "ELSE"
"""Condition of a rule for the features that no other rule draws."""


@dataclass(frozen=True)
class Stroke:
    """A line along an outline, which is thicker on a closer look.

    Args:
        colour: Colour as #rrggbb.
        width_m: Width on the ground, in metres.
        limits_mm: Thinnest and thickest on paper or screen, in millimetres.
        opacity: From 0 to 1.
        dashed: Draw dashes.
        level: Strokes of a higher level cover those of all other features below.
    """

    colour: str
    width_m: float
    limits_mm: Millimetres
    opacity: float = 1.0
    dashed: bool = False
    level: int = 0


@dataclass(frozen=True)
class Rule:
    """How some of the features are drawn, as a line of the legend.

    Args:
        title: Text of the legend.
        condition: QGIS expression over the columns; empty for all features, or `ELSE`.
        strokes: Lines along the outline, the lowest first.
        fill: Colour of the area as #rrggbb; None for none.
        fill_opacity: From 0 to 1.
    """

    title: Words
    condition: str
    strokes: tuple[Stroke, ...]
    fill: str | None = None
    fill_opacity: float = 0.0


@dataclass(frozen=True)
class Label:
    """A text on each feature.

    Args:
        expression: QGIS expression of the text.
        from_scale: Largest scale denominator at which it is drawn: 300 stands for 1:300.
        height_m: Height of the letters on the ground, in metres.
        limits_mm: Smallest and largest letters on paper or screen, in millimetres.
    """

    expression: str
    from_scale: int = 300
    height_m: float = 0.6
    limits_mm: Millimetres = (1.9, 4.5)


@dataclass(frozen=True)
class Style:
    """How a layer is drawn and shown.

    Args:
        rules: The first ones come first in the legend.
        label: Text on each feature; None for none.
        from_scale: Largest scale denominator at which the layer is drawn; None for all.
        tip: Text that appears under the mouse, with QGIS expressions in `[% … %]`.
        display: QGIS expression that names a feature.
    """

    rules: tuple[Rule, ...]
    label: Label | None = None
    from_scale: int | None = None
    tip: Words = field(default_factory=dict)
    display: str = ""
