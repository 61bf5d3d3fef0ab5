"""The graves of a map on their way to be tidy: outlines repaired and trimmed, no names yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.outlines.polygons import Polygons
from grave_cli.tidying.decisions import Decisions, decide
from grave_cli.tidying.edited_map import EditedMap
from grave_cli.tidying.local_frame import LocalFrame, around_most, lay_frame
from grave_cli.tidying.overlaps import NOTHING_M2, Overlap, trim_overlaps
from grave_cli.tidying.repair import Repair, repair_outlines

_STRAY_M = 1000.0

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Draft:
    """The graves of a map, and after them the candidates that were accepted.

    Args:
        fids: Their numbers in the file; None for an accepted candidate.
        rows: Their columns as far as gravecli knows them; none for an accepted candidate.
        outlines: Valid outlines in the CRS of the file; None for one that cannot be used.
        placed: The same in the frame.
        frame: The frame of metres.
        by_hand: Graves of whose outline a person is the author, or which a person accepted.
        repaired: Graves whose outline was repaired.
        trimmed: Graves whose outline was trimmed where it overlapped another one.
        pointed: Graves whose outline got points where a trimmed one meets it.
        faults: Why an outline cannot be used, by the position of the grave.
        deep: Pairs of graves of which one is wrong.
        decisions: What becomes of the candidates.
    """

    fids: tuple[int | None, ...]
    rows: tuple[Mapping[str, Any], ...]
    outlines: Polygons
    placed: Polygons
    frame: LocalFrame
    by_hand: Mask
    repaired: Mask
    trimmed: Mask
    pointed: Mask
    faults: Mapping[int, str]
    deep: Sequence[Overlap]
    decisions: Decisions

    @property
    def usable(self) -> NDArray[np.intp]:
        """Positions of the graves whose outline can be used."""
        return np.flatnonzero(~shapely.is_missing(self.outlines))

    @property
    def moved(self) -> Mask:
        """Graves whose outline is another one than gravecli wrote."""
        return self.by_hand | self.repaired | self.trimmed

    @property
    def redrawn(self) -> Mask:
        """Graves whose outline has to be written."""
        new = np.array([fid is None for fid in self.fids], np.bool_)
        return self.repaired | self.trimmed | self.pointed | new

    @property
    def waiting(self) -> Mask:
        """Graves without an id that lie on another one: a person has to decide which is right."""
        waiting = np.zeros(len(self.fids), np.bool_)
        for pair in self.deep:
            for one in (pair.first, pair.second):
                waiting[one] = not str(self.rows[one].get("grave_id") or "").strip()
        return waiting


def draft_graves(edited: EditedMap) -> Draft:
    """Repair the outlines of a map, carry out decisions about candidates, and trim overlaps.

    Args:
        edited: The map.

    Raises:
        DatasetError: No outline is left in it.
        GridError: Its outlines lie nowhere on Earth.
    """
    graves = repair_outlines(edited.graves.outlines, with_parts=edited.graves.holds_parts)
    candidates = repair_outlines(edited.candidates.outlines, with_parts=False)
    mapped = _mapped_area(edited, graves, candidates)
    frame = lay_frame(edited.path, edited.crs, edited.provenance, mapped)
    graves, candidates = (_without_strays(each, frame, mapped) for each in (graves, candidates))
    here, there = (frame.bring(each.outlines) for each in (graves, candidates))
    decisions = decide(edited.candidates, there, here, candidates.faults)
    accepted = [one.row for one in decisions.accepted]
    new = np.ones(len(accepted), np.bool_)
    draft = Draft(
        fids=(*edited.graves.fids, *(None for _ in accepted)),
        rows=(*edited.graves.rows, *({} for _ in accepted)),
        outlines=np.concatenate([graves.outlines, candidates.outlines[accepted]]),
        placed=np.concatenate([here, there[accepted]]),
        frame=frame,
        by_hand=np.concatenate([_by_hand(edited), new]),
        repaired=np.concatenate([graves.repaired, ~new]),
        trimmed=np.zeros(len(here) + len(accepted), np.bool_),
        pointed=np.zeros(len(here) + len(accepted), np.bool_),
        faults=_faults(graves),
        deep=(),
        decisions=decisions,
    )
    return _trimmed(draft)


def _trimmed(draft: Draft) -> Draft:
    is_drawn = draft.by_hand & np.array([fid is not None for fid in draft.fids], np.bool_)
    placed, deep = trim_overlaps(draft.placed, is_drawn)
    pairs = zip(placed, draft.placed, strict=True)
    changed = np.array([new is not old for new, old in pairs], np.bool_)
    outlines = draft.outlines.copy()
    if changed.any():
        outlines[changed] = draft.frame.take_back(placed[changed], draft.placed, draft.outlines)
    smaller = shapely.area(draft.placed) - shapely.area(placed) > NOTHING_M2 / 4
    return replace(
        draft,
        outlines=outlines,
        placed=placed,
        trimmed=changed & smaller,
        pointed=changed & ~smaller,
        deep=deep,
    )


def _mapped_area(edited: EditedMap, graves: Repair, candidates: Repair) -> Polygons:
    """Return the mapped area, or the ground around the outlines of a map that does not tell it."""
    if edited.coverage is not None:
        return np.array([edited.coverage], dtype=object)
    outlines = np.concatenate([graves.outlines, candidates.outlines])
    there = outlines[~shapely.is_missing(outlines)]
    hull = around_most(there, edited.crs, _STRAY_M) if len(there) else None
    return np.array([hull], dtype=object)


def _without_strays(graves: Repair, frame: LocalFrame, mapped: Polygons) -> Repair:
    """Leave out outlines far from the mapped area: a slip, or another CRS."""
    off = shapely.distance(frame.bring(graves.outlines), frame.bring(mapped)[0])
    stray = ~shapely.is_missing(graves.outlines) & ~(off <= _STRAY_M) & ~np.isnan(off)
    faults = {
        int(index): f"lies {off[index]:,.0f} m away from the mapped area: check its place"
        for index in stray.nonzero()[0]
    }
    kept = graves.outlines.copy()
    kept[stray] = None
    return Repair(kept, graves.repaired & ~stray, {**graves.faults, **faults})


def _by_hand(edited: EditedMap) -> Mask:
    trace = edited.trace
    changed = {*trace.reshaped, *trace.added} if trace else set()
    return np.array([fid in changed for fid in edited.graves.fids], np.bool_)


def _faults(graves: Repair) -> Mapping[int, str]:
    return dict(graves.faults)
