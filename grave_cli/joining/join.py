"""The room in one call: a map and a list in; records by grave and both remainders out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from grave_cli.errors import DatasetError
from grave_cli.joining.column_roles import Role, choose_keys
from grave_cli.joining.match import Claims, Graves, claim_by_key, claim_by_place
from grave_cli.joining.office_list import OfficeList, to_number
from grave_cli.rasters.crs import LONLAT, transformer
from grave_cli.rasters.datum_shift import shift_note
from grave_cli.rasters.metric_frame import frame_around
from grave_cli.resurvey.survey import Survey
from grave_cli.settings.join import JoinSettings
from grave_cli.wording import counted

_LETTERED = re.compile(r".*\d([A-Z])")


@dataclass(frozen=True)
class Join:
    """A map and the list of its office.

    Args:
        graves: The map.
        records: The list.
        keys: Column of the list for each part of the key.
        claims: The graves of each record, and what contradicts.
        by_grave: The records of each grave that has any.
        points: Place of each record in the CRS of the map, NaN without one; None for none at all.
        notes: Repairs and doubts, one line each.
    """

    graves: Survey
    records: OfficeList
    keys: Mapping[Role, str]
    claims: Claims
    by_grave: Mapping[int, Sequence[int]]
    points: NDArray[np.float64] | None
    notes: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of graves and records, and both remainders."""
        joined = [bool(graves) for graves in self.claims.graves]
        doubts = [
            bool(reason) and has for reason, has in zip(self.claims.reasons, joined, strict=True)
        ]
        return {
            "graves": len(self.graves.rows),
            "records": len(self.records.rows),
            "graves_with_record": len(self.by_grave),
            "graves_without_record": len(self.graves.rows) - len(self.by_grave),
            "graves_claimed_twice": sum(len(claim) > 1 for claim in self.by_grave.values()),
            "records_joined": sum(joined),
            "records_joined_by_place": self.claims.joined_by.count("place"),
            "records_without_grave": len(joined) - sum(joined),
            "records_in_doubt": sum(doubts),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the result for programs."""
        return {
            "map": self.graves.name,
            "list": self.records.name,
            "keys": dict(self.keys),
            **self.counts,
            "notes": list(self.notes),
        }


def join_list(
    graves: Survey,
    records: OfficeList,
    settings: JoinSettings,
    *,
    on: Sequence[str] = (),
    mapped: Mapping[Role, str] | None = None,
    crs: str | None = None,
) -> Join:
    """Join records to graves by number, or by place.

    Args:
        graves: The map.
        records: The list.
        settings: Largest distance and range.
        on: Columns of the list that name the grave; none leaves the choice to their names.
        mapped: Meaning of columns of the list.
        crs: CRS of coordinates in columns, or of places without one; None for that of the map, or
            degrees if they are.

    Raises:
        DatasetError: A column is missing, there is nothing to join by, or no record has a grave.
    """
    keys = choose_keys(list(records.types), on, mapped or {}, records.name)
    frame = frame_around(graves.outlines, graves.crs)
    points, found_crs, notes = _points(records, keys, graves.crs, crs)
    numbered = {role: column for role, column in keys.items() if role not in ("x", "y")}
    if not numbered and points is None:
        raise DatasetError(
            "nothing to join by",
            where=records.name,
            found=", ".join(records.types),
            expected="columns of field, row and number, of grave ids, or of coordinates",
            remedy='name them, such as --on "Feld,Reihe,Nummer", and their meaning with --map'
            if records.points is None
            else "name the CRS of its places with --crs",
        )
    known = Graves(frame.bring(graves.outlines, graves.crs), graves.rows, _letters(graves))
    count = len(records.rows)
    claims = Claims([[] for _ in range(count)], [""] * count, [""] * count)
    if numbered:
        claims = claim_by_key(known, records.rows, numbered, settings.max_range)
    if points is not None:
        given = points
        # Into the CRS of the map first: by way of a third CRS, datum shifts can differ by metres.
        points = _to_crs(points, found_crs, graves.crs)
        placed = _to_crs(points, graves.crs, frame.crs)
        claim_by_place(claims, known, placed, settings.max_distance_m)
        if not any(claims.graves) and "x" in keys:
            turned = _to_crs(_to_crs(given[:, ::-1], found_crs, graves.crs), graves.crs, frame.crs)
            _refuse_swapped(records, keys, known, turned, settings)
    if not any(claims.graves):
        raise _nothing_joined(graves, records, keys, claims)
    notes = (*graves.notes, *records.notes, *notes)
    return Join(graves, records, keys, claims, claims.by_grave(), points, notes)


def _letters(graves: Survey) -> list[str]:
    matches = (_LETTERED.fullmatch(str(one or "")) for one in graves.column("grave_id"))
    return [match[1] if match else "" for match in matches]


def _points(
    records: OfficeList, keys: Mapping[Role, str], map_crs: str, crs: str | None
) -> tuple[NDArray[np.float64] | None, str, tuple[str, ...]]:
    """Return the places of the records, their CRS, and notes about it."""
    own = records.crs or crs
    if records.points is not None and own:
        return records.points, own, _shift_notes(records, records.points, own, map_crs)
    if "x" not in keys:
        without = f"{records.name}: its places have no CRS and are not used; name it with --crs"
        return None, map_crs, () if records.points is None else (without,)
    numbers = [[to_number(row[keys[axis]]) for axis in ("x", "y")] for row in records.rows]
    points = np.array([[np.nan if n is None else n for n in pair] for pair in numbers])
    unread = _unread_note(records, keys)
    if crs is not None:
        return points, crs, (*unread, *_shift_notes(records, points, crs, map_crs))
    known = points[np.isfinite(points).all(axis=1)]
    in_degrees = len(known) and (np.abs(known) <= (180, 90)).all()
    if in_degrees and CRS(map_crs).is_projected:
        degrees = f"{records.name}: coordinates are taken as degrees (EPSG:4326)"
        return points, LONLAT, (*unread, degrees)
    return points, map_crs, unread


def _unread_note(records: OfficeList, keys: Mapping[Role, str]) -> tuple[str, ...]:
    """Say how many coordinates are no numbers, such as those in degrees and minutes."""
    cells = [row[keys[axis]] for row in records.rows for axis in ("x", "y")]
    unread = [cell for cell in cells if cell is not None and to_number(cell) is None]
    if not unread:
        return ()
    many = counted(len(unread), "coordinate")
    return (f"{records.name}: {many} cannot be read, such as {unread[0]}",)


def _shift_notes(
    records: OfficeList, points: NDArray[np.float64], crs: str, map_crs: str
) -> tuple[str, ...]:
    """Say if a grid of datum shifts is missing between the CRSs."""
    known = points[np.isfinite(points).all(axis=1)]
    if not len(known):
        return ()
    x, y = np.median(known, axis=0)
    note = shift_note(crs, map_crs, (float(x), float(y)), records.name)
    return (note,) if note else ()


def _to_crs(points: NDArray[np.float64], crs: str, target: str) -> NDArray[np.float64]:
    moved = points.copy()
    known = np.isfinite(points).all(axis=1)
    moved[known] = np.column_stack(transformer(crs, target).transform(*points[known].T))
    moved[~np.isfinite(moved).all(axis=1)] = np.nan
    return moved


def _refuse_swapped(
    records: OfficeList,
    keys: Mapping[Role, str],
    known: Graves,
    turned: NDArray[np.float64],
    settings: JoinSettings,
) -> None:
    """Refuse coordinates that lie on graves once x and y change places."""
    claims = Claims([[] for _ in turned], [""] * len(turned), [""] * len(turned))
    claim_by_place(claims, known, turned, settings.max_distance_m)
    if any(claims.graves):
        raise DatasetError(
            "x and y of the list are swapped",
            where=records.name,
            found=f"x = {keys['x']}, y = {keys['y']}",
            expected=f"x = {keys['y']}, y = {keys['x']}",
            remedy=f"--map x={keys['y']} --map y={keys['x']}",
        )


def _nothing_joined(
    graves: Survey, records: OfficeList, keys: Mapping[Role, str], claims: Claims
) -> DatasetError:
    first = next((reason for reason in claims.reasons if reason), "no match")
    columns = ", ".join(f"{role} = {column}" for role, column in keys.items())
    return DatasetError(
        "no record has a grave in the map",
        where=records.name,
        found=f"in line {records.lines[claims.reasons.index(first)]}: {first}"
        if first in claims.reasons
        else first,
        expected=f"numbers of {graves.name} in {columns}"
        if columns
        else f"places on graves of {graves.name}",
        remedy="check --on, --map and, for coordinates, --crs",
    )
