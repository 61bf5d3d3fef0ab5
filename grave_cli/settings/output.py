"""Settings of the files that a map is written to.

A field's docstring is its help text and its comment in `config.example.toml`.
"""

from typing import Literal, Self

from pydantic import model_validator

from grave_cli.settings.section import OnResume, Section

Language = Literal["en", "de"]


class OutputSettings(Section):
    """Output: the language of a map, and the signs of its CSV file."""

    on_resume = OnResume.MAY_CHANGE

    language: Language = "en"
    """Language of legends, column titles and descriptions in a GeoPackage: "en" English or "de"
    German. The names of the columns are the same in both."""

    csv_separator: Literal["auto", ",", ";", "tab"] = "auto"
    """Separator between the values of a CSV file. "auto": a semicolon if language is "de", as a
    German Excel expects, otherwise a comma."""

    csv_decimal: Literal["auto", ".", ","] = "auto"
    """Decimal sign of the numbers in a CSV file. "auto": a comma if language is "de", otherwise a
    point."""

    @property
    def csv_signs(self) -> tuple[str, str]:
        """Separator and decimal sign of a CSV file."""
        separator, decimal = (";", ",") if self.language == "de" else (",", ".")
        if self.csv_separator != "auto":
            separator = "\t" if self.csv_separator == "tab" else self.csv_separator
        if self.csv_decimal != "auto":
            decimal = self.csv_decimal
        return separator, decimal

    @model_validator(mode="after")
    def _check_signs(self) -> Self:
        separator, decimal = self.csv_signs
        if separator == decimal:
            raise ValueError("csv_separator and csv_decimal are both a comma")
        return self
