"""Places in the register: read from ids and columns, and found for graves that are new."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from grave_cli.outlines.polygons import Polygons
from grave_cli.register.register import Register, register_graves
from grave_cli.resurvey.survey import Survey
from grave_cli.settings.register import RegisterSettings

_ID = re.compile(r"(?P<cemetery>.*)-F(?P<field>\d+)-R(?P<row>\d+)-(?P<number>\d+)[A-Z]*")


class Place(NamedTuple):
    """The place of a grave: its field, its row (0 for none) and its number."""

    field: int
    row: int
    number: int


def known_places(survey: Survey, ids: Sequence[str | None]) -> list[Place | None]:
    """Return the place of each grave: from its columns, or else from its id; None if neither fits.

    Args:
        survey: The graves.
        ids: Their ids.
    """
    columns = zip(*(survey.column(name) for name in Place._fields), strict=True)
    return [_place_of(*values) or place_in(one) for values, one in zip(columns, ids, strict=True)]


def cemetery_of(survey: Survey, ids: Iterable[str | None], default: str) -> str:
    """Return the cemetery id by which most ids start.

    Args:
        survey: The graves.
        ids: Their ids.
        default: Cemetery id if no id names one.
    """
    matches = (_ID.fullmatch(one) for one in ids if one)
    names = [found["cemetery"] for found in matches if found]
    names += [str(name) for name in survey.column("cemetery_id") if name] if not names else []
    return Counter(names).most_common(1)[0][0] if names else default


def new_places(
    outlines: Polygons,
    kept: Sequence[Place | None],
    asked: Collection[int],
    taken: Iterable[Place],
    settings: RegisterSettings,
) -> dict[int, Place]:
    """Find places for some graves of a survey.

    A grave joins the old row to which most graves of its row belong. It gets a free number between
    those of its neighbours, or else the next number after all of the row. A row or field without an
    old grave gets the next number, too. No place is given twice.

    Args:
        outlines: All graves of the survey, in a frame of metres.
        kept: Place of each grave as far as it is known.
        asked: Indices of the graves to be placed.
        taken: Places that must not be given, such as those of graves that are gone.
        settings: Rows, and the direction of numbers.

    Returns:
        The places by index.
    """
    if not asked:
        return {}
    register = register_graves(outlines, "", settings)
    known = [(place, int(n)) for place, n in zip(kept, register.taken, strict=True) if place]
    doubles = [place._replace(number=place.number + n - 1) for place, n in known]
    book = _Book([*taken, *(place for place, _ in known), *doubles])
    fields, rows = _old_names(register, kept, book)
    members = _members(register)
    found: dict[int, Place] = {}
    for index in register.order.tolist():
        if index not in asked:
            continue
        own_field, own_row = int(register.field[index]), int(register.row[index])
        field, row = fields[own_field], rows[own_field, own_row]
        if book.is_old(field, row) and row:
            beside = _neighbours(members[own_field, own_row], kept, found, index, (field, row))
        else:
            beside = (None, None)
        own = int(register.number[index]), int(register.taken[index])
        found[index] = book.give(field, row, *beside, *own)
    return found


class _Book:
    """The places that are taken."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._numbers: dict[tuple[int, int], set[int]] = {}
        for place in places:
            self._numbers.setdefault(place[:2], set()).add(place.number)
        self._old = frozenset(self._numbers)

    def is_old(self, field: int, row: int) -> bool:
        return (field, row) in self._old

    def next_field(self) -> int:
        return max((field for field, _ in self._numbers), default=0) + 1

    def next_row(self, field: int) -> int:
        return max((row for one, row in self._numbers if one == field), default=0) + 1

    def reserve(self, field: int, row: int) -> None:
        self._numbers.setdefault((field, row), set())

    def give(
        self, field: int, row: int, before: int | None, after: int | None, wanted: int, count: int
    ) -> Place:
        """Take free numbers between those of two neighbours, or the next ones of the row.

        Worked examples: between 4 and 7, 5 and 6 are free, and 5 is given. Between 4 and 5, none
        is, and the number after the last of the row is given. Before 3 at the low end, 2 is. A
        double grave needs two free numbers in a row.
        """
        numbers = self._numbers.setdefault((field, row), set())
        last = max(numbers, default=0)
        choice: Iterable[int] = ()
        if before is not None and after is not None:
            step = 1 if before < after else -1
            choice = range(before + step, after, step)
        elif before is not None or after is not None:
            beside = before or after or 0
            choice = range(beside - 1, 0, -1)[: beside < last]
        else:
            choice = (wanted,)
        free = (one for one in choice if numbers.isdisjoint(range(one, one + count)))
        number = next(free, last + 1)
        numbers.update(range(number, number + count))
        return Place(field, row, number)


def _old_names(
    register: Register, kept: Sequence[Place | None], book: _Book
) -> tuple[dict[int, int], dict[tuple[int, int], int]]:
    """Name the fields and rows of a new register as in the old one, by the majority of graves."""
    of_field: dict[int, Counter[int]] = {}
    of_row: dict[tuple[int, int], Counter[Place]] = {}
    places = zip(register.field.tolist(), register.row.tolist(), kept, strict=True)
    for field, row, place in places:
        of_field.setdefault(field, Counter())
        of_row.setdefault((field, row), Counter())
        if place is not None and place.field:
            of_field[field][place.field] += 1
            if place.row and row:
                of_row[field, row][place._replace(number=0)] += 1
    fields = {0: 0}
    for field, votes in sorted(of_field.items()):
        if field:
            fields[field] = _winner(votes) or book.next_field()
            book.reserve(fields[field], 0)
    rows: dict[tuple[int, int], int] = {}
    for (field, row), rivals in sorted(of_row.items()):
        own = {place.row: n for place, n in rivals.items() if place.field == fields[field]}
        rows[field, row] = row and (_winner(Counter(own)) or book.next_row(fields[field]))
        book.reserve(fields[field], rows[field, row])
    return fields, rows


def _winner(votes: Counter[int]) -> int | None:
    return min(votes, key=lambda name: (-votes[name], name)) if votes else None


def _members(register: Register) -> dict[tuple[int, int], list[int]]:
    """Return the graves of each row in the order of their numbers."""
    members: dict[tuple[int, int], list[int]] = {}
    for index in np.argsort(register.number, kind="stable").tolist():
        row = int(register.field[index]), int(register.row[index])
        members.setdefault(row, []).append(index)
    return members


def _neighbours(
    members: Sequence[int],
    kept: Sequence[Place | None],
    found: dict[int, Place],
    index: int,
    row: tuple[int, int],
) -> tuple[int | None, int | None]:
    """Return the known numbers of the nearest graves before and after one in its row."""
    at = members.index(index)

    def nearest(others: Iterable[int]) -> int | None:
        places = (kept[other] or found.get(other) for other in others)
        return next((place.number for place in places if place and place[:2] == row), None)

    return nearest(members[:at][::-1]), nearest(members[at + 1 :])


def _place_of(field: Any, row: Any, number: Any) -> Place | None:
    """Read a place from columns; a grave in no row has no row, and its number is its own."""
    values = [_whole(value) for value in (field, row, number)]
    if None in values[::2] or values[2] is None:
        return None
    return Place(values[0] or 0, values[1] or 0, values[2])


def _whole(value: Any) -> int | None:
    try:
        return int(str(value).strip().removesuffix(".0"))
    except ValueError:
        return None


def as_typed(found: Place, typed: Sequence[Any], taken: Iterable[Place]) -> Place:
    """Return the place of a new grave with the parts of it that the office has typed in.

    In another row than the one that was found, it gets the next number.

    Args:
        found: The place that was found for it.
        typed: Field, row and number as typed in; None for nothing.
        taken: Places that other graves have.
    """
    field, row, number = (_whole(value) for value in typed)
    spot = (found.field if field is None else field, found.row if row is None else row)
    if number is None and spot != found[:2]:
        number = max((place.number for place in taken if place[:2] == spot), default=0) + 1
    return Place(*spot, found.number if number is None else number)


def place_in(one: str | None) -> Place | None:
    """Read the place from an id such as `st_anna-F02-R07-013`; None from another one."""
    match = _ID.fullmatch(one) if one else None
    return Place(*(int(match[name]) for name in Place._fields)) if match else None


def id_of(cemetery: str, place: Place) -> str:
    """Write the id of a place, as the register does."""
    return f"{cemetery}-F{place.field:02d}-R{place.row:02d}-{place.number:03d}"
