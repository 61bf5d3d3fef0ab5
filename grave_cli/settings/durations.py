"""Durations as people write them, in seconds."""

import re

from grave_cli.errors import SettingsError

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def parse_duration(text: str | float | None) -> float | None:
    """Convert a duration such as 90, 90s, 10m, 1.5h or 1h30m to seconds.

    A number without a unit stands alone: in 1h30, some mean minutes by it.

    Args:
        text: The duration; a number is in seconds, None stays None.

    Raises:
        SettingsError: The text is not a duration.
    """
    if text is None or isinstance(text, int | float):
        return text
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh]?)", text.strip().lower())
    whole = "".join(number + unit for number, unit in parts) == text.strip().lower()
    has_units = len(parts) == 1 or all(unit for _, unit in parts)
    if not parts or not whole or not has_units:
        raise SettingsError("duration cannot be read", found=text, expected="90s, 10m or 1h30m")
    return float(sum(float(number) * _UNITS[unit] for number, unit in parts))
