"""The layer `candidates` of a map: its columns, the words of its reasons, its style.

A candidate is an instance that fell below a threshold of the model. The office writes `accept` or
`refuse` into its `decision`; `gravecli tidy` makes graves of the accepted ones.
"""

from collections.abc import Mapping

from grave_cli.delivery.grave_columns import GRAVE_COLUMNS, words
from grave_cli.delivery.layer import Column, Words
from grave_cli.delivery.style import Rule, Stroke, Style
from grave_cli.settings.output import Language

CANDIDATES = "candidates"
"""Name of the layer."""
ACCEPT, REFUSE = "accept", "refuse"

DECISIONS: Mapping[str, Words] = {
    "": words("not decided", "nicht entschieden"),
    ACCEPT: words("a grave: accept", "ein Grab: übernehmen"),
    REFUSE: words("no grave: refuse", "kein Grab: verwerfen"),
}
"""Values of the column `decision`."""

CANDIDATE_REASONS: Mapping[str, Words] = {
    "body": words("too faint to be drawn", "zu schwach, um gezeichnet zu werden"),
    "peak": words("nowhere sure enough", "nirgends sicher genug"),
    "size": words("too small to be drawn", "zu klein, um gezeichnet zu werden"),
    "seeds": words("no clear middle", "ohne klare Mitte"),
}
"""Thresholds below which an instance fell, as the column `reason` names them."""

CANDIDATE_COLUMNS: Mapping[str, Column] = {
    "candidate_id": Column(
        "int",
        words("Candidate", "Kandidat"),
        words("Number of the candidate on this map", "Nummer des Kandidaten auf dieser Karte"),
    ),
    "probability": Column(
        "float",
        words("Probability", "Wahrscheinlichkeit"),
        words(
            "Estimated probability that this is a grave, 0 to 1",
            "Geschätzte Wahrscheinlichkeit, dass hier ein Grab liegt, 0 bis 1",
        ),
    ),
    "reason": Column(
        "str",
        words("Reason", "Grund"),
        words("Why it was not drawn as a grave", "Warum es nicht als Grab gezeichnet wurde"),
    ),
    "review_rank": GRAVE_COLUMNS["review_rank"],
    "review_reason": GRAVE_COLUMNS["review_reason"],
    "decision": Column(
        "str",
        words("Decision", "Entscheidung"),
        words(
            "accept: it becomes a grave; refuse: it is removed; empty: not decided",
            "accept: wird ein Grab; refuse: wird entfernt; leer: nicht entschieden",
        ),
        values=DECISIONS,
    ),
}
"""Columns of the layer."""


def _tip(language: Language) -> str:
    grave = words("a grave", "ein Grab")[language]
    return (
        f"[% round(100 * \"probability\") || ' % {grave}' %]"
        "[% if(coalesce(\"reason\", '') = '', '', '<br>' || \"reason\") %]"
        "[% if(coalesce(\"review_reason\", '') = '', '', '<br>' || \"review_reason\") %]"
    )


def _rule(title: Words, condition: str, colour: str, opacity: float, fill: float) -> Rule:
    line = Stroke(colour, 0.05, (0.2, 0.45), opacity=opacity, dashed=True, level=1)
    dark = Stroke("#101418", 0.09, (0.4, 0.8), opacity=opacity / 2, level=0)
    return Rule(title, condition, (dark, line), colour, fill)


_DECISION = "coalesce(\"decision\", '')"

CANDIDATE_STYLE = Style(
    rules=(
        _rule(words("accepted", "übernommen"), f"{_DECISION} = '{ACCEPT}'", "#5dff8f", 0.9, 0.2),
        _rule(words("refused", "verworfen"), f"{_DECISION} = '{REFUSE}'", "#b0b0b0", 0.4, 0.0),
        _rule(words("perhaps a grave", "vielleicht ein Grab"), "ELSE", "#ffffff", 0.6, 0.05),
    ),
    tip={"en": _tip("en"), "de": _tip("de")},
    display='"candidate_id"',
)
"""Faint dashes; a decision colours them."""
