"""Graves and records in; who belongs to whom out, with everything that contradicts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.joining.column_roles import PLACE, Role
from grave_cli.joining.grave_numbers import GraveNumber, as_key, clean_text, read_numbers
from grave_cli.outlines.polygons import Polygons

Key = tuple[str, ...]


@dataclass
class Claims:
    """Who claims which grave.

    Args:
        graves: For each record, the graves it belongs to.
        joined_by: For each record, `number`, `id` or `place`; empty without a grave.
        reasons: For each record, why it has no grave, or what contradicts; empty for nothing.
    """

    graves: list[list[int]]
    joined_by: list[str]
    reasons: list[str] = field(default_factory=list)

    def by_grave(self) -> dict[int, list[int]]:
        """Return the records of each grave that has any, in the order of the list."""
        found: dict[int, list[int]] = {}
        for record, graves in enumerate(self.graves):
            for grave in graves:
                found.setdefault(grave, []).append(record)
        return found


@dataclass(frozen=True)
class Graves:
    """The graves of a map, as far as a join needs them.

    Args:
        outlines: Outlines in a frame of metres.
        rows: Their columns.
        letters: Letter of each number: A for the id …-013A.
    """

    outlines: Polygons
    rows: Sequence[Mapping[str, Any]]
    letters: Sequence[str]


def claim_by_key(
    graves: Graves,
    records: Sequence[Mapping[str, Any]],
    keys: Mapping[Role, str],
    max_range: int,
) -> Claims:
    """Find the graves of each record by number or id.

    Args:
        graves: The graves.
        records: The records.
        keys: Column of the list for each part of the key.
        max_range: Largest number of graves in a range.
    """
    claims = Claims([[] for _ in records], [""] * len(records), [""] * len(records))
    if "grave_id" in keys:
        index = _index(graves.rows, lambda i, row: (clean_text(row.get("grave_id")),))
        for number, record in enumerate(records):
            key = (clean_text(record[keys["grave_id"]]),)
            found = index.get(key, []) if any(key) else []
            _claim(claims, number, found, "id", _no_id(record[keys["grave_id"]], found))
        return claims
    parts: list[Role] = [role for role in PLACE if role in keys and role != "number"]
    index = _index(graves.rows, lambda i, row: _grave_key(graves, i, row, parts))
    for number, record in enumerate(records):
        place = tuple(as_key(record[keys[role]]) for role in parts)
        numbers = read_numbers(record[keys["number"]], max_range)
        found, reason = _look_up(index, place, numbers, record[keys["number"]])
        _claim(claims, number, found, "number", reason)
    return claims


def claim_by_place(
    claims: Claims, graves: Graves, points: NDArray[np.float64], reach_m: float
) -> None:
    """Find the graves of records that have none yet by their coordinates, and check the others.

    Args:
        claims: The claims so far; they are added to.
        graves: The graves.
        points: Place of each record in the frame of the graves; NaN without one.
        reach_m: Largest distance from the outline.

    Shapes:
        points: (records, 2)
    """
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    if not len(graves.outlines):
        return
    tree = shapely.STRtree(graves.outlines)
    places = shapely.points(points[known])
    nearest = tree.nearest(places) if len(known) else np.zeros(0, np.intp)
    far = shapely.distance(graves.outlines[nearest], places) if len(known) else np.zeros(0)
    near = zip(known.tolist(), nearest.tolist(), far, places, strict=True)
    for record, grave, distance, place in near:
        own = claims.graves[record]
        # Where graves overlap or touch, the place may lie in its own grave as well.
        if own and distance == 0 and not shapely.intersects(graves.outlines[own], place).any():
            name = graves.rows[grave].get("grave_id") or "another grave"
            lies = f"its coordinates lie in {name}"
            claims.reasons[record] = "; ".join(filter(None, (claims.reasons[record], lies)))
        elif not own and distance <= reach_m:
            claims.graves[record], claims.joined_by[record] = [grave], "place"
            claims.reasons[record] = ""
        elif not own:
            apart = f"nearest grave {distance:.1f} m from its coordinates"
            claims.reasons[record] = "; ".join(filter(None, (claims.reasons[record], apart)))
    for record in np.flatnonzero(~np.isfinite(points).all(axis=1)).tolist():
        if not claims.graves[record] and not claims.reasons[record]:
            claims.reasons[record] = "no readable coordinates"


def _claim(claims: Claims, record: int, graves: list[int], how: str, reason: str) -> None:
    claims.graves[record] = graves
    claims.joined_by[record] = how if graves else ""
    claims.reasons[record] = reason


def _index(rows: Sequence[Mapping[str, Any]], key_of: Any) -> dict[Key, list[int]]:
    index: dict[Key, list[int]] = {}
    for number, row in enumerate(rows):
        key = key_of(number, row)
        if key is not None and key[-1]:
            index.setdefault(key, []).append(number)
    return index


def _grave_key(
    graves: Graves, number: int, row: Mapping[str, Any], parts: Sequence[Role]
) -> Key | None:
    found = read_numbers(row.get("number"), 2)
    if len(found) != 1:
        return None
    own = GraveNumber(found[0].number, found[0].letter or graves.letters[number])
    return (*(as_key(row.get(role)) for role in parts), str(own))


def _look_up(
    index: Mapping[Key, list[int]], place: Key, numbers: Sequence[GraveNumber], cell: Any
) -> tuple[list[int], str]:
    if not numbers:
        empty = cell is None or not str(cell).strip()
        return [], "no number" if empty else f"number cannot be read: {cell}"
    found: list[int] = []
    missing, several = [], []
    for number in numbers:
        here = index.get((*place, str(number)), [])
        if len(here) == 1:
            found += here
        elif here:
            several.append(str(number))
        else:
            missing.append(str(number))
    reasons = []
    if several:
        reasons.append(f"several graves have the number {', '.join(several)}")
    if missing:
        reasons.append(f"no grave {', '.join(missing)}")
        whole = [n for n in numbers if n.letter and (*place, str(n.number)) in index]
        if whole:
            reasons.append(f"but there is {', '.join(str(n.number) for n in whole)}")
    return found, "; ".join(reasons)


def _no_id(cell: Any, found: list[int]) -> str:
    if found:
        return "" if len(found) == 1 else "several graves have this id"
    return "no id" if cell is None or not str(cell).strip() else f"no grave {cell}"
