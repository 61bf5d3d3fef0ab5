"""Settings of `gravecli join`.

A field's docstring is its help text and its comment in `config.example.toml`.
"""

from typing import Annotated

from pydantic import Field

from grave_cli.settings.section import OnResume, Section


class JoinSettings(Section):
    """Join of an office's list with a map."""

    on_resume = OnResume.MAY_CHANGE

    max_distance_m: Annotated[float, Field(ge=0, le=100)] = 0.5
    """Largest distance of a record's coordinates from its grave, in metres. 0 means inside it."""

    max_range: Annotated[int, Field(ge=2, le=1000)] = 50
    """Largest number of graves in a range such as 12-14. A longer one is not read as a range."""
