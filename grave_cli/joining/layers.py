"""A join in; the layers of its file out: the graves with their records, and both remainders."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import shapely

from grave_cli.delivery.grave_columns import GRAVE_COLUMNS, words
from grave_cli.delivery.grave_styles import TABLE, cased
from grave_cli.delivery.layer import Column, Layer, polygon_type
from grave_cli.delivery.style import Label, Rule, Style
from grave_cli.joining.join import Join
from grave_cli.resurvey.columns import free_name, to_cell, to_kind

LINES = Column(
    "str",
    words("Lines of the list", "Zeilen der Liste"),
    words("Rows of the records in the list", "Zeilen der Einträge in der Liste"),
)
OWN: Mapping[str, Column] = {
    "records": Column(
        "int",
        words("Records", "Einträge"),
        words("Number of records of this grave", "Anzahl der Einträge zu diesem Grab"),
    ),
    "list_lines": LINES,
    "joined_by": Column(
        "str",
        words("Joined by", "Verbunden über"),
        words("What joined the record", "Worüber der Eintrag verbunden ist"),
        values={
            "number": words("number", "Nummer"),
            "id": words("id", "Kennung"),
            "place": words("place", "Lage"),
        },
    ),
    "list_doubt": Column(
        "str",
        words("Doubt", "Zweifel"),
        words("What contradicts the record", "Was dem Eintrag widerspricht"),
    ),
}
"""Columns that the join adds to the graves."""

_LINE = Column(
    "int",
    words("Line of the list", "Zeile der Liste"),
    words("Row of the record in the list", "Zeile des Eintrags in der Liste"),
)
_REASON = Column(
    "str",
    words("Reason", "Grund"),
    words("Why the record has no grave", "Warum der Eintrag kein Grab hat"),
)
_USED = Column(
    "bool",
    words("Used", "Verwendet"),
    words("The grave has the values of this record", "Das Grab trägt die Werte dieses Eintrags"),
)


def join_layers(join: Join) -> list[Layer]:
    """Return all layers and tables of a join, and the ids of the map that are not given again."""
    layers = [_graves(join), _graves_without(join), _records_without(join), _claims(join)]
    removed = join.graves.removed
    return layers if removed is None else [*layers, removed]


def list_columns(join: Join) -> tuple[dict[str, Column], dict[str, str]]:
    """Return the columns of the list under free names, and the name of each in the list.

    A name that the map has as well gets the prefix `list_`.
    """
    taken = [*join.graves.types, *OWN, "fid", "geom", "grave_id", "line", "reason", "used"]
    columns: dict[str, Column] = {}
    names: dict[str, str] = {}
    for name, kind in join.records.types.items():
        used = {one.casefold() for one in (*taken, *columns)}
        free = f"list_{name}" if name.casefold() in used else name
        free = free_name(free, [*taken, *columns], "_2")
        columns[free], names[free] = Column(to_kind(kind), decimals=None), name
    return columns, names


def renamed(join: Join) -> Iterator[str]:
    """Say which columns got another name."""
    for owner, (_, names) in (("map", _map_columns(join)), ("list", list_columns(join))):
        for free, name in names.items():
            if free != name:
                yield f"column {name} of the {owner} is called {free} in the result"


def _map_columns(join: Join) -> tuple[dict[str, Column], dict[str, str]]:
    """Return the columns of the map without those of an earlier join, and their names there."""
    columns: dict[str, Column] = {}
    names: dict[str, str] = {}
    is_joined = set(OWN) <= set(join.graves.types)
    for name, kind in join.graves.types.items():
        if is_joined and name in OWN:
            continue
        free = free_name(name, [*columns, *OWN, "fid", "geom"], "_map")
        known = GRAVE_COLUMNS.get(name, Column("str", decimals=None))
        columns[free], names[free] = replace(known, kind=to_kind(kind)), name
    return columns, names


def _graves(join: Join) -> Layer:
    own, own_names = _map_columns(join)
    listed, names = list_columns(join)
    rows = []
    for index, grave in enumerate(join.graves.rows):
        claims = join.by_grave.get(index, ())
        row = _values(grave, own, own_names)
        row |= _record(join, claims[0], listed, names) if claims else dict.fromkeys(listed)
        rows.append(row | _own(join, claims))
    return Layer(
        "graves",
        {**own, **listed, **OWN},
        rows,
        join.graves.outlines,
        join.graves.crs,
        polygon_type(join.graves.outlines),
        title=words("Graves", "Gräber"),
        description=words(
            "The graves of the map with their records", "Die Gräber der Karte mit ihren Einträgen"
        ),
        style=_style("number" in own),
    )


def _graves_without(join: Join) -> Layer:
    own, names = _map_columns(join)
    without = [i for i in range(len(join.graves.rows)) if i not in join.by_grave]
    return Layer(
        "graves_without_record",
        own,
        [_values(join.graves.rows[index], own, names) for index in without],
        join.graves.outlines[without],
        join.graves.crs,
        polygon_type(join.graves.outlines),
        title=words("Graves without a record", "Gräber ohne Eintrag"),
        description=words(
            "Graves of the map that no record claims", "Gräber der Karte, die in der Liste fehlen"
        ),
        style=Style((_rule("no record", "kein Eintrag", "", "#ff4d1c", 0.3),)),
    )


def _records_without(join: Join) -> Layer:
    listed, names = list_columns(join)
    without = [i for i, graves in enumerate(join.claims.graves) if not graves]
    rows = [
        {
            **_record(join, index, listed, names),
            "line": join.records.lines[index],
            "reason": join.claims.reasons[index] or None,
        }
        for index in without
    ]
    points = None
    if join.points is not None:
        known = np.isfinite(join.points[without]).all(axis=1)
        points = np.full(len(without), None, dtype=object)
        points[known] = shapely.points(join.points[without][known])
    return Layer(
        "records_without_grave",
        {**listed, "line": _LINE, "reason": _REASON},
        rows,
        points,
        None if points is None else join.graves.crs,
        "Point",
        title=words("Records without a grave", "Einträge ohne Grab"),
        description=words(
            "Records of the list that fit no grave of the map, and why",
            "Einträge der Liste, die zu keinem Grab der Karte passen, und warum",
        ),
        style=TABLE if points is None else None,
    )


def _claims(join: Join) -> Layer:
    listed, names = list_columns(join)
    rows = []
    for grave, records in sorted(join.by_grave.items()):
        for rank, index in enumerate(records if len(records) > 1 else ()):
            row: dict[str, Any] = {"grave_id": _name(join, grave)}
            row |= _record(join, index, listed, names)
            rows.append(row | {"line": join.records.lines[index], "used": rank == 0})
    columns = {"grave_id": GRAVE_COLUMNS["grave_id"], **listed, "line": _LINE, "used": _USED}
    return Layer(
        "graves_claimed_twice",
        columns,
        rows,
        title=words("Graves claimed twice", "Mehrfach vergebene Gräber"),
        description=words(
            "All records of graves that several records claim",
            "Alle Einträge zu Gräbern, die mehrere Einträge haben",
        ),
        style=TABLE,
    )


def _name(join: Join, grave: int) -> str:
    row = join.graves.rows[grave]
    return str(row.get("grave_id") or row.get("number") or grave + 1)


def _values(
    row: Mapping[str, Any], columns: Mapping[str, Column], names: Mapping[str, str]
) -> dict[str, Any]:
    return {free: to_cell(row[name], columns[free].kind) for free, name in names.items()}


def _record(
    join: Join, index: int, columns: Mapping[str, Column], names: Mapping[str, str]
) -> dict[str, Any]:
    return _values(join.records.rows[index], columns, names)


def _own(join: Join, claims: Sequence[int]) -> dict[str, Any]:
    doubts = dict.fromkeys(join.claims.reasons[one] for one in claims)
    return {
        "records": len(claims),
        "list_lines": ", ".join(str(join.records.lines[one]) for one in claims) or None,
        "joined_by": join.claims.joined_by[claims[0]] if claims else None,
        "list_doubt": "; ".join(filter(None, doubts)) or None,
    }


def _rule(en: str, de: str, condition: str, colour: str, opacity: float) -> Rule:
    return Rule(words(en, de), condition, cased(colour), colour, opacity)


def _style(has_number: bool) -> Style:
    return Style(
        rules=(
            _rule("no record", "kein Eintrag", '"records" = 0', "#ff4d1c", 0.35),
            _rule("several records", "mehrere Einträge", '"records" > 1', "#a05cff", 0.35),
            _rule(
                "doubtful record",
                "zweifelhafter Eintrag",
                '"records" = 1 AND "list_doubt" IS NOT NULL',
                "#ffb000",
                0.35,
            ),
            _rule(
                "one record",
                "ein Eintrag",
                '"records" = 1 AND "list_doubt" IS NULL',
                "#22d65a",
                0.15,
            ),
        ),
        label=Label('"number"') if has_number else None,
    )
