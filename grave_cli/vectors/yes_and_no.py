"""Values of vector files in, yes or no out: many formats have numbers or words for them."""

from typing import Any

_NO = ("", "0", "false", "no", "nein", "f", "n")


def is_yes(value: Any) -> bool:
    """Tell whether a value stands for yes; no value is no.

    Args:
        value: A truth value, a number, or a word such as "false" or "nein".
    """
    return str(value or "").strip().lower() not in _NO
