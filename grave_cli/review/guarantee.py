"""Validation graves by risk in, a promise for a new map out: how many wrong graves stay unseen.

The promise needs no model of the errors. If the graves of the new map and those of the validation
cemeteries are drawn alike, then among all graves whose risk is below a limit the wrong ones are
spread over both by chance. Errors come in groups, though: one cemetery has more of them than
another. Where the validation has several cemeteries, their differences widen the promise. It holds
for cemeteries like those of the validation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.graves.review_model import Step

Floats = NDArray[np.float64]

LIMITS = (0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5)
"""Limits of the risk for which a promise is made; fixed, whatever the data are."""
CONFIDENCE = 0.9
FEWEST = 50
"""Least number of validation graves for a promise."""
_CEMETERIES = 3  # fewer do not show how cemeteries differ
_USUAL_SHARE = 0.2  # of a map that somebody looks at


@dataclass(frozen=True)
class Promise:
    """A bound on the wrong graves that a review leaves unseen, with a confidence of 90 %.

    Args:
        looked_at: Number of graves and candidates looked at, in the order of their ranks.
        unseen: Most wrong graves among the others.
    """

    looked_at: int
    unseen: int


def count_steps(
    score: Floats, is_wrong: NDArray[np.bool_], place: NDArray[np.intp]
) -> tuple[Step, ...]:
    """Count validation graves below each limit; empty if there are too few.

    Args:
        score: Score in the order of the review, by a model that has not seen the grave.
        is_wrong: Whether each grave is wrong.
        place: Number of its cemetery, from 0.
    """
    if len(score) < FEWEST:
        return ()
    steps = []
    for limit in LIMITS:
        graves = np.bincount(place[score < limit])
        wrong = np.bincount(place[is_wrong & (score < limit)], minlength=len(graves))
        steps.append(
            Step(
                below=limit,
                graves=int(graves.sum()),
                wrong=int(wrong.sum()),
                spread=_spread(wrong[graves > 0], graves[graves > 0]),
            )
        )
    return tuple(steps)


def _spread(wrong: NDArray[np.intp], graves: NDArray[np.intp]) -> float:
    """Compare how the share of wrong graves varies between cemeteries with chance.

    Source: McCullagh & Nelder 1989, Generalized Linear Models, 4.5 (dispersion, from Pearson's
    chi-squared); never less than 1, which is pure chance.
    """
    if len(graves) < _CEMETERIES or not 0 < wrong.sum() < graves.sum():
        return 1.0
    rate = wrong.sum() / graves.sum()
    deviation = (wrong - graves * rate) ** 2 / (graves * rate * (1 - rate))
    return float(max(1.0, deviation.sum() / (len(graves) - 1)))


def make_promises(
    proof: Sequence[Step], score: Floats, candidate_score: Floats
) -> tuple[Promise, ...]:
    """Bound the wrong graves below each limit; nothing without proof.

    Args:
        proof: Validation graves by risk.
        score: Score of each grave of the map in the order of the review.
        candidate_score: Score of each candidate.
    """
    found: dict[int, int] = {}
    for step in proof:
        below = int(np.count_nonzero(score < step.below))
        looked_at = len(score) - below + int(np.count_nonzero(candidate_score >= step.below))
        # Graves that go wrong in groups of `spread` tell as much as so many fewer. 1 wrong grave
        # rounds to none then, and the bound by chance alone is the wider one.
        wrong, known = (int(count / step.spread) for count in (step.wrong, step.graves))
        groups = most_wrong(wrong, known, math.ceil(below / step.spread))
        single = most_wrong(step.wrong, step.graves, below)
        bound = min(below, max(single, math.ceil(groups * step.spread)))
        found[looked_at] = min(bound, found.get(looked_at, bound))
    return tuple(Promise(count, found[count]) for count in sorted(found))


def usual_promise(promises: Sequence[Promise], items: int) -> Promise | None:
    """Choose the promise for a usual review: at most a fifth of a map, if there is one.

    Args:
        promises: Promises by the number looked at.
        items: Number of graves and candidates.
    """
    if not promises:
        return None
    affordable = [one for one in promises if one.looked_at <= _USUAL_SHARE * items]
    return affordable[-1] if affordable else promises[0]


def most_wrong(wrong: int, known: int, new: int, confidence: float = CONFIDENCE) -> int:
    """Bound the number of wrong graves among new ones.

    If the new graves held more wrong ones than the bound, then as few as `wrong` among the known
    ones would be a chance of less than 1 - `confidence`. Example: of 100 known graves 2 are wrong,
    and among 100 new ones at most 6. With 7, so 9 in all, the known graves would get 2 of them or
    fewer in 9 of 100 cases.

    Source: hypergeometric prediction limit; Hahn & Meeker 1991, Statistical Intervals, 6.3.

    Args:
        wrong: Number of wrong graves among the known ones.
        known: Number of known graves.
        new: Number of new graves.
        confidence: Probability that the bound holds.
    """
    from scipy.stats import hypergeom

    least, beyond = 0, new + 1
    while beyond - least > 1:  # more wrong ones among the new are always less likely
        number = (least + beyond) // 2
        possible = hypergeom.cdf(wrong, known + new, wrong + number, known) > 1 - confidence
        least, beyond = (number, beyond) if possible else (least, number)
    return least
