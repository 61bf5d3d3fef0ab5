"""A map and its graves in, candidates and the order of the review out."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.graves.review_model import DOUBTS, ReviewModel
from grave_cli.mapping.faint_windows import find_faint_between
from grave_cli.mapping.probability_map import ProbabilityMap
from grave_cli.mapping.result import Candidates
from grave_cli.outlines.polygons import Polygons, to_crs
from grave_cli.outlines.topology import resolve_overlaps
from grave_cli.progress import SILENT, Progress
from grave_cli.review.candidates import Considered, choose_candidates, consider
from grave_cli.review.doubt import Drawn, measure_doubts
from grave_cli.review.guarantee import Promise, make_promises
from grave_cli.review.order import rank_together, scores_after_looks
from grave_cli.review.reasons import candidate_reasons, grave_reasons, threshold_reasons
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.vectors.areas import Area, within_area

Floats = NDArray[np.float64]

_SAFE = 0.04  # risk; a grave that is safer needs no reason, unless it is among the first
_FIRST = 0.15  # of the order of the review


@dataclass(frozen=True)
class ReviewedMap:
    """The review of a map; graves in the order in which they came.

    Args:
        candidates: What may be a grave.
        ranks: Place of each grave in the order of the review.
        reasons: Why each grave may be wrong, in words.
        promises: Bounds on the wrong graves that a review leaves unseen; empty without proof.
        doubts: Doubts about each grave.
        considered: All faint instances.
    """

    candidates: Candidates
    ranks: NDArray[np.intp]
    reasons: list[str]
    promises: tuple[Promise, ...]
    doubts: Floats
    considered: Considered


def review_map(
    probabilities: ProbabilityMap,
    drawn: Drawn,
    model: ReviewModel,
    decoding: DecodingSettings,
    settings: Settings,
    aoi: Area | None = None,
    progress: Progress = SILENT,
) -> ReviewedMap:
    """Find candidates between the graves of a map, and order graves and candidates for a review.

    Args:
        probabilities: The map.
        drawn: Its graves.
        model: Odds of candidates and mistakes.
        decoding: Thresholds of the graves.
        settings: Review, language, threads.
        aoi: Area of interest, in the CRS of the grid; None: everything.
        progress: Receives progress.
    """
    grid, graves = probabilities.grid, drawn.outlines.regular
    faint = find_faint_between(
        probabilities,
        graves,
        decoding,
        settings.review.size_range_m2[1],
        progress,
        threads=settings.prediction.threads,
    )
    considered = consider(faint, graves, drawn.confidence, grid.gsd_m)
    inside = within_area(to_crs(considered.polygons, grid.transform), aoi)
    most = int(settings.review.candidates_per_grave * len(graves))
    chosen, probability = choose_candidates(considered, model, most, inside)
    polygons = resolve_overlaps(considered.polygons[chosen], probability)
    whole = shapely.area(polygons) > 0
    chosen, probability, polygons = chosen[whole], probability[whole], polygons[whole]
    doubts = measure_doubts(drawn, considered.of_graves, polygons, probability, grid.gsd_m)
    risk = model.mistakes.probability(doubts, DOUBTS)
    half = doubts[:, DOUBTS.index("half")]
    score = scores_after_looks(graves, risk, half, grid.gsd_m)
    ranks, candidate_ranks = rank_together(score, probability)
    asked = (risk >= _SAFE) | (ranks <= _FIRST * (len(ranks) + len(candidate_ranks)))
    return ReviewedMap(
        candidates=_candidates(
            to_crs(polygons, grid.transform),
            considered,
            chosen,
            probability,
            candidate_ranks,
            decoding,
            settings,
            grid.gsd_m,
        ),
        ranks=ranks,
        reasons=grave_reasons(doubts, asked, model, settings.output.language),
        promises=make_promises(model.proof, score, probability),
        doubts=doubts,
        considered=considered,
    )


def _candidates(
    polygons: Polygons,
    considered: Considered,
    chosen: NDArray[np.intp],
    probability: Floats,
    ranks: NDArray[np.intp],
    decoding: DecodingSettings,
    settings: Settings,
    gsd_m: float,
) -> Candidates:
    language = settings.output.language
    outlined = considered.outlined.take(chosen)
    fell = threshold_reasons(outlined.faint, decoding, gsd_m, language)
    regularity = considered.of_candidates.take(chosen)
    why = candidate_reasons(probability, outlined.usual, regularity, language)
    rows = tuple(
        {
            "candidate_id": index + 1,
            "probability": float(probability[index]),
            "reason": fell[index],
            "review_rank": int(ranks[index]),
            "review_reason": why[index],
            "decision": "",
        }
        for index in range(len(chosen))
    )
    return Candidates(polygons, rows)
