"""Graves, candidates and their ranks in, the look that shows each error of a map out.

Errors are places, not polygons: a wrong outline, an outline over several graves, a grave drawn in
pieces, a grave that was missed. A look at an outline shows what is wrong with it, and every missed
grave with which it shares ground. A missed grave to which nothing points is never seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.evaluation.judgement import NOWHERE, Judgement
from grave_cli.outlines.polygons import Polygons

Ranks = NDArray[np.intp]
Floats = NDArray[np.float64]

_SHARED = 0.2  # of the smaller outline: less in common, and a look does not show the other
REVIEWED = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
FIRST = 0.15
"""Share of a map whose review is reported."""


@dataclass(frozen=True)
class Looks:
    """A review of a map, place by place in the order of the ranks.

    Args:
        items: Number of graves and candidates.
        shown: The look that shows each error, from 1; infinite for those that none shows.
    """

    items: int
    shown: Floats

    def caught(self, share: float) -> float | None:
        """Return the share of all errors that the first looks show; None without any error.

        Args:
            share: Share of the graves and candidates that are looked at.
        """
        if not len(self.shown):
            return None
        return float(np.mean(self.shown <= round(share * self.items)))

    def curve(self) -> tuple[float | None, ...]:
        """Return the share of all errors shown by each share of `REVIEWED`."""
        return tuple(self.caught(share) for share in REVIEWED)


def look_through(
    judgement: Judgement,
    truth: Polygons,
    graves: Polygons,
    ranks: Ranks,
    candidates: Polygons,
    candidate_ranks: Ranks,
) -> Looks:
    """Find the look that shows each error.

    Args:
        judgement: The graves against the truth.
        truth: True graves, in the CRS of the others.
        graves: Drawn graves.
        ranks: Their ranks.
        candidates: Candidates.
        candidate_ranks: Their ranks; all ranks together need not be without gaps.
    """
    everything = np.concatenate([ranks, candidate_ranks])
    looks = np.empty(len(everything))
    looks[np.argsort(everything, kind="stable")] = np.arange(1, len(everything) + 1)
    own = looks[: len(ranks)]
    verdicts = judgement.verdicts
    shown = [own[verdicts.wrong | verdicts.merged], _pieces(judgement, own)]
    missed = truth[verdicts.missed]
    outlines = np.concatenate([graves, candidates])
    index, near = shapely.STRtree(outlines).query(missed, predicate="intersects")
    common = shapely.area(shapely.intersection(missed[index], outlines[near]))
    smaller = np.minimum(shapely.area(missed[index]), shapely.area(outlines[near]))
    shows = common >= _SHARED * smaller
    first = np.full(len(missed), np.inf)
    np.minimum.at(first, index[shows], looks[near[shows]])
    return Looks(len(everything), np.concatenate([*shown, first]))


def _pieces(judgement: Judgement, looks: Floats) -> Floats:
    """Return the first look at a piece of each split grave."""
    pieces = judgement.verdicts.split & ~judgement.verdicts.merged & (judgement.nearest != NOWHERE)
    first = np.full(len(judgement.truth_area), np.inf)
    np.minimum.at(first, judgement.nearest[pieces], looks[pieces])
    return np.asarray(first[np.isfinite(first)], np.float64)


def caught_together(parts: Sequence[Looks], share: float) -> float | None:
    """Return the share of the errors of several maps that reviews of a share of each show.

    Args:
        parts: One review for each map.
        share: Share of the graves and candidates of each that is looked at.
    """
    errors = sum(len(part.shown) for part in parts)
    if not errors:
        return None
    return sum((part.caught(share) or 0.0) * len(part.shown) for part in parts) / errors
