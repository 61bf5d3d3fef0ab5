"""Settings of the register: fields, rows and numbers.

A field's docstring is its help text and its comment in `config.example.toml`.
"""

from typing import Annotated, Literal

from pydantic import Field

from grave_cli.settings.section import OnResume, Section

Metres = Annotated[float, Field(gt=0, le=20)]
Corner = Literal["north-west", "north-east", "south-west", "south-east"]


class RegisterSettings(Section):
    """Register: the field, row and number of each grave, from the outlines alone."""

    on_resume = OnResume.MAY_CHANGE

    numbering: Literal["restarting", "serpentine"] = "restarting"
    """Direction of the numbers in the rows of a field. "restarting": every row counts in the same
    direction. "serpentine": every second row counts back."""

    start: Corner = "north-west"
    """Corner of the cemetery at which fields, rows and numbers start."""

    double_graves: Literal["one", "two"] = "one"
    """Numbers of a double grave. "two": it has the first of two numbers, and the second one is
    left out."""

    double_width_m: Metres = 1.5
    """Width along the row from which a grave counts as a double grave, in metres."""

    path_m: Metres = 1.5
    """Width of the narrowest path that divides rows, in metres. Closer graves always belong to one
    row."""

    row_gap_m: Metres = 6.0
    """Widest gap within a row, such as empty plots, in metres. Wider than path_m, it must not be
    part of a straight path through the rows beside it."""

    aisle_m: Metres = 2.4
    """Widest aisle between rows of one field, in metres. Rows farther apart belong to different
    fields."""

    min_field_graves: Annotated[int, Field(ge=1, le=10_000)] = 6
    """Smallest number of graves that make a field. A smaller group joins the nearest field
    within 4 m."""

    turn_deg: Annotated[float, Field(gt=0, le=45)] = 12.0
    """Largest angle between neighbours in a row or field, in degrees. A curved row may turn farther
    as a whole."""

    min_row_graves: Annotated[int, Field(ge=1, le=100)] = 2
    """Smallest number of graves that make a row. Other graves get a number but no row."""
