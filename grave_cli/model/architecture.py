"""Which network a model is, in words that are saved beside its weights.

In: settings or the ``model.json`` of a bundle. Out: one validated value. No torch is imported here,
so a bundle can be described, compared and run on ONNX Runtime where torch is not installed.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from grave_cli.settings.learning import DEFAULT_DECODER_CHANNELS, DEFAULT_ENCODER

ArchitectureName = Literal[
    "unet", "unetplusplus", "manet", "linknet", "fpn", "deeplabv3plus", "upernet", "segformer"
]
"""Decoders that were built, run and trained one step on ``tu-`` encoders (smp 0.6)."""

UNET_FAMILY: frozenset[str] = frozenset({"unet", "unetplusplus", "manet"})
"""Decoders whose width is chosen stage by stage with ``decoder_channels``."""

OUTPUT_CHANNELS: tuple[str, ...] = ("body", "border", "contact")
"""What each output channel says, in order; the network gives one logit per pixel for each."""

ENCODER_DEPTH = 5
"""Halvings in the encoder: the sides of an input are multiples of 2**5 = 32 pixels."""


class Architecture(BaseModel):
    """Everything needed to build the same network again, and nothing about its weights.

    ``decoder_channels`` is resolved on construction, never left to a default at build time: a
    bundle saved today still loads when the default changes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ArchitectureName = "unet"
    """Decoder."""

    encoder: str = Field(default=DEFAULT_ENCODER, min_length=1)
    """Encoder as segmentation-models-pytorch names it; ``tu-`` and a timm name opens timm's."""

    decoder_channels: tuple[PositiveInt, ...] | None = None
    """Channels of each decoder stage, coarse to fine; None takes the default of the U-Net
    family."""

    in_channels: int = Field(default=3, ge=3)
    """Input channels: red, green, blue, then those made from the DEM."""

    @model_validator(mode="before")
    @classmethod
    def _resolve_decoder_channels(cls, values: Any) -> Any:
        """Write the family's default out, on a copy of the caller's mapping."""
        if not isinstance(values, dict) or values.get("decoder_channels") is not None:
            return values
        if values.get("name", "unet") not in UNET_FAMILY:
            return values
        return values | {"decoder_channels": DEFAULT_DECODER_CHANNELS}

    @model_validator(mode="after")
    def _check_decoder_channels_are_used(self) -> "Architecture":
        """Refuse a width that the decoder would drop without a word."""
        if self.decoder_channels is not None and self.name not in UNET_FAMILY:
            raise ValueError(
                f"{self.name} has no decoder_channels; leave them out, "
                f"or take one of {', '.join(sorted(UNET_FAMILY))}"
            )
        return self
