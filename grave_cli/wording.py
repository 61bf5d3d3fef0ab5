"""Numbers as people read them, with their nouns: 1 grave, 2 graves; names in commands to copy."""

import re


def counted(number: int, noun: str, plural: str = "") -> str:
    """Write a number and a noun in the singular or plural.

    Args:
        number: How many.
        noun: The noun in the singular ("grave", "finished trial").
        plural: Its plural; empty: with an `s`, or `ies` for a `y` after a consonant.
    """
    if number == 1:
        return f"1 {noun}"
    if not plural:
        is_y = noun.endswith("y") and noun[-2:-1] not in "aeiou"
        plural = f"{noun[:-1]}ies" if is_y else f"{noun}s"
    return f"{number} {plural}"


def rounded(value: float, digits: int = 4) -> str:
    """Round a number to some digits: 0.8666, 12.5, 1e-05; a large one to a whole number, 12345.

    Args:
        value: The number.
        digits: Significant digits.
    """
    # The format `g` would write 12345 as 1.234e+04.
    return f"{value:.0f}" if abs(value) >= 10**digits - 0.5 else f"{value:.{digits}g}"


def is_or_are(number: int) -> str:
    """Return the verb for a number of things."""
    return "is" if number == 1 else "are"


def duration(seconds: float) -> str:
    """Format a duration: 45 s, 3:20 min, 2:05 h."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"


def quoted(name: str) -> str:
    """Write the name of a file as a word of a command to copy, in quotes if it has blanks.

    Double quotes hold in every shell, single ones not on Windows.
    """
    return name if re.fullmatch(r"[\w.+-]+", name) else f'"{name}"'
