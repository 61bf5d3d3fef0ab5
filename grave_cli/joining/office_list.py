"""The list of an office in: a CSV file, a spreadsheet or a vector file; its records out."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grave_cli.errors import DatasetError

Rows = Sequence[Sequence[Any]]
_TITLE_ROWS = 20  # rows above the header, such as a title, at most
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})")  # a plus begins a telephone number
_DECIMALS = tuple(re.compile(rf"-?(0|[1-9]\d*){sign}(?P<end>\d+)") for sign in (r"\.", ","))
_LARGEST = 2.0**63  # of a whole number in a GeoPackage; longer ones, such as barcodes, are text
_COMMA = re.compile(r"[+-]?\d+,\d+")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?P<sign>['’.,])\d{3}(?:(?P=sign)\d{3})*(?P<end>[.,]\d+)?")


@dataclass(frozen=True)
class OfficeList:
    """The records of an office.

    Args:
        name: Its file, for messages.
        types: fiona's type of each column.
        rows: The records, by column; None where empty.
        lines: Row of each record in its file, counted from 1.
        points: Places of the records that are no columns, such as points of a layer; None for none.
        crs: CRS of these; None without them, or if it is not known.
        notes: Notes for the office, one line each.
    """

    name: str
    types: Mapping[str, str]
    rows: tuple[Mapping[str, Any], ...]
    lines: tuple[int, ...]
    points: NDArray[np.float64] | None = None
    crs: str | None = None
    notes: tuple[str, ...] = ()


def to_list(
    path: Path,
    grid: Rows,
    wanted: Sequence[str],
    names_graves: Callable[[str], bool],
    notes: Sequence[str] = (),
) -> OfficeList:
    """Turn the cells of a sheet into records.

    The header is the first row with all wanted names, or else the first one that is not empty. A
    column has the type of its values: whole numbers, numbers with a decimal point or comma, dates,
    or text. Numbers are text where they would lose something: leading zeros, a plus, the zero of
    1.10 beside 1.1, and in columns that name graves all decimals, as 12,13 are two graves.

    Args:
        path: The file, for messages.
        grid: Its cells, row by row; None or empty text where nothing stands.
        wanted: Names of columns that the header must have.
        names_graves: Tells whether a column of this name says which grave a record is about.
        notes: Notes for the office.

    Raises:
        DatasetError: There is no record.
    """
    cells = [[_stripped(cell) for cell in row] for row in grid]
    header = _find_header(cells, wanted)
    if header is None:
        raise DatasetError("list is empty", where=path, expected="a row of names, then records")
    numbered = [
        (line, row) for line, row in enumerate(cells, 1) if line > header + 1 and any_in(row)
    ]
    named = [_text(cell) for cell in cells[header]]
    widest = max((len(row) for _, row in numbered), default=0)
    names = _unique_names([*named, *[""] * (widest - len(named))])
    if not numbered:
        raise DatasetError(
            "list has no records", where=path, found=f"the names {', '.join(names)} alone"
        )
    columns: dict[str, list[Any]] = {}
    types: dict[str, str] = {}
    for index, name in enumerate(names):
        values = [row[index] if index < len(row) else None for _, row in numbered]
        kind = _type_of([value for value in values if value is not None], names_graves(name))
        if name.startswith("column_") and all(value is None for value in values):
            continue
        types[name] = kind
        columns[name] = [_convert(value, kind) for value in values]
    rows = tuple(
        dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
    )
    if beyond := [name for name in names[len(named) :] if name in types]:
        notes = (*notes, f"{path}: rows have more cells than names, see {', '.join(beyond)}")
    return OfficeList(
        str(path), types, rows, tuple(line for line, _ in numbered), notes=tuple(notes)
    )


def any_in(row: Sequence[Any]) -> bool:
    """Tell whether a row has a cell that is not empty."""
    return any(cell is not None for cell in row)


def to_number(value: Any) -> float | None:
    """Read a number with a decimal point or comma; None if it is none.

    Thousands may be grouped: 2'600'000.5, 4.515.123, 500.001,25 and 500,001.25 are numbers of that
    size, but 500.001 has three decimals.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    text = _ungrouped("".join(str(value).split()))
    if _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _ungrouped(text: str) -> str:
    """Remove the signs between thousands, where they cannot be a decimal point or comma."""
    match = _GROUPED.fullmatch(text)
    if match is None:
        return text
    sign, end = match["sign"], match["end"] or ""
    is_sure = sign in "'’" or text.count(sign) > 1 or bool(end)
    if end.startswith(sign) or not is_sure:
        return text
    return text.removesuffix(end).replace(sign, "") + end


def _stripped(cell: Any) -> Any:
    if isinstance(cell, str):
        return cell.strip() or None
    return cell


def _text(cell: Any) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def _find_header(cells: Rows, wanted: Sequence[str]) -> int | None:
    filled = [index for index, row in enumerate(cells) if any_in(row)]
    for index in filled[:_TITLE_ROWS]:
        if wanted and set(wanted) <= {_text(cell) for cell in cells[index]}:
            return index
    # A title stands in one cell; names stand in several.
    several = (i for i in filled[:_TITLE_ROWS] if sum(cell is not None for cell in cells[i]) > 1)
    return next(several, filled[0] if filled else None)


def _unique_names(names: Sequence[str]) -> list[str]:
    found: list[str] = []
    taken: set[str] = set()
    for index, name in enumerate(names, 1):
        name = name or f"column_{index}"
        while name.casefold() in taken:
            name += "_2"
        found.append(name)
        taken.add(name.casefold())
    return found


def _type_of(values: Sequence[Any], names_graves: bool) -> str:
    """Find the type that all values of a column have."""
    if not values:
        return "str"
    if all(isinstance(value, bool) for value in values):
        return "bool"
    texts = [value for value in values if isinstance(value, str)]
    if not texts and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        if not all(float(value).is_integer() for value in values):
            return "float"
        return "int" if all(abs(value) < _LARGEST for value in values) else "str"
    if not texts and all(isinstance(value, date) for value in values):
        midnight = all(_is_date(value) for value in values)
        return "date" if midnight else "datetime"
    if len(texts) < len(values):
        return "str"
    if all(_WHOLE.fullmatch(text) for text in texts):
        return "int"
    decimals = {text for text in texts if not _WHOLE.fullmatch(text)}
    return "float" if _are_decimals(decimals, names_graves) else "str"


def _are_decimals(texts: Collection[str], names_graves: bool) -> bool:
    """Tell whether different texts are different numbers; the numbers of graves are whole."""
    for form in _DECIMALS:
        ends = [match["end"] for match in map(form.fullmatch, texts) if match]
        if len(ends) == len(texts):
            if names_graves:
                return not "".join(ends).strip("0")
            return len({to_number(text) for text in texts}) == len(texts)
    return False


def _is_date(value: date) -> bool:
    return not isinstance(value, datetime) or value.time() == time()


def _convert(value: Any, kind: str) -> Any:
    """Convert a cell to the type of its column."""
    if value is None:
        return None
    if kind == "int":
        return int(value)
    if kind == "float":
        return to_number(value)
    if kind == "date":
        return value.date().isoformat() if isinstance(value, datetime) else value.isoformat()
    if kind == "datetime":
        return value.isoformat()
    if kind == "str":
        return _written(value)
    return value


def _written(value: Any) -> str:
    """Write a cell of a mixed column as text, whole numbers without a point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)
