"""Faint instances and graves in, candidates out: the probable ones, apart from one another."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.graves.candidates import Outlined, choose_apart, outline_faint
from grave_cli.graves.faint import Faint
from grave_cli.graves.review_model import CANDIDATE_FEATURES, ReviewModel
from grave_cli.outlines.polygons import Polygons
from grave_cli.register.frames import measure_frames
from grave_cli.register.regularity import Regularity, measure_regularity

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Considered:
    """Everything that may be a candidate, one entry each.

    Args:
        outlined: Outlines in pixels and the instances behind them.
        features: Evidence, in the order of `CANDIDATE_FEATURES`.
        of_graves: How the graves themselves fit their rows.
        of_candidates: How the candidates do.

    Shapes:
        features: (n, features)
    """

    outlined: Outlined
    features: Floats
    of_graves: Regularity
    of_candidates: Regularity

    @property
    def polygons(self) -> Polygons:
        """Outlines, in pixels."""
        return self.outlined.polygons


def consider(faint: Faint, graves: Polygons, confidence: Floats, gsd_m: float) -> Considered:
    """Outline faint instances and measure the evidence for them.

    Args:
        faint: The instances.
        graves: Drawn graves, in pixels.
        confidence: Their confidence.
        gsd_m: Pixel edge in metres.
    """
    angles = measure_frames(graves, gsd_m).angles if len(graves) else np.zeros(0)
    centres = shapely.get_coordinates(shapely.centroid(graves))
    outlined = outline_faint(faint, graves, centres, angles)
    everything = np.concatenate([graves, outlined.polygons])
    weights = np.concatenate([confidence, np.zeros(len(outlined))])
    regularity = measure_regularity(everything, weights, gsd_m)
    of_graves, rest = (
        regularity.take(part) for part in (slice(len(graves)), slice(len(graves), None))
    )
    one = outlined.faint
    found = {
        "body": one.body,
        "peak": one.peak,
        "certainty": one.certainty,
        "steep": one.steep,
        "fit": outlined.fit,
        "usual": outlined.usual,
        "row": rest.row,
        "line": rest.line,
        "both": rest.both,
        "level": one.level,
    }
    features = np.column_stack([found[name] for name in CANDIDATE_FEATURES])
    return Considered(outlined, features, of_graves, rest)


def choose_candidates(
    considered: Considered, model: ReviewModel, most: int, allowed: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], Floats]:
    """Choose the candidates to show.

    Args:
        considered: Everything that may be one.
        model: Odds and least probability.
        most: Largest number of candidates.
        allowed: Which ones lie where graves are wanted.

    Returns:
        Their indices, by falling probability, and their probability.
    """
    probability = model.candidates.probability(considered.features, CANDIDATE_FEATURES)
    known = np.flatnonzero(allowed & (probability >= model.min_probability))
    apart = known[choose_apart(considered.polygons[known], probability[known])][:most]
    return apart, probability[apart]
