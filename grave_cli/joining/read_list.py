"""A file in, an office's list out: the format is told by its ending and first bytes."""

import codecs
import csv
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from grave_cli.errors import DatasetError
from grave_cli.joining.column_roles import Role, names_graves
from grave_cli.joining.office_list import OfficeList, any_in, to_list
from grave_cli.vectors.attribute_tables import read_records

_SEPARATORS = (";", "\t", ",", "|")
_SAMPLE_LINES = 50
_MOST_BYTES = 1 << 28
TEXT = (".csv", ".txt", ".tsv")
SHEETS = (".xlsx", ".xlsm")
_OTHERS = {
    ".xls": "an old Excel file",
    ".xlsb": "a binary Excel file",
    ".ods": "an OpenDocument sheet",
    ".numbers": "a Numbers file",
}


def read_list(
    path: Path,
    on: Sequence[str] = (),
    sheet: str = "",
    mapped: Mapping[Role, str] | None = None,
) -> OfficeList:
    """Read the list of an office.

    Args:
        path: A CSV file in UTF-8, UTF-16, Windows' cp1252 or DOS' cp850, an Excel file, or a vector
            file.
        on: Columns that name the grave; they tell the header from titles above it.
        sheet: Sheet of an Excel file or layer of a vector file; empty: the first one with records.
        mapped: Meaning of columns, which the header must have as well.

    Raises:
        DatasetError: The file cannot be read, or has no records.
    """
    ending = path.suffix.lower()
    if not path.is_file() and ending != ".gdb":
        raise DatasetError("file is missing", where=path)
    if ending in _OTHERS:
        raise DatasetError(
            "list cannot be read",
            where=path,
            found=_OTHERS[ending],
            expected="CSV, .xlsx, or a vector file such as GeoPackage",
            remedy="save it as .xlsx or CSV",
        )
    if sheet and ending in TEXT:
        raise DatasetError("a text file has no sheets", where=path, found=f"--sheet {sheet}")
    wanted = [*on, *(mapped or {}).values()]
    if ending in (*SHEETS, *TEXT):
        cells, notes = _read_workbook(path, sheet) if ending in SHEETS else (_read_csv(path), ())
        return to_list(
            path, cells, wanted, partial(names_graves, on=on, mapped=mapped or {}), notes
        )
    found = read_records(path, sheet)
    lines = tuple(range(1, len(found.rows) + 1))
    return OfficeList(
        str(path), found.types, found.rows, lines, found.points, found.crs, found.notes
    )


def _read_csv(path: Path) -> list[list[str]]:
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise DatasetError("list is too large", where=path, found=f"{size >> 20} MB")
    text = _decode(path.read_bytes())
    if "\0" in text:
        raise DatasetError("is no text file", where=path, expected="CSV")
    lines = StringIO(text, newline="").readlines()  # `splitlines` also ends them within cells
    if lines and lines[0].lower().startswith("sep="):  # Excel's own mark
        lines[0] = "\n"
    try:
        return _records(path, lines, _separator(lines))
    except csv.Error as error:
        raise DatasetError(f"cannot be read as CSV: {error}", where=path) from None


def _records(path: Path, lines: Sequence[str], separator: str) -> list[list[str]]:
    """Return the cells of all records; one without its closing quote would hold the rest."""
    reader = csv.reader(lines, delimiter=separator)
    rows: list[list[str]] = []
    start = end = 0
    for row in reader:
        rows.append(row)
        start, end = end, reader.line_num
    try:
        list(csv.reader(lines[start:], delimiter=separator, strict=True))
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise DatasetError(
                "a quotation mark is not closed",
                where=path,
                found=f"in line {start + 1}: {lines[start].strip()[:60]}",
                expected='a second one before the next separator, as in "Meier"',
                remedy="delete it, or close it",
            ) from None
    return rows


def _decode(data: bytes) -> str:
    """Decode text: by its byte order mark, as UTF-8, as Windows of western Europe, or as DOS."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(name, "replace")
    for name in ("utf-8", "cp1252"):  # five bytes mean nothing to Windows; ü of DOS is one of them
        with suppress(UnicodeDecodeError):
            return data.decode(name)
    return data.decode("cp850")


def _separator(lines: Sequence[str]) -> str:
    """Find the separator that gives most rows the same number of columns, more than one.

    `csv.Sniffer` takes a letter for it in lists of one column, and a comma in "Meier, Anna; 7".
    """

    def evenness(separator: str) -> tuple[int, int]:
        rows = list(csv.reader(lines[:_SAMPLE_LINES], delimiter=separator, strict=False))
        counts = [len(row) for row in rows if any(row)]
        usual = max(counts, key=counts.count, default=1)
        return (counts.count(usual) if usual > 1 else 0, usual)

    return max(_SEPARATORS, key=evenness)


def _read_workbook(path: Path, sheet: str) -> tuple[list[list[Any]], tuple[str, ...]]:
    """Return the cells of a sheet, and notes for the office."""
    import warnings

    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of styles and validations it leaves out
            book = load_workbook(path, read_only=True, data_only=True)
            try:
                sheets = {one.title: _cells(one) for one in book.worksheets}
            finally:
                book.close()
    except Exception as error:  # openpyxl passes on errors of zip, XML and its own
        raise DatasetError(
            f"cannot be read as an Excel file: {error}",
            where=path,
            remedy="open it in Excel and save it again as .xlsx, without a password",
        ) from None
    if sheet and sheet not in sheets:
        raise DatasetError("sheet is missing", where=path, found=", ".join(sheets), expected=sheet)
    filled = [name for name, rows in sheets.items() if any(map(any_in, rows))]
    name = sheet or (filled[0] if filled else next(iter(sheets), ""))
    several = not sheet and len(filled) > 1
    note = f"{path}: the list is sheet {name}; of the others, name one with --sheet"
    return sheets.get(name, []), (note,) if several else ()


def _cells(sheet: Any) -> list[list[Any]]:
    """Return all cells of a sheet; its stated extent is wrong in files of some programs."""
    sheet.reset_dimensions()
    return [list(row) for row in sheet.iter_rows(values_only=True)]
