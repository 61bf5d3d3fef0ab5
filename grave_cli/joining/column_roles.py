"""The names of a list's columns in; what they stand for out."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

from grave_cli.errors import DatasetError, SettingsError

Role = Literal["grave_id", "field", "row", "number", "x", "y"]
ROLES: tuple[Role, ...] = get_args(Role)
_COORDINATES: tuple[Role, ...] = ("x", "y")
PLACE: tuple[Role, ...] = ("field", "row", "number")

_NAMES: Mapping[Role, tuple[str, ...]] = {
    "grave_id": ("graveid", "grabid", "grabkennung", "kennung", "grabschluessel"),
    "field": ("field", "feld", "grabfeld", "abteilung", "abt", "quartier", "section", "block"),
    "row": ("row", "reihe", "grabreihe", "rh"),
    "number": ("number", "nummer", "nr", "grabnummer", "grabnr", "no", "gravenumber", "plot"),
    "x": (
        "x",
        "east",
        "easting",
        "ost",
        "ostwert",
        "rechtswert",
        "lon",
        "longitude",
        "lng",
        "laenge",
        "laengengrad",
        "xkoordinate",
    ),
    "y": (
        "y",
        "north",
        "northing",
        "nord",
        "nordwert",
        "hochwert",
        "lat",
        "latitude",
        "breite",
        "breitengrad",
        "ykoordinate",
    ),
}
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def recognise(columns: Iterable[str]) -> dict[Role, str]:
    """Recognise columns by their names, in English or German; the first of each kind counts."""
    found: dict[Role, str] = {}
    for column in columns:
        plain = plain_name(column)
        for role, names in _NAMES.items():
            if plain in names:
                found.setdefault(role, column)
    return found


def plain_name(name: str) -> str:
    """Return a name without capitals, umlauts and signs: "Grab-Nr." is grabnr."""
    return re.sub(r"[^a-z0-9]", "", name.casefold().translate(_UMLAUTS))


def parse_map(pairs: Iterable[str]) -> dict[Role, str]:
    """Read pairs such as field=Feld.

    Raises:
        SettingsError: A pair has another form, names something that no column can stand for, or
            another column for the same.
    """
    found: dict[Role, str] = {}
    for pair in pairs:
        role, sign, column = (part.strip() for part in pair.partition("="))
        known = next((one for one in ROLES if one == role), None)
        if not (sign and column) or known is None:
            raise SettingsError(
                "--map cannot be read",
                found=pair,
                expected=f"field=Feld, or another of {', '.join(ROLES)}",
            )
        if found.setdefault(known, column) != column:
            raise SettingsError(
                f"--map names two columns for {known}", found=f"{found[known]} and {column}"
            )
    return found


def choose_keys(
    columns: Sequence[str], on: Sequence[str], mapped: Mapping[Role, str], where: str
) -> dict[Role, str]:
    """Choose the columns by which records are joined.

    Args:
        columns: All columns of the list.
        on: Columns named by the user; none leaves the choice to their names.
        mapped: Columns whose meaning the user named.
        where: The list, for messages.

    Returns:
        The column of each role; x and y as well if the list has coordinates.

    Raises:
        DatasetError: A column is missing, or the named columns do not name a grave.
    """
    for name in (*on, *mapped.values()):
        if name not in columns:
            raise _missing(name, columns, where)
    known = recognise(columns) | dict(mapped)
    places: dict[Role, str] = {role: known[role] for role in _COORDINATES if role in known}
    if len(places) < 2:
        places = {}
    if on:
        keys = _named_keys(on, known, mapped, where)
    elif "grave_id" in mapped and "number" not in mapped:
        keys = {"grave_id": mapped["grave_id"]}
    elif "number" in known:
        keys = {role: known[role] for role in PLACE if role in known}
    else:
        keys = {role: known[role] for role in ("grave_id",) if role in known}
    return {**keys, **places}


def _named_keys(
    on: Sequence[str], known: Mapping[Role, str], mapped: Mapping[Role, str], where: str
) -> dict[Role, str]:
    """Return the columns that the user named by their roles; none of them is left out."""
    roles = {column: role for role, column in known.items()} | recognise_one_each(on)
    roles |= {column: role for role, column in mapped.items()}
    keys: dict[Role, str] = {}
    for column in on:
        role = roles.get(column)
        if role is None:
            raise DatasetError(
                f"nobody knows what column {column} stands for",
                where=where,
                expected=", ".join(ROLES),
                remedy=f'say it, such as --map "number={column}"',
            )
        if keys.setdefault(role, column) != column:
            raise DatasetError(
                f"columns {keys[role]} and {column} both stand for {role}",
                where=where,
                expected="one column for each",
                remedy=f'leave one out, or say what it stands for, such as --map "row={column}"',
            )
    keys = {role: column for role, column in keys.items() if role not in _COORDINATES}
    if keys and keys.keys() != {"grave_id"} and ("number" not in keys or "grave_id" in keys):
        raise DatasetError(
            "columns do not name a grave",
            where=where,
            found=", ".join(f"{role} = {column}" for role, column in keys.items()),
            expected="number, with or without field and row, or grave_id alone",
            remedy='name others, such as --on "Feld,Reihe,Nummer"',
        )
    return keys


def recognise_one_each(columns: Iterable[str]) -> dict[str, Role]:
    """Recognise each of some columns, even if an earlier column of the list means the same."""
    return {column: role for column in columns for role in recognise([column])}


def names_graves(column: str, on: Sequence[str], mapped: Mapping[Role, str]) -> bool:
    """Tell whether a column of a list says which grave a record is about, and not where it lies.

    Args:
        column: The column.
        on: Columns named by the user.
        mapped: Columns whose meaning the user named.
    """
    roles = recognise_one_each([column]) | {name: role for role, name in mapped.items()}
    return roles[column] not in _COORDINATES if column in roles else column in on


def _missing(name: str, columns: Sequence[str], where: str) -> DatasetError:
    return DatasetError(
        "column is missing", where=where, found=", ".join(columns) or "no columns", expected=name
    )
