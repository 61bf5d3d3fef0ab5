"""The parts of a Shapefile: outlines, index, table and encoding, side by side.

Source: ESRI Shapefile Technical Description, July 1998; dBASE III header.
"""

import codecs
import re
from pathlib import Path

import numpy as np

from grave_cli.errors import DatasetError
from grave_cli.wording import counted

_SHAPE_HEADER, _SHAPE_RECORD = 100, 8  # bytes
_MOST_DBF_BYTES = 1 << 26  # of a table that is searched for its encoding
_DBF_CODECS = {0x01: "cp437", 0x02: "cp850", 0x03: "cp1252", 0x57: "cp1252", 0x64: "cp852"}
_DELETED = ord("*")  # in front of a row


def sibling(path: Path, suffix: str) -> Path | None:
    """Find a file beside another that differs in its ending, in lower or upper case."""
    beside = (path.with_suffix(ending) for ending in (suffix, suffix.upper()))
    return next((other for other in beside if other.is_file()), None)


def check_shapefile(path: Path) -> None:
    """Refuse a Shapefile that lacks a part or has lost the end of one.

    GDAL skips what it cannot find.
    """
    index, table = sibling(path, ".shx"), sibling(path, ".dbf")
    if index is None:
        raise DatasetError(
            "a file of the Shapefile is missing",
            where=path,
            found="no .shx",
            expected=".shp, .shx, .dbf and .prj side by side",
            remedy="copy all of them",
        )
    records = (index.stat().st_size - _SHAPE_HEADER) // _SHAPE_RECORD
    for part in (path, index):
        with part.open("rb") as file:
            stated = 2 * int.from_bytes(file.read(28)[24:28], "big")
        _refuse_short(part, stated)
    if table is not None:
        rows, start, length = _layout(table)
        _refuse_short(table, start + rows * length)
        if rows != records:
            raise DatasetError(
                "parts of the Shapefile do not belong together",
                where=path,
                found=f"{counted(records, 'outline')} and {counted(rows, 'row')} of {table.name}",
                expected="one row for each outline",
                remedy="copy all of its files again",
            )


def deleted_rows(path: Path) -> int:
    """Count the rows that an editor has marked as deleted but left in the table; GDAL skips them.

    Args:
        path: The Shapefile.
    """
    table = sibling(path, ".dbf")
    if table is None:
        return 0
    rows, start, length = _layout(table)
    if not rows * length:
        return 0
    marks = np.memmap(table, np.uint8, "r", start, (rows, length))[:, 0]
    return int((marks == _DELETED).sum())


def _layout(table: Path) -> tuple[int, int, int]:
    """Return the rows of a table, the byte where they start, and the bytes of each."""
    with table.open("rb") as file:
        head = file.read(12).ljust(12, b"\0")
    rows, start, length = (
        int.from_bytes(head[first:last], "little") for first, last in ((4, 8), (8, 10), (10, 12))
    )
    return rows, start, length


def _refuse_short(part: Path, expected: int) -> None:
    size = part.stat().st_size
    if size < expected:
        raise DatasetError(
            "file is cut short",
            where=part,
            found=counted(size, "byte"),
            expected=f"{counted(expected, 'byte')}, as its header says",
            remedy="copy or export it again",
        )


def table_encoding(path: Path) -> str | None:
    """Find the encoding of a Shapefile's table: stated by its `.cpg`, or by its header, or guessed.

    Without an explicit encoding, fiona encodes conditions unlike GDAL decodes the table, and a
    condition with an umlaut never fits. Text that is UTF-8 is hardly ever anything else.
    """
    stated = _stated_encoding(sibling(path, ".cpg"))
    table = sibling(path, ".dbf")
    if table is None or table.stat().st_size > _MOST_DBF_BYTES:
        return stated
    if stated and stated != "utf-8":
        return stated
    data = table.read_bytes()
    start = int.from_bytes(data[8:10], "little")
    fields = (data[field : field + 11] for field in range(32, start - 1, 32))
    names = b"".join(name.partition(b"\0")[0] for name in fields)
    text = names + data[start:]
    if _decodes(text, "utf-8"):
        return "utf-8"
    by_mark = _DBF_CODECS.get(data[29] if len(data) > 29 else 0)
    # Five bytes mean nothing to Windows; the letter ü of DOS is one of them.
    return by_mark or ("cp1252" if _decodes(text, "cp1252") else "cp850")


def _decodes(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _stated_encoding(file: Path | None) -> str | None:
    """Parse a .cpg file: `UTF-8`, `1252`, `ANSI 1252`, `ISO 8859-1`, `65001`, `88591`."""
    if file is None:
        return None
    text = file.read_bytes()[:100].decode("ascii", "ignore").strip().lower()
    digits = "".join(re.findall(r"\d+", text))
    if "utf" in text or digits == "65001":
        return "utf-8"
    name = f"iso-8859-{digits[4:]}" if digits.startswith("8859") else f"cp{digits}"
    try:
        codecs.lookup(name)
    except LookupError:
        return None
    return name
