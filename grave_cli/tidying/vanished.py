"""What has left the layers of a map, and what has come back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from grave_cli.outlines.polygons import Polygons
from grave_cli.resurvey.removed import COVERED, DELETED, MERGED, REFUSED, removed_row
from grave_cli.tidying.draft import Draft
from grave_cli.tidying.edited_map import EditedMap, Table
from grave_cli.tidying.naming import Known, Names

_MOST = 0.5  # of a deleted outline: a grave that covers more has taken it in


@dataclass(frozen=True)
class Vanished:
    """Rows that leave the layers of a map, or come back.

    Args:
        records: Rows for the layer of what was removed: their geometry and columns.
        graves: Ids of the graves that somebody has deleted.
        merged: Those of them that another grave has taken in: its id by theirs.
        returned: Ids of removed graves that are in the map again.
        removed_fids: Rows of graves that are in the map again.
        raw_fids: Outlines before regularisation of deleted graves.
        candidate_fids: Candidates that leave their layer.
    """

    records: tuple[tuple[shapely.Geometry | None, Mapping[str, Any]], ...]
    graves: tuple[str, ...]
    merged: Mapping[str, str]
    returned: tuple[str, ...]
    removed_fids: tuple[int, ...]
    raw_fids: tuple[int, ...]
    candidate_fids: tuple[int, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether everything is where it was."""
        return not (self.records or self.removed_fids or self.raw_fids or self.candidate_fids)


def find_vanished(
    edited: EditedMap, draft: Draft, known: Known, names: Names, day: str
) -> Vanished:
    """Find the graves that were deleted, and the candidates that leave.

    Args:
        edited: The map.
        draft: Its graves.
        known: What the map knows of graves that may be gone.
        names: Ids of the graves.
        day: Today, as a date.
    """
    here = {one for one in names.ids if one}
    removed = edited.removed or Table()
    returned = {
        fid: one
        for fid, row in zip(removed.fids, removed.rows, strict=True)
        if (one := row.get("grave_id")) in here
    }
    lost = sorted(_lost_ids(known) - here - set(known.removed))
    merged = _taken_in({one: known.raw[one] for one in lost if one in known.raw}, draft, names)
    raw = {row.get("grave_id"): index for index, row in enumerate(edited.raw.rows)}
    records = [
        (
            edited.raw.outlines[raw[one]] if one in raw else None,
            removed_row(
                MERGED if one in merged else DELETED, day, grave_id=one, became=merged.get(one)
            ),
        )
        for one in lost
    ]
    return Vanished(
        records=(*records, *_left_candidates(edited, draft, names, day)),
        graves=tuple(lost),
        merged=merged,
        returned=tuple(returned.values()),
        removed_fids=tuple(returned),
        raw_fids=tuple(edited.raw.fids[raw[one]] for one in lost if one in raw),
        candidate_fids=tuple(edited.candidates.fids[one.row] for one in draft.decisions.leaving),
    )


def _lost_ids(known: Known) -> set[str]:
    """Return the ids of rows that are gone, or else all ids that the map had."""
    if known.trace is not None and known.trace.ids:
        return {known.trace.ids[fid] for fid in known.trace.removed if fid in known.trace.ids}
    return set(known.raw)


def _taken_in(
    deleted: Mapping[str, shapely.Geometry], draft: Draft, names: Names
) -> dict[str, str]:
    """Return, by id, the id of the grave drawn by hand that covers most of a deleted one."""
    drawn = [index for index in draft.usable if draft.by_hand[index] and names.ids[index]]
    outlines = np.array([*deleted.values()], dtype=object)
    by_hand = draft.placed[drawn]
    old, new = shapely.STRtree(by_hand).query(outlines, predicate="intersects")
    common = shapely.area(shapely.intersection(outlines[old], by_hand[new]))
    most = common > _MOST * shapely.area(outlines)[old]
    found: dict[str, str] = {}
    ids = [*deleted]
    for one in np.flatnonzero(most)[np.argsort(common[most], kind="stable")]:
        found[ids[old[one]]] = str(names.ids[drawn[new[one]]])  # the largest comes last
    return found


def _left_candidates(
    edited: EditedMap, draft: Draft, names: Names, day: str
) -> Sequence[tuple[shapely.Geometry | None, Mapping[str, Any]]]:
    outlines: Polygons = edited.candidates.outlines
    records = []
    for reason, leaving in ((REFUSED, draft.decisions.refused), (COVERED, draft.decisions.covered)):
        for one in leaving:
            row = edited.candidates.rows[one.row]
            values = {"candidate_id": one.name, "probability": row.get("probability")}
            values["became"] = None if one.grave is None else names.ids[one.grave]
            records.append((outlines[one.row], removed_row(reason, day, **values)))
    return records
