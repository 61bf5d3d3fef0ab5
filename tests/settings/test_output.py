"""The signs of a CSV file follow the language, unless they are set."""

import pytest

from grave_cli.settings.output import OutputSettings


@pytest.mark.parametrize(
    ("settings", "signs"),
    [
        ({}, (",", ".")),
        ({"language": "de"}, (";", ",")),
        ({"language": "de", "csv_decimal": "."}, (";", ".")),
        ({"csv_separator": "tab", "csv_decimal": ","}, ("\t", ",")),
    ],
)
def test_signs(settings: dict[str, str], signs: tuple[str, str]) -> None:
    assert OutputSettings.model_validate(settings).csv_signs == signs


@pytest.mark.parametrize(
    "settings", [{"csv_decimal": ","}, {"language": "de", "csv_separator": ","}]
)
def test_one_sign_cannot_be_both(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="csv_separator and csv_decimal are both a comma"):
        OutputSettings.model_validate(settings)
