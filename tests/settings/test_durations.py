"""Durations as people write them."""

import pytest

from grave_cli.errors import SettingsError
from grave_cli.settings.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), (" 10M ", 600), ("1.5h", 5400), ("1h30m", 5400), (12.5, 12.5)],
)
def test_durations_are_read(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "1h-5m", "1h 5m", "1h30", "30 45"])
def test_what_has_no_clear_meaning_is_refused(text: str) -> None:
    """With 1h30, one means 90 minutes and another 1 hour and 30 seconds."""
    with pytest.raises(SettingsError, match="duration cannot be read"):
        parse_duration(text)
