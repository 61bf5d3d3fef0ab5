"""The input recipe: the only preprocessing, shared by training and prediction.

Training builds a recipe from the settings, the bundle carries it, prediction reads it from there.
"""

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from grave_cli.rasters.bit_depth import ValueRange
from grave_cli.settings.inputs import Channels, ElevationFeature, ElevationSettings
from grave_cli.settings.tree import Settings

RgbTriple = tuple[float, float, float]

# What published encoders expect lies well within; a damaged model would map nothing, silently.
_Mean = Annotated[float, Field(ge=-1, le=2, allow_inf_nan=False)]
_Deviation = Annotated[float, Field(ge=0.01, le=10, allow_inf_nan=False)]
_GsdMetres = Annotated[float, Field(ge=0.01, le=2, allow_inf_nan=False)]

_MAX_VALUE = 65_535  # of 16 bits

# Each feature is clipped to a range in its own unit: (lowest, highest, value that becomes 0).
_RANGES: dict[ElevationFeature, tuple[float, float, float]] = {
    "slope": (0.0, 60.0, 0.0),
    "zscore": (-4.0, 4.0, 0.0),
    "robust_zscore": (-4.0, 4.0, 0.0),
    "percentile": (0.0, 1.0, 0.5),
}


class InputRecipe(BaseModel):
    """How pixels and heights become the network's input.

    Args:
        channels: rgb, or rgb with elevation.
        gsd_m: Edge of a working pixel in metres on the ground.
        mean: Subtracted from RGB in [0, 1].
        std: Divisor of RGB after that.
        elevation: Elevation features, search for the local ground, and range of heights; None for
            rgb.
        value_range: 16-bit values that become 0 and 255; None: the model accepts 8 bits only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: Channels
    gsd_m: _GsdMetres
    mean: tuple[_Mean, _Mean, _Mean]
    std: tuple[_Deviation, _Deviation, _Deviation]
    elevation: ElevationSettings | None
    value_range: ValueRange | None = None

    @model_validator(mode="after")
    def _check_consistent(self) -> Self:
        if (self.channels == "rgb") != (self.elevation is None):
            raise ValueError(f"channels {self.channels} contradict the elevation features")
        if self.value_range is not None:
            low, high = self.value_range
            if not 0 <= low < high <= _MAX_VALUE:
                raise ValueError(f"value_range must rise from 0 or more to at most {_MAX_VALUE}")
        return self

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        mean: RgbTriple,
        std: RgbTriple,
        value_range: ValueRange | None = None,
    ) -> Self:
        """Fix a recipe for a training.

        Args:
            settings: Channels, GSD and elevation features.
            mean: Mean that the encoder's weights expect, for RGB in [0, 1].
            std: Standard deviation that they expect.
            value_range: Range of the 16-bit training orthophotos; None if there are none.
        """
        with_dem = settings.data.channels == "rgb+dem"
        return cls(
            channels=settings.data.channels,
            gsd_m=settings.grid.gsd_m,
            mean=mean,
            std=std,
            elevation=settings.elevation if with_dem else None,
            value_range=value_range,
        )

    @property
    def features(self) -> tuple[ElevationFeature, ...]:
        """The elevation features; empty for rgb."""
        return self.elevation.features if self.elevation else ()

    @property
    def channel_count(self) -> int:
        """Number of channels of the network's input."""
        return 3 + len(self.features)

    def network_input(
        self,
        rgb: NDArray[np.uint8],
        elevation: NDArray[np.float32] | None,
        valid: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """Normalise one chip or window.

        Invalid pixels and unknown heights become 0, which is the mean colour and the level of the
        local ground.

        Args:
            rgb: Colours.
            elevation: Features in their own units, NaN where unknown; None sets them to 0 (no DEM,
                or DEM dropout).
            valid: True where the orthophoto shows something.

        Shapes:
            rgb: (3, H, W); elevation: (features, H, W); valid: (H, W)
            returns: (3 + features, H, W)
        """
        result = np.zeros((self.channel_count, *valid.shape), np.float32)
        mean = np.array(self.mean, np.float32)[:, None, None]
        scale = 1 / np.array(self.std, np.float32)[:, None, None]
        np.multiply(rgb, np.float32(1 / 255), out=result[:3])
        result[:3] -= mean
        result[:3] *= scale
        if elevation is not None:
            for channel, name in enumerate(self.features):
                result[3 + channel] = self._scale(name, elevation[channel])
        result *= valid
        return result

    def feature_scale(self, name: ElevationFeature) -> tuple[float, float, float, float]:
        """Return how a feature is scaled: clipped to low and high, less zero, divided by reach.

        Args:
            name: One of the recipe's features.

        Returns:
            low, high, zero, reach, in the unit of the feature.
        """
        low, high, zero = _RANGES.get(name) or (*self._height_range(), 0.0)
        return low, high, zero, max(abs(low - zero), abs(high - zero))

    def _scale(self, name: ElevationFeature, values: NDArray[np.float32]) -> NDArray[np.float32]:
        low, high, zero, reach = self.feature_scale(name)
        scaled = (np.clip(values, low, high) - np.float32(zero)) / np.float32(reach)
        return np.asarray(np.nan_to_num(scaled, copy=False, nan=0.0))

    def _height_range(self) -> tuple[float, float]:
        assert self.elevation is not None  # called for one of its features
        return self.elevation.height_range_m
