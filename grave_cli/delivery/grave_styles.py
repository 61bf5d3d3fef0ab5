"""Styles of the layers of a map.

The colours differ for colour-blind people, too. A dark casing under each bright line shows it on
any ground: grass, gravel, shadow or white stone.
"""

from grave_cli.delivery.grave_columns import FLAG_WORDS, words
from grave_cli.delivery.layer import Words
from grave_cli.delivery.style import ELSE, Label, Millimetres, Rule, Stroke, Style
from grave_cli.settings.output import Language

SURE = 0.9
"""Confidence from which a grave is drawn as sure."""
LIKELY = 0.75
"""Confidence from which a grave is drawn as likely."""

_CASING, _CORE, _ABOVE = 0, 1, 2  # levels


def cased(
    colour: str, width_m: float = 0.07, limits_mm: Millimetres = (0.26, 0.7), level: int = _CORE
) -> tuple[Stroke, ...]:
    """Return a bright line on a dark casing.

    Args:
        colour: Colour of the line.
        width_m: Its width on the ground, in metres.
        limits_mm: Thinnest and thickest line on paper or screen, in millimetres.
        level: Level of the line; the casing lies below all lines.
    """
    dark = (limits_mm[0] + 0.25, limits_mm[1] + 0.5)
    casing = Stroke("#101418", width_m * 1.8, dark, opacity=0.75, level=_CASING)
    return casing, Stroke(colour, width_m, limits_mm, level=level)


def _rule(title: Words, condition: str, colour: str, fill_opacity: float, level: int) -> Rule:
    return Rule(title, condition, cased(colour, level=level), colour, fill_opacity)


def _flags(language: Language) -> str:
    """Return the QGIS expression of the flags in words."""
    pairs = ", ".join(f"'{flag}', '{text[language]}'" for flag, text in FLAG_WORDS.items())
    return f"replace(replace(\"flags\", map({pairs})), ',', ', ')"


def _tip(language: Language) -> str:
    sure = words("sure", "sicher")[language]
    return (
        "<b>[% coalesce(\"grave_id\", '') %]</b><br>"
        f"[% if(\"confidence\" IS NULL, '', round(100 * \"confidence\") || ' % {sure} · ') %]"
        "[% if(\"area_m2\" IS NULL, '', format_number(\"area_m2\", 2) || ' m²') %]"
        f"[% if(coalesce(\"flags\", '') = '', '', '<br>' || {_flags(language)}) %]"
    )


_SETTLED = 'NOT coalesce("needs_review", false) AND "confidence"'

GRAVES = Style(
    rules=(
        _rule(words("needs review", "bitte prüfen"), '"needs_review"', "#ff4d1c", 0.35, _ABOVE),
        _rule(
            words(f"sure ({SURE:.0%} and more)", f"sicher (ab {SURE * 100:.0f} %)"),
            f"{_SETTLED} >= {SURE}",
            "#3dd0ff",
            0.10,
            _CORE,
        ),
        _rule(
            words(f"likely ({LIKELY:.0%} and more)", f"wahrscheinlich (ab {LIKELY * 100:.0f} %)"),
            f'{_SETTLED} >= {LIKELY} AND "confidence" < {SURE}',
            "#ffe14d",
            0.15,
            _CORE,
        ),
        _rule(
            words(f"unsure (less than {LIKELY:.0%})", f"unsicher (unter {LIKELY * 100:.0f} %)"),
            f"{_SETTLED} < {LIKELY}",
            "#ff9ed2",
            0.20,
            _CORE,
        ),
        _rule(words("drawn by hand", "von Hand gezeichnet"), ELSE, "#ffffff", 0.10, _CORE),
    ),
    label=Label('"number"'),
    tip={"en": _tip("en"), "de": _tip("de")},
    display='"grave_id"',
)
"""Graves by review flag and confidence, with their numbers from 1:300 on."""

GRAVES_RAW = Style(
    rules=(
        Rule(
            words("before regularisation", "vor der Begradigung"),
            "",
            (Stroke("#f2f2f2", 0.02, (0.12, 0.25), opacity=0.7, dashed=True),),
        ),
    ),
    from_scale=300,
    display='"grave_id"',
)
"""Outlines before regularisation: thin dashes, from 1:300 on."""

COVERAGE = Style(
    rules=(
        Rule(
            words("mapped area", "kartierte Fläche"),
            "",
            (
                Stroke("#101418", 0.1, (0.5, 0.7), opacity=0.35),
                Stroke("#ffffff", 0.05, (0.2, 0.3), opacity=0.6, dashed=True, level=1),
            ),
        ),
    ),
    display='"cemetery_id"',
)
"""Footprint of the imagery: a faint line without area."""

TABLE = Style(rules=())
"""A table: titles of the columns alone."""
