"""Settings of `gravecli compare`: the shift between two surveys, and the kinds of change.

A field's docstring is its help text and its comment in `config.example.toml`.
"""

from typing import Annotated

from pydantic import Field

from grave_cli.settings.section import OnResume, Section

Metres = Annotated[float, Field(gt=0, le=100)]
Share = Annotated[float, Field(gt=0, lt=1)]


class CompareSettings(Section):
    """Comparison of two surveys: the shift between them, and the limits of the changes."""

    on_resume = OnResume.MAY_CHANGE

    layer: str = ""
    """Layer of the old survey. Empty: the layer graves, or the only polygon layer."""

    id_column: str = "grave_id"
    """Column of the old survey that holds the ids of the graves."""

    max_shift_m: Annotated[float, Field(ge=0, le=50)] = 5.0
    """Largest shift between two surveys that is searched and removed, in metres. 0 means that no
    shift is removed."""

    max_turn_deg: Annotated[float, Field(ge=0, le=10)] = 2.0
    """Largest rotation between two surveys that is searched and removed, in degrees."""

    min_pairs: Annotated[int, Field(ge=2, le=1000)] = 5
    """Smallest number of graves in both surveys from which the shift is estimated. With fewer, none
    is removed."""

    min_iou: Share = 0.25
    """Outlines of both surveys are the same grave if they overlap by at least this IoU."""

    max_move_share: Share = 0.8
    """Outlines of about the same size that overlap less are still the same grave if their centres
    lie closer than this share of their narrower side. A neighbouring grave lies farther."""

    moved_m: Metres = 0.3
    """A grave counts as moved if its centre has moved farther than this, in metres."""

    turned_deg: Annotated[float, Field(gt=0, le=90)] = 15.0
    """A grave that is clearly longer than wide also counts as moved if it has turned by more than
    this, in degrees, and its ends have moved by more than half of moved_m."""

    resized_share: Annotated[float, Field(gt=0, le=10)] = 0.3
    """A grave counts as resized if the larger of both areas exceeds the smaller one by more than
    this share."""

    part_share: Annotated[float, Field(gt=0.5, lt=1)] = 0.6
    """An outline is a part of another one if at least this share of it lies inside. Two parts or
    more that cover at least this share of an outline make a split or a merge."""

    min_part_share: Share = 0.15
    """Smallest part of a split or merged grave, as a share of the whole grave. A smaller one is a
    grave of its own."""
