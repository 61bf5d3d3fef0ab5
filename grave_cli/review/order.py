"""Risks of graves and probabilities of candidates in, the order of the review out."""

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.outlines.polygons import Polygons

Floats = NDArray[np.float64]
Ranks = NDArray[np.intp]

_TOUCHING_M = 0.05
_SEEN = 0.8  # of the risk of one half that a look at the other half takes away


def rank_together(score: Floats, probability: Floats) -> tuple[Ranks, Ranks]:
    """Rank graves and candidates for a review: what is most probably an error comes first.

    Args:
        score: Score of each grave, from `scores_after_looks`.
        probability: Probability that each candidate is a grave, an error of the map.

    Returns:
        Ranks of the graves and of the candidates, together from 1 without gaps.
    """
    everything = np.concatenate([score, probability])
    ranks = np.empty(len(everything), np.intp)
    ranks[np.argsort(-everything, kind="stable")] = np.arange(1, len(everything) + 1)
    return ranks[: len(score)], ranks[len(score) :]


def scores_after_looks(graves: Polygons, risk: Floats, half: Floats, gsd_m: float) -> Floats:
    """Return the risk that remains when the riskier half of each pair has been looked at.

    A grave drawn as two halves is one error, which a look at either half shows.

    Args:
        graves: Drawn graves, in pixels.
        risk: Probability that each is wrong.
        half: How well each fills a usual grave together with one that it touches.
        gsd_m: Pixel edge in metres.
    """
    reach = _TOUCHING_M / gsd_m
    first, second = shapely.STRtree(graves).query(graves, predicate="dwithin", distance=reach)
    order = np.lexsort((np.arange(len(risk)), -risk)).argsort()
    behind = order[first] > order[second]
    first, second = first[behind], second[behind]
    left = np.ones(len(risk))
    np.minimum.at(left, first, 1 - _SEEN * np.minimum(half[first], half[second]))
    return np.asarray(risk * left)
