"""Grave numbers as people write them in; single numbers with their letters out."""

import re
from typing import Any, NamedTuple

_WORDS = re.compile(
    r"\b(grab(stelle|stätte|platz)?|feld|abteilung|abt|quartier|block|reihe|nummer|nr|no|field|"
    r"section|plot|row|number|grave)\b\.?:?",
    re.IGNORECASE,
)
_PART = re.compile(
    r"(?P<first>\d{1,18})\s*(?P<letter>[a-zäöü]?)(\s*(-|–|—|bis|to)\s*(?P<last>\w+))?"
)
_END = re.compile(r"(?P<number>\d{0,18})(?P<letter>[a-z]?)")
_FLOAT = re.compile(r"\d+\.0")  # as some programs export whole numbers beside letters
_BETWEEN = re.compile(r"\s*(?:,|;|/|\+|&|\bund\b|\band\b)\s*")


class GraveNumber(NamedTuple):
    """A grave number: 7, or 7a with the letter A."""

    number: int
    letter: str = ""

    def __str__(self) -> str:
        return f"{self.number}{self.letter.lower()}"


def read_numbers(value: Any, max_range: int) -> tuple[GraveNumber, ...]:
    """Read one grave number or several: 12, 007, 7a, 12-14, 7a-c, 12/13, 12 und 14.

    Args:
        value: A cell of a list; 12.0 of a spreadsheet is 12.
        max_range: Largest number of graves in a range.

    Returns:
        The numbers in their order; none if the value is empty or cannot be read.
    """
    text = clean_text(value)
    found: list[GraveNumber] = []
    for part in _BETWEEN.split(text) if text else ():
        numbers = _read_part(part, max_range)
        if not numbers:
            return ()
        found += [number for number in numbers if number not in found]
    return tuple(found)


def clean_text(value: Any) -> str:
    """Return a cell as lower-case text without words such as "Grab Nr."; a whole float as such."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = " ".join(_WORDS.sub(" ", str(value)).split()).casefold()
    return text.removesuffix(".0") if _FLOAT.fullmatch(text) else text


def as_key(value: Any) -> str:
    """Return the name of a field or row, comparable: "Feld 02" and 2 are 2, "III" is iii."""
    text = clean_text(value)
    return text.lstrip("0") or "0" if text.isdecimal() else text


def _read_part(part: str, max_range: int) -> list[GraveNumber]:
    match = _PART.fullmatch(part)
    if match is None:
        return []
    first = GraveNumber(int(match["first"]), match["letter"].upper())
    if match["last"] is None:
        return [first]
    end = _END.fullmatch(match["last"])
    if end is None:
        return []
    if not end["number"]:  # 7a-c
        return _letters(first, end["letter"].upper())
    last = GraveNumber(int(end["number"]), end["letter"].upper())
    if last.number == first.number:  # 7a-7c
        return _letters(first, last.letter)
    if first.letter or last.letter or not 0 < last.number - first.number < max_range:
        return []
    return [GraveNumber(number) for number in range(first.number, last.number + 1)]


def _letters(first: GraveNumber, last: str) -> list[GraveNumber]:
    if not (first.letter and first.letter < last):
        return []
    codes = range(ord(first.letter), ord(last) + 1)
    return [GraveNumber(first.number, chr(code)) for code in codes]
