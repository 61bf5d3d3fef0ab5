"""Candidates with the office's decisions in; graves to be, and rows that leave the layer, out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from grave_cli.delivery.candidate_columns import ACCEPT, REFUSE
from grave_cli.outlines.polygons import Polygons
from grave_cli.tidying.edited_map import Table
from grave_cli.tidying.overlaps import DEEP_SHARE

_COVERED_SHARE = 0.5  # of the smaller of both: the accepted candidate is a grave already


@dataclass(frozen=True)
class Candidate:
    """A candidate that leaves the layer.

    Args:
        row: Its position in the layer.
        name: Its number.
        grave: The grave that lies on it, by its position; None for none.
    """

    row: int
    name: int
    grave: int | None = None


@dataclass
class Decisions:
    """What becomes of the candidates; others wait for a decision.

    Args:
        accepted: Candidates that become graves.
        refused: Candidates that are none.
        covered: Candidates on which a grave lies.
        faults: Decisions that cannot be carried out, one sentence each.
        open: Number of candidates without a decision.
    """

    accepted: list[Candidate] = field(default_factory=list)
    refused: list[Candidate] = field(default_factory=list)
    covered: list[Candidate] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    open: int = 0

    @property
    def leaving(self) -> list[Candidate]:
        """All candidates that leave the layer."""
        return [*self.accepted, *self.refused, *self.covered]


def decide(
    candidates: Table, outlines: Polygons, graves: Polygons, faults: Mapping[int, str]
) -> Decisions:
    """Carry out the decisions of the office.

    A candidate on which a grave lies, such as one drawn by hand, is answered by that.

    Args:
        candidates: The layer.
        outlines: Its outlines in a frame of metres; None for none.
        graves: Outlines of the graves in that frame; None for none.
        faults: Why an outline is none, by its index, as the end of a sentence.
    """
    found = Decisions()
    here = np.flatnonzero(~shapely.is_missing(graves))
    tree = shapely.STRtree(graves[here])
    for index, row in enumerate(candidates.rows):
        decision = str(row.get("decision") or "").strip().casefold()
        outline = outlines[index]
        one = Candidate(index, _number(row.get("candidate_id"), candidates.fids[index]))
        if decision == REFUSE:
            found.refused.append(one)
            continue
        if outline is None:
            if decision:
                found.faults.append(f"candidate {one.name} {faults[index]}")
            continue
        near = here[tree.query(outline, predicate="intersects")].tolist()
        grave, share = _most_covered(outline, near, graves)
        limit = DEEP_SHARE if not decision else _COVERED_SHARE
        if grave is not None and share > limit:
            found.covered.append(Candidate(index, one.name, grave))
        elif decision not in ("", ACCEPT):
            found.faults.append(
                f"candidate {one.name} has the decision {decision!r}: write {ACCEPT} or {REFUSE}"
            )
        elif not decision:
            found.open += 1
        elif share > DEEP_SHARE:
            found.faults.append(
                f"candidate {one.name} is accepted, but a grave lies on {share:.0%} of it: "
                "refuse it, or correct that grave"
            )
        else:
            found.accepted.append(one)
    return found


def _most_covered(
    outline: shapely.Geometry, near: Iterable[int], graves: Polygons
) -> tuple[int | None, float]:
    """Return the grave that shares most with a candidate, as a share of the smaller of both."""
    shares = {
        index: shapely.intersection(outline, graves[index]).area
        / max(min(outline.area, graves[index].area), 1e-12)
        for index in near
    }
    if not shares:
        return None, 0.0
    best = max(shares, key=lambda index: (shares[index], -index))
    return best, float(shares[best])


def _number(value: Any, fid: int) -> int:
    return value if isinstance(value, int) else fid
