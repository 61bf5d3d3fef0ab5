"""Control characters in a layer of settings are refused: most are slips in paths of Windows."""

import re
from collections.abc import Iterable
from typing import Any

from grave_cli.errors import SettingsError

WRITE_PATHS = "write paths with / or in 'single quotes'"
"""The remedy for backslashes in TOML."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_OF_SEVERAL_LINES = ("data.annotation_filter",)


def refuse_control_characters(values: Iterable[tuple[str, Any]], origin: str) -> None:
    r"""Refuse texts with control characters: in "C:\friedhof", TOML reads `\f` as a form feed.

    Args:
        values: Dotted keys and their values.
        origin: Their origin.

    Raises:
        SettingsError: A text has one.
    """
    for key, value in values:
        if isinstance(value, str) and key not in _OF_SEVERAL_LINES and _CONTROL.search(value):
            raise SettingsError(
                f"setting {key} (from {origin}) has a control character",
                found=repr(value),
                remedy=WRITE_PATHS,
            )
