"""Changes in; the id and the place of each grave of the new survey out."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import shapely

from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons
from grave_cli.resurvey.changes import Changes
from grave_cli.resurvey.places import (
    Place,
    cemetery_of,
    id_of,
    known_places,
    new_places,
    place_in,
)
from grave_cli.resurvey.survey import Survey
from grave_cli.settings.tree import Settings
from grave_cli.wording import counted

_LETTERED = re.compile(r"(.*\d)[A-Z]+")


@dataclass(frozen=True)
class Identities:
    """The identities of the graves of both surveys.

    Args:
        ids: Id of each grave of the new survey; no two are equal.
        cemetery: Cemetery id of graves that are new.
        places: Their fields, rows and numbers; None for a grave that continues one without.
        carriers: For each of them, the grave of the old survey whose columns it keeps; -1 for none.
        merged_ids: Ids of the other graves that were merged into each; None for none.
        split_from: Id of the grave of which each was a part; None for none.
        old_ids: Id of each grave of the old survey, none repeated; None where it is missing.
        old_places: Fields, rows and numbers of these graves; None where they are not known.
        notes: Missing and repeated ids, one line each.
    """

    ids: tuple[str, ...]
    cemetery: str
    places: tuple[Place | None, ...]
    carriers: tuple[int, ...]
    merged_ids: tuple[str | None, ...]
    split_from: tuple[str | None, ...]
    old_ids: tuple[str | None, ...]
    old_places: tuple[Place | None, ...]
    notes: tuple[str, ...]


def carry_ids(
    old: Survey, outlines: Polygons, changes: Changes, settings: Settings, cemetery: str
) -> Identities:
    """Give each grave of the new survey its old id, or a new one.

    The largest part of a split grave keeps its id; the others add a letter to it. A merged grave
    keeps the first id of its sources, in the order of their numbers.

    Args:
        old: The old survey.
        outlines: Graves of the new survey, in a frame of metres.
        changes: What became of each grave.
        settings: Column of the ids; rows and numbers of new graves.
        cemetery: Cemetery id of new graves, unless the old ids name one.

    Raises:
        DatasetError: The old survey has no such column.
    """
    check_ids(old, settings)
    column = settings.compare.id_column
    given = _given_ids(old, column)
    book = IdBook([*given, *old.retired])
    old_ids = _unique_ids(old, given, book)
    known = known_places(old, given)
    carriers = [
        _eldest(changes.sources.get(index, (partner,)), old_ids)
        for index, partner in enumerate(changes.partner.tolist())
    ]
    kept = [known[one] if one >= 0 and old_ids[one] else None for one in carriers]
    asked = [i for i, one in enumerate(carriers) if one < 0 or not old_ids[one]]
    named = (place_in(one) for one in (*given, *old.retired))
    taken = [place for place in (*known, *named) if place]
    fresh = new_places(outlines, kept, set(asked), taken, settings.register)
    cemetery = cemetery_of(old, given, cemetery)
    ids: list[str] = [""] * len(carriers)
    for index in np.lexsort((changes.rank, np.array(carriers))).tolist():
        old_id = old_ids[carriers[index]] if index not in fresh else None
        if old_id is None:
            ids[index] = book.new(id_of(cemetery, fresh[index]))
        else:
            ids[index] = book.lettered(old_id) if changes.rank[index] else old_id
    return Identities(
        tuple(ids),
        cemetery,
        tuple(fresh.get(index, place) for index, place in enumerate(kept)),
        tuple(carriers),
        tuple(_others(changes, index, one, old_ids) for index, one in enumerate(carriers)),
        tuple(
            old_ids[one] if rank else None for one, rank in zip(carriers, changes.rank, strict=True)
        ),
        tuple(old_ids),
        tuple(known),
        tuple(_notes(old, given, column)),
    )


class IdBook:
    """The ids that are taken.

    Args:
        ids: Ids that must not be given again; None for none.
    """

    def __init__(self, ids: Iterable[str | None]) -> None:
        self._taken = {one for one in ids if one}

    def new(self, wanted: str) -> str:
        """Take an id, with a letter if another grave has it."""
        return self.lettered(wanted) if wanted in self._taken else self._take(wanted)

    def lettered(self, one: str) -> str:
        """Add the first free letter: 013A, or 013B if that is taken, also for 013A itself."""
        match = _LETTERED.fullmatch(one)
        stem = match[1] if match else one
        free = (f"{stem}{_letters(number)}" for number in count())
        return self._take(next(name for name in free if name not in self._taken))

    def _take(self, one: str) -> str:
        self._taken.add(one)
        return one


def _letters(number: int) -> str:
    """Count in letters: A to Z, AA, AB and so on."""
    rest, last = divmod(number, 26)
    return (_letters(rest - 1) if rest else "") + chr(ord("A") + last)


def check_ids(old: Survey, settings: Settings) -> None:
    """Check that a survey has a column of ids.

    Raises:
        DatasetError: It has none of this name.
    """
    column = settings.compare.id_column
    if column not in old.types:
        raise DatasetError(
            "has no column of ids",
            where=old.name,
            found=", ".join(old.types) or "no columns",
            expected=column,
            remedy="name the column with --set compare.id_column=NAME",
        )


def _given_ids(old: Survey, column: str) -> list[str | None]:
    return [_id_text(value) or None for value in old.column(column)]


def _id_text(value: Any) -> str:
    """Write an id as text: 1000 in a column of decimal numbers is 1000, not 1000.0."""
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None if math.isnan(value) else value
    return "" if value is None else str(value).strip()


def _unique_ids(old: Survey, given: Sequence[str | None], book: IdBook) -> list[str | None]:
    """Add letters to ids that several graves have; the largest grave keeps it as it is.

    QGIS gives both parts of an outline that is cut the columns of the whole.
    """
    seen: set[str] = set()
    ids = list(given)
    for index in np.argsort(-shapely.area(old.outlines), kind="stable").tolist():
        one = given[index]
        if one in seen:
            ids[index] = book.lettered(one)
        elif one:
            seen.add(one)
    return ids


def _eldest(sources: Sequence[int], old_ids: Sequence[str | None]) -> int:
    """Choose the grave whose id a grave keeps: the first in the order of numbers."""
    with_id = [one for one in sources if one >= 0 and old_ids[one]]
    return min(with_id or sources, key=lambda one: _natural(old_ids[one] or ""))


def _natural(one: str) -> list[tuple[int, str]]:
    """Order ids by their numbers: 9 before 10, 13 before 13A."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", one)]


def _others(
    changes: Changes, index: int, carrier: int, old_ids: Sequence[str | None]
) -> str | None:
    others = (old_ids[one] for one in changes.sources.get(index, ()) if one != carrier)
    return ",".join(sorted((one for one in others if one), key=_natural)) or None


def _notes(old: Survey, given: Sequence[str | None], column: str) -> Iterator[str]:
    missing = given.count(None)
    if missing:
        many = f"{missing} of {counted(len(given), 'grave')}"
        yield f"{old.name}: {many} without {column}, which get a new one"
    repeated = [one for one, times in Counter(given).items() if one and times > 1]
    if repeated:
        shown = ", ".join(repeated[:5]) + (", …" if len(repeated) > 5 else "")
        yield f"{old.name}: {len(repeated)} {column} of several graves got a letter: {shown}"
