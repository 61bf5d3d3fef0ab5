"""Maps of validation cemeteries in, odds of candidates and mistakes and the proof of them out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import minimize

from grave_cli.dataset.plans import PartPlan
from grave_cli.graves.candidates import choose_apart
from grave_cli.graves.confidence import Calibration
from grave_cli.graves.review_model import (
    CANDIDATE_FEATURES,
    DEFAULT_REVIEW,
    DOUBTS,
    Odds,
    ReviewModel,
)
from grave_cli.mapping.extract_graves import extract_graves
from grave_cli.mapping.result import PredictionResult
from grave_cli.outlines.polygons import Polygons, iou, to_crs
from grave_cli.progress import SILENT, Progress
from grave_cli.review.guarantee import count_steps
from grave_cli.review.order import scores_after_looks
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.training.judged_part import judge_part
from grave_cli.training.mapped_parts import MappedPart

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FEWEST = 10  # graves; fewer teach nothing
_MATCH = 0.5  # IoU of a candidate with a grave
_GLANCES = 12  # looks at candidates that one missed grave is worth
_PROBABILITIES = (0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5)  # least probability of a candidate
_SPREAD = 0.25  # usual standard deviation of a feature
CAUTION = 10.0
"""Pull of the weights towards those of the defaults: a strip of forty graves moves them little."""
_HOLD = 8.0  # likewise of the intercept
_FOLDS = 5


@dataclass(frozen=True)
class Lesson:
    """What one validation part teaches.

    Args:
        doubts: Doubts about its graves.
        is_wrong: Whether each is wrong.
        polygons: Its graves, in pixels.
        gsd_m: Pixel edge in metres.
        evidence: Evidence for its candidates.
        is_grave: Whether each is a grave that was not drawn.
        outlines: Outlines of the candidates, in pixels.
    """

    doubts: Floats
    is_wrong: Mask
    polygons: Polygons
    gsd_m: float
    evidence: Floats
    is_grave: Mask
    outlines: Polygons


def fit_review(
    parts: Sequence[MappedPart],
    decoding: DecodingSettings,
    calibration: Calibration | None,
    settings: Settings,
    progress: Progress = SILENT,
) -> ReviewModel:
    """Learn from mapped validation parts which faint instances are graves and which graves wrong.

    The weights of the defaults are the start, and a few dozen graves move them little.

    Args:
        parts: Validation parts; the model has not been trained on them.
        decoding: Thresholds of the model.
        calibration: Its confidence.
        settings: Outlines, review.
        progress: Receives progress and notes.

    Returns:
        The defaults if too few graves were drawn.
    """
    lessons = []
    for part in parts:
        result = extract_graves(
            part.probabilities, part.scene, decoding, settings, {}, calibration, None, progress
        )
        lessons.append(learn_from(part.plan, result))
    return fit_lessons(lessons)


def fit_lessons(lessons: Sequence[Lesson], caution: float = CAUTION) -> ReviewModel:
    """Fit odds, the least probability of a candidate and the proof to some lessons.

    Args:
        lessons: One for each part.
        caution: Pull of the weights towards those of the defaults.
    """
    if sum(len(lesson.doubts) for lesson in lessons) < _FEWEST:
        return DEFAULT_REVIEW
    doubts = np.concatenate([lesson.doubts for lesson in lessons])
    is_wrong = np.concatenate([lesson.is_wrong for lesson in lessons])
    place = np.repeat(np.arange(len(lessons)), [len(lesson.doubts) for lesson in lessons])
    evidence = np.concatenate([lesson.evidence for lesson in lessons])
    is_grave = np.concatenate([lesson.is_grave for lesson in lessons])
    candidates = fit_odds(
        evidence, is_grave, DEFAULT_REVIEW.candidates, CANDIDATE_FEATURES, caution
    )
    return ReviewModel(
        candidates=candidates,
        mistakes=fit_odds(doubts, is_wrong, DEFAULT_REVIEW.mistakes, DOUBTS, caution),
        min_probability=_least_probability(lessons, candidates),
        proof=count_steps(_unseen_scores(lessons), is_wrong, place),
    )


def learn_from(plan: PartPlan, result: PredictionResult) -> Lesson:
    """Collect what a mapped part teaches.

    Args:
        plan: The part and its ground truth.
        result: The map of its cemetery, as extracted.
    """
    review, transform = result.review, result.grid.transform
    assert review is not None  # kept by extract_graves
    judged = judge_part(plan, result.polygons)
    mine = plan.owns(result.polygons)
    outlines = review.considered.polygons
    placed = to_crs(outlines, transform)
    owned = plan.owns(placed)
    missed = plan.graves[~judged.is_found]
    return Lesson(
        doubts=review.doubts[mine],
        is_wrong=judged.verdicts.needs_correction,
        polygons=to_crs(result.polygons[mine], ~transform),
        gsd_m=result.grid.gsd_m,
        evidence=review.considered.features[owned],
        is_grave=_matches(placed[owned], missed),
        outlines=outlines[owned],
    )


def _matches(outlines: Polygons, graves: Polygons) -> Mask:
    """Tell which outlines overlap one of the graves well."""
    found = np.zeros(len(outlines), np.bool_)
    index, grave = shapely.STRtree(graves).query(outlines, predicate="intersects")
    found[index[iou(outlines[index], graves[grave]) >= _MATCH]] = True
    return found


def fit_odds(
    features: Floats, is_so: Mask, start: Odds, names: tuple[str, ...], caution: float = CAUTION
) -> Odds:
    """Fit a logistic model whose weights start at those of another and are never negative.

    Args:
        features: One row for each case.
        is_so: The outcome of each case.
        start: Weights towards which those of few cases are pulled.
        names: Names of the features.
        caution: Strength of that pull.

    Shapes:
        features: (cases, features); is_so: (cases,)
    """
    before = np.array([start.weights.get(name, 0.0) for name in names]) * _SPREAD
    scaled = features / _SPREAD
    outcome = is_so.astype(np.float64)

    def loss(values: Floats) -> tuple[float, Floats]:
        odds = values[0] + scaled @ values[1:]
        errors = 1 / (1 + np.exp(-odds.clip(-50, 50))) - outcome
        off, shift = values[1:] - before, values[0] - start.intercept
        likelihood = np.logaddexp(0, odds) - outcome * odds
        slope = np.concatenate(
            [[errors.sum() + _HOLD * shift], errors @ scaled + caution / _SPREAD * off]
        )
        penalty = caution / _SPREAD * (off**2).sum() / 2 + _HOLD * shift**2 / 2
        return float(likelihood.sum() + penalty), slope

    first = np.concatenate([[start.intercept], before])
    bounds = [(None, None)] + [(0, None)] * len(names)
    found = minimize(loss, first, jac=True, bounds=bounds).x
    weights = found[1:] / _SPREAD
    return Odds(
        intercept=float(found[0]),
        weights={name: float(value) for name, value in zip(names, weights, strict=True)},
    )


def _least_probability(lessons: Sequence[Lesson], odds: Odds) -> float:
    """Choose how probable a candidate must be, so that looking at all of them pays.

    A missed grave that is found is worth a dozen glances. The default stays unless another value is
    better by one grave.
    """
    gain = dict.fromkeys(_PROBABILITIES, 0.0)
    for lesson in lessons:
        probability = odds.probability(lesson.evidence, CANDIDATE_FEATURES)
        apart = choose_apart(lesson.outlines, probability)
        for least in _PROBABILITIES:
            shown = apart[probability[apart] >= least]
            gain[least] += np.count_nonzero(lesson.is_grave[shown]) - len(shown) / _GLANCES
    best, usual = max(_PROBABILITIES, key=gain.__getitem__), DEFAULT_REVIEW.min_probability
    return best if gain[best] >= gain[usual] + 1 else usual


def _unseen_scores(lessons: Sequence[Lesson]) -> Floats:
    """Score each grave by odds that were fitted without it."""
    doubts = np.concatenate([lesson.doubts for lesson in lessons])
    is_wrong = np.concatenate([lesson.is_wrong for lesson in lessons])
    fold = np.random.default_rng(0).permutation(len(doubts)) % _FOLDS
    risk = np.empty(len(doubts))
    for number in range(_FOLDS):
        out = fold == number
        odds = fit_odds(doubts[~out], is_wrong[~out], DEFAULT_REVIEW.mistakes, DOUBTS)
        risk[out] = odds.probability(doubts[out], DOUBTS)
    ends = np.cumsum([0, *(len(lesson.doubts) for lesson in lessons)])
    half = DOUBTS.index("half")
    return np.concatenate(
        [
            scores_after_looks(
                lesson.polygons, risk[start:stop], lesson.doubts[:, half], lesson.gsd_m
            )
            for lesson, start, stop in zip(lessons, ends, ends[1:], strict=False)
        ]
    )
