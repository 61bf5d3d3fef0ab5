"""Styles of the layers of a comparison.

Hues differ in lightness, too, so that colour-blind people tell them apart; what needs no look is
faint.
"""

from collections.abc import Collection

from grave_cli.delivery.grave_columns import words
from grave_cli.delivery.grave_styles import GRAVES, cased
from grave_cli.delivery.style import Label, Rule, Stroke, Style
from grave_cli.resurvey.columns import CHANGE_WORDS

_COLOURS = {
    "unchanged": ("#d9d9d9", 0.05, 1),
    "moved": ("#ffb000", 0.30, 2),
    "resized": ("#fe6100", 0.35, 2),
    "new": ("#22d65a", 0.40, 2),
    "gone": ("#e8175d", 0.15, 2),
    "split": ("#3d8bff", 0.35, 2),
    "merged": ("#a05cff", 0.35, 2),
    "outside": ("#8c8c8c", 0.0, 1),
}
"""Colour, opacity of the area and level of each kind of change."""


def _rule(change: str) -> Rule:
    colour, opacity, level = _COLOURS[change]
    dashes = Stroke(colour, 0.06, (0.3, 0.7), dashed=True, level=level)
    strokes = (dashes,) if change in ("gone", "outside") else cased(colour, level=level)
    return Rule(CHANGE_WORDS[change], f"\"change\" = '{change}'", strokes, colour, opacity)


CHANGES_STYLE = Style(
    rules=tuple(_rule(change) for change in CHANGE_WORDS),
    label=Label("if(\"change\" = 'unchanged', '', \"number\")"),
)
"""Graves by change, with the numbers of those that changed."""

BEFORE = Style(
    rules=(
        Rule(
            words("previous survey", "vorige Aufnahme"),
            "",
            (Stroke("#ffffff", 0.02, (0.12, 0.3), opacity=0.8, dashed=True),),
        ),
    ),
    from_scale=500,
)
"""Outlines of the old survey: thin dashes, from 1:500 on."""

_NEEDED = frozenset({"grave_id", "number", "confidence", "area_m2", "flags", "needs_review"})


def graves_style(columns: Collection[str]) -> Style | None:
    """Return the style of a map of graves; None if it lacks the columns that this needs."""
    return GRAVES if set(columns) >= _NEEDED else None
