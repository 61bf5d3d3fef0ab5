"""Evidence in, reasons in words out, for graves and for candidates."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from grave_cli.delivery.candidate_columns import CANDIDATE_REASONS
from grave_cli.delivery.grave_columns import FLAG_WORDS, words
from grave_cli.delivery.layer import Words
from grave_cli.graves.faint import Faint
from grave_cli.graves.review_model import DOUBTS, ReviewModel
from grave_cli.register.regularity import Regularity
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.output import Language

Floats = NDArray[np.float64]

_MOST = 3  # reasons of one grave
_TINY = 0.25  # of log odds; less is no reason

DOUBT_WORDS: Mapping[str, Words] = {
    "unsure": FLAG_WORDS["low_confidence"],
    "off_row": words("unlike the graves of its row", "anders als die Gräber seiner Reihe"),
    "off_line": words("off the line of its row", "nicht in der Flucht seiner Reihe"),
    "row_end": words("no neighbour on one side", "auf einer Seite ohne Nachbarn"),
    "other_size": words(
        "a size unlike the graves around it", "andere Größe als die Gräber ringsum"
    ),
    "small": words("smaller than the graves around it", "kleiner als die Gräber ringsum"),
    "half": words(
        "with its neighbour as large as one grave", "mit dem Nachbarn so groß wie ein Grab"
    ),
    "seam": words("no clear line to its neighbour", "keine klare Grenze zum Nachbarn"),
    "faint_beside": words("a candidate beside it", "ein Kandidat daneben"),
    "merge": FLAG_WORDS["possible_merge"],
    "split": FLAG_WORDS["possible_split"],
    "ragged": words("no rectangle", "kein Rechteck"),
    "cut": words("at the edge of the imagery", "am Rand des Bildes"),
}
"""Doubts about a grave."""

_LIMITS: Mapping[str, float] = {
    "unsure": -0.35,  # a confidence of 74 %
    "off_row": 0.7,
    "off_line": 0.6,
    "row_end": 0.95,
    "other_size": 0.25,
    "small": 0.25,
    "half": 0.5,
    "seam": 0.5,
    "faint_beside": 0.15,
    "merge": 0.5,
    "split": 0.5,
    "ragged": 0.5,
    "cut": 0.5,
}
"""Values from which a doubt is worth a word."""

_GAP = words("a gap in its row", "eine Lücke in der Reihe")
_GOES_ON = words("it continues a row", "setzt eine Reihe fort")
_LIKE_SIZE = words("as large as the graves around it", "so groß wie die Gräber ringsum")
_LIKELY = words("probably a grave", "wahrscheinlich ein Grab")
_SEEN, _ROW, _SIZE = 0.5, 0.45, 0.75


def grave_reasons(
    doubts: Floats, asked: NDArray[np.bool_], model: ReviewModel, language: Language
) -> list[str]:
    """Say why each grave may be wrong: its heaviest doubts; empty if nobody asks.

    Args:
        doubts: As returned by `measure_doubts`.
        asked: Which graves somebody will look at.
        model: Weights of the doubts.
        language: Of the words.
    """
    weights = np.array([model.mistakes.weights.get(name, 0.0) for name in DOUBTS])
    limits = np.array([_LIMITS[name] for name in DOUBTS])
    told = (doubts >= limits) & asked[:, None]
    heavy = np.where(told, (doubts - np.minimum(limits, 0)) * weights, 0)
    return [_joined(row, language) for row in heavy]


def _joined(heavy: Floats, language: Language) -> str:
    order = np.argsort(-heavy, kind="stable")[:_MOST]
    chosen = [DOUBTS[index] for index in order if heavy[index] > _TINY]
    if "small" in chosen and "other_size" in chosen:
        chosen.remove("other_size")
    return ", ".join(DOUBT_WORDS[name][language] for name in chosen)


def threshold_reasons(
    faint: Faint, decoding: DecodingSettings, gsd_m: float, language: Language
) -> list[str]:
    """Say below which threshold each candidate fell.

    Args:
        faint: The instances behind the candidates.
        decoding: The thresholds.
        gsd_m: Pixel edge in metres.
        language: Of the words.
    """
    area_m2 = faint.area * gsd_m**2
    names = np.select(
        [
            faint.body < decoding.body_threshold,
            area_m2 < decoding.min_area_m2,
            faint.peak < decoding.min_peak_body,
        ],
        ["body", "size", "peak"],
        "seeds",
    )
    return [CANDIDATE_REASONS[name][language] for name in names.tolist()]


def candidate_reasons(
    probability: Floats, usual: Floats, regularity: Regularity, language: Language
) -> list[str]:
    """Say what speaks for each candidate; empty if nothing but its looks does.

    Args:
        probability: Probability that it is a grave.
        usual: How usual its size is.
        regularity: How it fits the rows around it.
        language: Of the words.
    """
    found: list[tuple[Words, NDArray[np.bool_]]] = [
        (_LIKELY, probability >= _SEEN),
        (_GAP, regularity.both >= _ROW),
        (_GOES_ON, (regularity.both < _ROW) & (regularity.row >= _ROW)),
        (_LIKE_SIZE, usual >= _SIZE),
    ]
    rows: Sequence[list[str]] = [[] for _ in probability]
    for text, applies in found:
        for index in np.flatnonzero(applies).tolist():
            rows[index].append(text[language])
    return [", ".join(row) for row in rows]
