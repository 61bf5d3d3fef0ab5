"""Styles of the layers of a comparison.

Hues differ in lightness, too, so that colour-blind people tell them apart; what needs no look is
faint.
"""

from collections.abc import Collection

from grave_cli.delivery.grave_columns import words
from grave_cli.delivery.grave_styles import cased
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


def changes_style(id_column: str, columns: Collection[str]) -> Style:
    """Return the style of graves by change; changed graves show their numbers.

    Args:
        id_column: Column of the ids, whose letters tell the parts of a split grave apart.
        columns: All columns of the layer.
    """
    one = f'"{id_column}"'
    letters = f"regexp_substr({one}, '[0-9]([A-Z]+)$')"
    numbered = "number" in columns and id_column != "number"
    number = f'coalesce("number" || {letters}, {one})' if numbered else one
    return Style(
        rules=tuple(_rule(change) for change in CHANGE_WORDS),
        label=Label(f"if(\"change\" = 'unchanged', '', {number})"),
        display=one,
    )


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
