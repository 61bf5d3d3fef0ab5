"""Settings of what is read: data, working grid, elevation.

A field's docstring is the comment in `config.example.toml` and the text of `gravecli config`.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from grave_cli.settings.section import Section

Channels = Literal["rgb", "rgb+dem"]
"""What the network sees: the orthophoto alone, or with heights above local ground."""

ElevationFeature = Literal["height", "slope", "zscore", "robust_zscore", "percentile"]


class DataSettings(Section):
    """Where the cemeteries lie, which channels are used, and who is trained on."""

    root: Path = Path("data")
    """Folder with orthophotos/, annotations/ (or masks/) and, for rgb+dem, dems/."""

    channels: Channels = "rgb"
    """What the network sees: "rgb" or "rgb+dem"."""

    train: tuple[str, ...] = ()
    """Cemeteries to train on; empty: chosen from all, the same every time."""

    val: tuple[str, ...] = ()
    """Cemeteries to validate on; empty: chosen, or a strip of each training cemetery."""

    test: tuple[str, ...] = ()
    """Cemeteries kept for the final score; empty: chosen when there are two or more."""

    val_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of a cemetery's graves that its validation strip holds in a spatial split."""

    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of a cemetery's graves that its test strip holds in a spatial split."""

    guard_m: Annotated[float, Field(ge=0, le=50)] = 2.0
    """Metres left unused between the strips of a spatial split, so that no grave is in two."""

    annotations: str = ""
    """One vector file with the graves of all cemeteries that have no labels of their own; each
    takes those within its orthophoto. Empty: none."""

    annotation_layer: str = ""
    """Layer with the graves. Empty: the only layer of polygons, or the one named "graves"."""

    annotation_filter: str = ""
    """Which features are graves: an SQL condition on the columns of the annotations, for example
    "NAME = 'Grab belegt'". Empty: all of them."""

    area_layer: str = ""
    """Layer of the annotation files with the part of the cemetery that has been labelled; outside
    it nothing counts. A file in areas/ wins over it. Empty: none."""


class GridSettings(Section):
    """The working grid: the ground sampling distance at which everything happens."""

    gsd_m: Annotated[float, Field(ge=0.01, le=2)] = 0.04
    """Metres on the ground per working pixel."""

    max_upsampling: Annotated[float, Field(ge=1, le=10)] = 3.0
    """An orthophoto whose pixels are more than this many times coarser than gsd_m is refused."""


class ElevationSettings(Section):
    """How heights become channels; used with channels = "rgb+dem"."""

    features: Annotated[tuple[ElevationFeature, ...], Field(min_length=1)] = ("height",)
    """Elevation channels, in order: height (above local ground), slope, zscore, robust_zscore,
    percentile."""

    ground_cell_m: Annotated[float, Field(ge=0.2, le=10)] = 1.0
    """Metres per cell of the coarse grid on which the local ground and all statistics are
    computed."""

    ground_radius_m: Annotated[float, Field(ge=1, le=100)] = 6.0
    """Metres around a point in which its local ground is sought; larger than half of the widest
    thing that stands on it."""

    height_range_m: tuple[float, float] = (-1.0, 3.0)
    """Heights above local ground are clipped to this range, in metres."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.height_range_m[0] >= self.height_range_m[1]:
            raise ValueError("height_range_m must be (lower, upper) with lower < upper")
        if len(set(self.features)) != len(self.features):
            raise ValueError("features must not name one feature twice")
        return self
