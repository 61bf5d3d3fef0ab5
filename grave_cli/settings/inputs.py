"""Settings of the input: data, working grid, elevation.

A field's docstring is its help text and its comment in `config.example.toml`.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from grave_cli.settings.section import OnResume, Section

Channels = Literal["rgb", "rgb+dem"]
"""Input of the network: the orthophoto alone, or with elevation channels from the DEM."""

ElevationFeature = Literal["height", "slope", "zscore", "robust_zscore", "percentile"]


class DataSettings(Section):
    """Data folder, input channels, and the split into train, validation and test cemeteries."""

    on_resume = OnResume.FIXED

    root: Annotated[Path, OnResume.MAY_CHANGE] = Path("data")
    """Folder with orthophotos/, annotations/ (or masks/) and, for rgb+dem, dems/."""

    channels: Channels = "rgb"
    """Input of the network: "rgb" (orthophoto) or "rgb+dem" (orthophoto and DEM)."""

    train: tuple[str, ...] = ()
    """Cemeteries to train on. Empty: chosen automatically, the same ones every time."""

    val: tuple[str, ...] = ()
    """Cemeteries to validate on. Empty: chosen automatically, or a strip of each training
    cemetery."""

    test: tuple[str, ...] = ()
    """Cemeteries held out for the final score. Empty: chosen automatically if data.train is also
    empty and there are at least two cemeteries."""

    val_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of a cemetery's graves in its validation strip, if it is split into strips."""

    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of a cemetery's graves in its test strip, if it is split into strips."""

    guard_m: Annotated[float, Field(ge=0, le=50)] = 2.0
    """Width of the unused gap between the strips of a split cemetery, in metres. It keeps a grave
    from appearing in two strips."""

    annotations: str = ""
    """One vector file with the graves of all cemeteries. A cemetery without labels of its own uses
    the graves within its orthophoto. Empty: none."""

    annotation_layer: str = ""
    """Layer of the annotation files that holds the graves. Empty: the only polygon layer, or the
    one named "graves"."""

    annotation_filter: str = ""
    """SQL condition that selects the graves among the annotations, for example "NAME = 'Grab
    belegt'". Empty: every feature is a grave."""

    allow_remote: Annotated[bool, OnResume.MAY_CHANGE] = False
    """Read rasters from servers: https:// and s3:// addresses, and link files (.url) in the data
    folder. GDAL fetches only the parts of a cloud-optimised GeoTIFF that are needed. If false,
    nothing is fetched."""

    area_layer: str = ""
    """Layer of the annotation files that outlines the labelled part of the cemetery. Training and
    scores ignore the rest. A file in areas/ takes precedence. Empty: none."""


class GridSettings(Section):
    """The working grid: the ground sampling distance of all processing."""

    on_resume = OnResume.FIXED

    gsd_m: Annotated[float, Field(ge=0.01, le=2)] = 0.04
    """Ground sampling distance: edge of a working pixel on the ground, in metres. Half the value
    means four times as many pixels."""

    max_upsampling: Annotated[float, Field(ge=1, le=10)] = 3.0
    """Refuse an orthophoto whose pixels are more than this many times coarser than grid.gsd_m."""


class ElevationSettings(Section):
    """Elevation channels computed from the DEM, for data.channels = "rgb+dem"."""

    on_resume = OnResume.FIXED

    features: Annotated[tuple[ElevationFeature, ...], Field(min_length=1)] = ("height",)
    """Elevation channels of the network, in order. Available: height (metres above local ground),
    slope (degrees), zscore (standard deviations from the cemetery's mean height), robust_zscore
    (robust standard deviations from the median), percentile (rank of the height, 0 to 1)."""

    ground_cell_m: Annotated[float, Field(ge=0.2, le=10)] = 1.0
    """Cell size of the coarse grid for the local ground and the height statistics, in metres."""

    ground_radius_m: Annotated[float, Field(ge=1, le=100)] = 6.0
    """Radius in which the local ground around a point is estimated, in metres. It should exceed
    half the width of the widest object on the ground."""

    height_range_m: tuple[float, float] = (-1.0, 3.0)
    """Range to which heights above local ground are clipped, in metres."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.height_range_m[0] >= self.height_range_m[1]:
            raise ValueError("height_range_m must be (lower, upper) with lower < upper")
        if len(set(self.features)) != len(self.features):
            raise ValueError("features must not name one feature twice")
        return self
