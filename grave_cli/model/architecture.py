"""The description of a network, saved beside its weights.

In: settings or the ``model.json`` of a bundle. Out: one validated value. It imports no torch, so
that bundles can be described, compared and run on ONNX Runtime without it.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from grave_cli.settings.learning import DEFAULT_DECODER_CHANNELS, DEFAULT_ENCODER
from grave_cli.settings.tree import Settings

ArchitectureName = Literal[
    "unet", "unetplusplus", "manet", "linknet", "fpn", "deeplabv3plus", "upernet", "segformer"
]
"""Decoders tested on ``tu-`` encoders with smp 0.6: built, run and trained for one step."""

UNET_FAMILY: frozenset[str] = frozenset({"unet", "unetplusplus", "manet"})
"""Decoders whose width is set stage by stage with ``decoder_channels``."""

ENCODER_DEPTH = 5
"""Halvings in the encoder: height and width of an input are multiples of 2**5 = 32 pixels."""


class Architecture(BaseModel):
    """Everything needed to build a network again, except for its weights.

    ``decoder_channels`` is resolved on construction, so that a bundle still loads after the default
    has changed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ArchitectureName = "unet"
    """Decoder, as segmentation-models-pytorch names it."""

    encoder: str = Field(default=DEFAULT_ENCODER, min_length=1)
    """Encoder, as segmentation-models-pytorch names it; ``tu-`` and a name of timm opens timm's."""

    decoder_channels: tuple[PositiveInt, ...] | None = None
    """Channels of each decoder stage, coarse to fine; None means the default for the U-Net family.
    Other decoders take none."""

    in_channels: int = Field(default=3, ge=3)
    """Input channels: red, green, blue, then the elevation features."""

    @model_validator(mode="before")
    @classmethod
    def _resolve_decoder_channels(cls, values: Any) -> Any:
        """Fill in the U-Net family's default, on a copy of the caller's mapping."""
        if not isinstance(values, dict) or values.get("decoder_channels") is not None:
            return values
        if values.get("name", "unet") not in UNET_FAMILY:
            return values
        return values | {"decoder_channels": DEFAULT_DECODER_CHANNELS}

    @model_validator(mode="after")
    def _check_decoder_channels_are_used(self) -> "Architecture":
        """Refuse widths that the decoder would silently ignore."""
        if self.decoder_channels is not None and self.name not in UNET_FAMILY:
            raise ValueError(
                f"{self.name} has no decoder_channels; leave them out, "
                f"or use one of {', '.join(sorted(UNET_FAMILY))}"
            )
        return self


def architecture_for(settings: Settings, in_channels: int) -> Architecture:
    """Describe the network of the settings.

    Args:
        settings: Decoder, encoder and decoder widths.
        in_channels: Number of input channels.
    """
    model = settings.model
    widths = model.decoder_channels if model.architecture in UNET_FAMILY else None
    return Architecture(
        name=model.architecture,
        encoder=model.encoder,
        decoder_channels=widths,
        in_channels=in_channels,
    )
