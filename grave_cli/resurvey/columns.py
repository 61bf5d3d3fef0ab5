"""The columns of two surveys in; one set of columns out: nothing of the office's is lost."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from grave_cli.delivery.grave_columns import GRAVE_COLUMNS, words
from grave_cli.delivery.layer import Column
from grave_cli.delivery.simple_files import shapefile_names
from grave_cli.resurvey.changes import CHANGES
from grave_cli.wording import counted

OUTSIDE = "outside"
"""A grave of the old survey outside the imagery of the new one: nobody knows its change."""

CHANGE_WORDS = {
    "unchanged": words("unchanged", "unverändert"),
    "moved": words("moved", "versetzt"),
    "resized": words("resized", "Größe geändert"),
    "new": words("new", "neu"),
    "gone": words("gone", "verschwunden"),
    "split": words("split", "geteilt"),
    "merged": words("merged", "zusammengelegt"),
    OUTSIDE: words("not surveyed", "nicht erfasst"),
}
"""The kinds of change, for people."""

IDENTITY = ("cemetery_id", "field", "row", "number")
"""Columns besides the id that say who a grave is: like the id, they keep their old values."""

HISTORY: Mapping[str, Column] = {
    "merged_ids": Column(
        "str",
        words("Merged ids", "Zusammengelegte Kennungen"),
        words(
            "Ids of the other graves that were merged into this one, in any survey",
            "Kennungen der anderen Gräber, die in diesem aufgegangen sind",
        ),
    ),
    "split_from": Column(
        "str",
        words("Split from", "Abgeteilt von"),
        words("Id of the grave of which this was a part", "Kennung des früheren ganzen Grabes"),
    ),
}
"""Columns that are kept from survey to survey."""

CHANGE_COLUMNS: Mapping[str, Column] = {
    "change": Column(
        "str",
        words("Change", "Änderung"),
        words("Change since the previous survey", "Änderung seit der vorigen Aufnahme"),
        values=CHANGE_WORDS,
    ),
    "moved_m": Column(
        "float",
        words("Moved (m)", "Versatz (m)"),
        words(
            "Distance of the centres after the shift between the surveys was removed, in metres",
            "Abstand der Mittelpunkte ohne den Versatz zwischen den Aufnahmen, in Metern",
        ),
    ),
    "turned_deg": Column(
        "float",
        words("Turned (°)", "Drehung (°)"),
        words(
            "Angle between the longer sides; empty for a nearly square grave",
            "Winkel zwischen den längeren Seiten; leer bei fast quadratischen Gräbern",
        ),
        decimals=1,
    ),
    "area_change_m2": Column(
        "float",
        words("Area change (m²)", "Flächenänderung (m²)"),
        words(
            "Area in the new survey less that in the old one, in square metres",
            "Fläche der neuen Aufnahme weniger Fläche der alten, in Quadratmetern",
        ),
    ),
    "overlap": Column(
        "float",
        words("Overlap", "Überdeckung"),
        words(
            "Overlap of the old and the new outline, 0 to 1 (IoU)",
            "Überdeckung von altem und neuem Umriss, 0 bis 1 (IoU)",
        ),
    ),
}
"""Columns of one comparison, which the next one replaces."""

BECAME = Column(
    "str",
    words("Became", "Heute"),
    words("Ids of this grave in the new survey", "Kennungen dieses Grabes in der neuen Aufnahme"),
)
MEASURED = frozenset(GRAVE_COLUMNS) - {"grave_id", *IDENTITY}
"""Columns that describe an outline: those of the new survey replace the old ones."""

_AS_THEY_ARE = ("str", "int", "float", "bool", "date", "datetime", "bytes")
_TAKEN = ("fid", "geom")  # by the GeoPackage itself


@dataclass(frozen=True)
class MergedColumns:
    """The columns of a survey that continues another one.

    Args:
        columns: All columns by name, in their order.
        from_old: For each column with values of the old survey, its name there.
        from_new: For each column with values of the new survey, its name there.
        notes: Columns that got another name, one line each.
    """

    columns: Mapping[str, Column]
    from_old: Mapping[str, str]
    from_new: Mapping[str, str]
    notes: tuple[str, ...] = ()


def kept_columns(types: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the columns of a survey, except for the columns of an earlier comparison.

    Args:
        types: fiona's types of all columns.
        rows: The graves; a column `change` with other values is the office's own.
    """
    if "change" not in types:
        return dict(types)
    ours_alone = (*CHANGES, OUTSIDE, None)  # compared, not hashed: GeoJSON may have lists
    if all(row.get("change") in ours_alone for row in rows):
        ours = {*CHANGE_COLUMNS, *shapefile_names(CHANGE_COLUMNS).values(), "became"}
        return {name: kind for name, kind in types.items() if name not in ours}
    return dict(types)


def merge_columns(
    old: Mapping[str, str], new: Mapping[str, str], id_column: str, known: Mapping[str, Column]
) -> MergedColumns:
    """Merge the columns of two surveys; the ids come first.

    Args:
        old: fiona's types of the columns of the old survey.
        new: Those of the new survey; one that a GeoPackage takes for the ids gives way to them.
        id_column: Column of the ids in the old survey.
        known: Titles and descriptions of columns of gravecli's own.
    """
    columns: dict[str, Column] = {}
    from_old: dict[str, str] = {}
    from_new: dict[str, str] = {}
    notes: list[str] = []

    def add(name: str, kind: str, ending: str) -> str:
        reserved = [*columns, *HISTORY, *CHANGE_COLUMNS, *_TAKEN]
        free = free_name(name, reserved, ending)
        if free != name:
            notes.append(f"column {name} is called {free} in the result")
        columns[free] = replace(known.get(name, Column("str", decimals=None)), kind=kind)
        return free

    add(id_column, "str", "_old")
    for name, kind in new.items():
        if name.casefold() == id_column.casefold() or name in HISTORY:
            continue
        same = old.get(name)
        if name in MEASURED or same is None:
            from_new[add(name, to_kind(kind), "_new")] = name
        elif shared := _shared_kind(to_kind(same), to_kind(kind), is_identity=name in IDENTITY):
            free = add(name, shared, "_old")
            from_old[free] = from_new[free] = name
        else:
            from_old[add(name, to_kind(same), "_old")] = name
            from_new[add(f"{name}_new", to_kind(kind), "_new")] = name
    for name, kind in old.items():
        if name not in {id_column, *HISTORY, *from_old.values(), *MEASURED}:
            from_old[add(name, to_kind(kind), "_old")] = name
    return MergedColumns({**columns, **HISTORY, **CHANGE_COLUMNS}, from_old, from_new, tuple(notes))


def outvoted(
    merged: MergedColumns,
    old: Sequence[Mapping[str, Any]],
    new: Sequence[Mapping[str, Any]],
    carriers: Sequence[int],
) -> Iterator[str]:
    """Name the columns of the office in which the old survey hides other values of the new one.

    Args:
        merged: The columns.
        old: Graves of the old survey.
        new: Graves of the new survey.
        carriers: For each of these, the grave of the old survey whose values it keeps; -1 for none.
    """
    for name, former in merged.from_old.items():
        own = merged.from_new.get(name)
        if own is None or name in IDENTITY:
            continue
        kept = (
            (old[one][former], row[own]) for one, row in zip(carriers, new, strict=True) if one >= 0
        )
        count = sum(None not in pair and pair[0] != pair[1] for pair in kept)
        if count:
            many = counted(count, "grave")
            yield f"column {name}: the old survey's value is kept where both have one ({many})"


def old_columns(
    types: Mapping[str, str], known: Mapping[str, Column], reserved: Collection[str]
) -> tuple[dict[str, Column], dict[str, str]]:
    """Return all columns of a survey under free names, and the name of each in its file."""
    columns: dict[str, Column] = {}
    names: dict[str, str] = {}
    for name, kind in types.items():
        free = free_name(name, [*columns, *reserved, *_TAKEN], "_old")
        columns[free] = replace(known.get(name, Column("str", decimals=None)), kind=to_kind(kind))
        names[free] = name
    return columns, names


def free_name(name: str, taken: Collection[str], ending: str) -> str:
    """Return a name that no other column has; capitals make no difference in a GeoPackage."""
    used = {one.casefold() for one in taken}
    while name.casefold() in used:
        name += ending
    return name


def to_kind(kind: str) -> str:
    """Return the type in which fiona writes a column of any type to a GeoPackage."""
    name = kind.partition(":")[0]
    if name in ("int32", "int64", "int16"):
        return name
    return name if name in _AS_THEY_ARE else "str"


def _shared_kind(old: str, new: str, *, is_identity: bool) -> str | None:
    """Return the type that holds the values of both surveys; None if none does."""
    if is_identity or old == new:
        return old
    both_whole = old.startswith("int") and new.startswith("int")
    return "int64" if both_whole else None


def to_cell(value: Any, kind: str) -> Any:
    """Convert a value to the type of its column."""
    if value is None:
        return None
    if kind == "str":
        return value if isinstance(value, str) else _text(value)
    if kind.startswith("int") and isinstance(value, float | str):
        return int(float(value))
    return value


def _text(value: Any) -> str:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
