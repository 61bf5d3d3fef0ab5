"""Graves after an edit in; the id and the place of each out: old ones are kept, new ones given.

QGIS gives both parts of an outline that is cut the columns of the whole, and a copy those of its
original. A grave that is drawn anew where one was deleted is the same grave.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.delivery.row_record import RowTrace
from grave_cli.outlines.polygons import Polygons, iou
from grave_cli.resurvey.ids import IdBook
from grave_cli.resurvey.places import (
    Place,
    as_typed,
    cemetery_of,
    id_of,
    known_places,
    new_places,
    place_in,
)
from grave_cli.resurvey.survey import Survey
from grave_cli.settings.register import RegisterSettings

_PART_M = 0.5  # the parts of a cut grave lie this close
_PART_SUM = 1.25  # and together they are hardly larger than the whole was
_SAME_IOU = 0.5  # a grave drawn anew overlaps the outline of the deleted one


@dataclass(frozen=True)
class EditedGraves:
    """The graves of an edited map, with accepted candidates at the end.

    Args:
        fids: Their numbers in the file; None for an accepted candidate.
        outlines: Outlines in a frame of metres; None for one that cannot be used.
        rows: Their columns as far as gravecli knows them.
        waiting: Graves that lie on another one: they get no number before a person has decided.
    """

    fids: Sequence[int | None]
    outlines: Polygons
    rows: Sequence[Mapping[str, Any]]
    waiting: NDArray[np.bool_]


@dataclass(frozen=True)
class Known:
    """What a map knows of graves that may be gone.

    Args:
        trace: What became of the rows that gravecli wrote; None if the map does not tell.
        raw: Outlines before regularisation by grave id, in the frame of the graves.
        removed: Ids that earlier reviews removed.
        merged: Ids that a comparison merged into others.
    """

    trace: RowTrace | None
    raw: Mapping[str, shapely.Geometry]
    removed: Sequence[str]
    merged: Sequence[str] = ()

    @property
    def written(self) -> Mapping[int, str]:
        """Id of each row that gravecli wrote; empty if the map does not tell."""
        return self.trace.ids if self.trace else {}

    @property
    def ids(self) -> set[str]:
        """All ids that gravecli gave."""
        return {*self.written.values(), *self.raw, *self.removed, *self.merged}


@dataclass
class Names:
    """Ids and places of graves.

    Args:
        ids: Id of each grave; None for one that gets none now.
        places: Their fields, rows and numbers; None where they are not known.
        cemetery: Cemetery id of graves that have none.
        numbered: Graves with a new number.
        parts: Parts of a cut grave, and the id of the whole.
        copies: Copies of another grave, and the id of the original.
        redrawn: Graves drawn where one was deleted, whose id they have.
        given_back: Graves whose id had been lost.
    """

    ids: list[str | None]
    places: list[Place | None]
    cemetery: str
    numbered: list[int] = field(default_factory=list)
    parts: dict[int, str] = field(default_factory=dict)
    copies: dict[int, str] = field(default_factory=dict)
    redrawn: list[int] = field(default_factory=list)
    given_back: list[int] = field(default_factory=list)


def name_graves(
    graves: EditedGraves, known: Known, settings: RegisterSettings, cemetery: str
) -> Names:
    """Give each grave its old id, or a new number by the register.

    Args:
        graves: The graves.
        known: Graves that may be gone.
        settings: Rows, and the direction of numbers.
        cemetery: Cemetery id, unless the old ids name one.
    """
    given = [str(row.get("grave_id") or "").strip() or None for row in graves.rows]
    survey = Survey("", "", graves.outlines, {}, tuple(graves.rows))
    cemetery = cemetery_of(survey, [*given, *known.written.values()], cemetery)
    names = Names(given, [], cemetery)
    book = IdBook([*given, *known.ids])
    _give_back(names, graves, known)
    _tell_copies(names, graves, known, book)
    _find_redrawn(names, graves, known)
    names.places = known_places(survey, names.ids)
    for index in names.copies:
        names.places[index] = None
    _number(names, graves, known, book, settings)
    return names


def _give_back(names: Names, graves: EditedGraves, known: Known) -> None:
    """Give rows their id back that somebody has emptied by mistake."""
    written, taken = known.written, set(names.ids)
    for index, fid in enumerate(graves.fids):
        lost = written.get(fid) if fid is not None else None
        if names.ids[index] is None and lost is not None and lost not in taken:
            names.ids[index] = lost
            names.given_back.append(index)
            taken.add(lost)


def _tell_copies(names: Names, graves: EditedGraves, known: Known, book: IdBook) -> None:
    """Add letters to the ids of the parts of a cut grave, and take its id from copies of it."""
    for one, members in _repeated(names.ids):
        areas = {index: _area(graves.outlines[index]) for index in members}
        original = [i for i in members if known.written.get(graves.fids[i] or -1) == one]
        holder = original[0] if original else max(members, key=lambda index: areas[index])
        others = [index for index in members if index != holder]
        parts = _parts(holder, others, graves, known)
        for index in others:
            if index not in parts:
                names.copies[index] = one
                names.ids[index] = None
        pieces = sorted([holder, *parts], key=lambda index: -areas[index])
        for index in pieces[1:]:
            names.parts[index] = one
            names.ids[index] = book.lettered(one)


def _repeated(ids: Sequence[str | None]) -> Iterator[tuple[str, list[int]]]:
    found: dict[str, list[int]] = {}
    for index, one in enumerate(ids):
        if one is not None:
            found.setdefault(one, []).append(index)
    yield from (each for each in found.items() if len(each[1]) > 1)


def _parts(holder: int, others: Sequence[int], graves: EditedGraves, known: Known) -> list[int]:
    """Tell which graves of one id are parts of it: the holder is smaller than it was written."""
    outline = graves.outlines[holder]
    whole_m2 = graves.rows[holder].get("area_m2")
    if outline is None or (known.trace and graves.fids[holder] not in known.trace.reshaped):
        return []
    limit = _PART_SUM * whole_m2 if isinstance(whole_m2, float) else np.inf
    parts, total = [], _area(outline)
    for index in others:
        piece = graves.outlines[index]
        near = piece is not None and shapely.distance(outline, piece) <= _PART_M
        if near and total + _area(piece) <= limit:
            parts.append(index)
            total += _area(piece)
    return parts


def _find_redrawn(names: Names, graves: EditedGraves, known: Known) -> None:
    """Give graves without an id that of a deleted grave on whose place they lie."""
    taken = {one for one in names.ids if one}
    gone = [one for one in known.raw if one not in taken]
    new = [i for i in _without_id(names, graves) if i not in names.copies]
    outlines, old = graves.outlines[new], np.array([known.raw[one] for one in gone], dtype=object)
    first, second = shapely.STRtree(old).query(outlines, predicate="intersects")
    shares = iou(outlines[first], old[second])
    pairs = zip(-shares, first, second, strict=True)
    for share, index, one in sorted((share, new[i], gone[j]) for share, i, j in pairs):
        if -share >= _SAME_IOU and names.ids[index] is None and one not in taken:
            names.ids[index] = one
            names.redrawn.append(index)
            taken.add(one)


def _number(
    names: Names,
    graves: EditedGraves,
    known: Known,
    book: IdBook,
    settings: RegisterSettings,
) -> None:
    """Number the graves that have no id; what the office has typed in of a place is theirs."""
    new = _without_id(names, graves)
    here = np.flatnonzero(~shapely.is_missing(graves.outlines)).tolist()
    position_of = {index: position for position, index in enumerate(here)}
    asked = {position_of[index] for index in new if names.places[index] is None}
    named = (place_in(one) for one in {*known.ids, *names.ids} if one)
    taken = [place for place in (*names.places, *named) if place]
    kept = [names.places[index] for index in here]
    fresh = new_places(graves.outlines[here], kept, asked, taken, settings)
    for position, found in fresh.items():
        index = here[position]
        row = {} if index in names.copies else graves.rows[index]
        typed = [row.get(name) for name in Place._fields]
        names.places[index] = place = as_typed(found, typed, taken)
        taken.append(place)
    for index in sorted(new, key=lambda index: names.places[index] or ()):
        if (known_place := names.places[index]) is not None:
            names.ids[index] = book.new(id_of(names.cemetery, known_place))
            names.numbered.append(index)


def _without_id(names: Names, graves: EditedGraves) -> list[int]:
    return [
        index
        for index, one in enumerate(names.ids)
        if one is None and graves.outlines[index] is not None and not graves.waiting[index]
    ]


def _area(outline: shapely.Geometry | None) -> float:
    return 0.0 if outline is None else float(outline.area)
