"""Build the network that an architecture describes, with or without pretrained encoder weights.

In: an ``Architecture``. Out: a torch module, (N, in_channels, H, W) float32 -> (N, 3, H, W) logits.
Building reads no file and downloads nothing: a bundle has its own weights, and only a new training
asks for ImageNet's.
"""

import difflib
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch

from grave_cli.errors import ModelError
from grave_cli.graves.targets import CHANNEL_NAMES
from grave_cli.model.architecture import ENCODER_DEPTH, UNET_FAMILY, Architecture
from grave_cli.model.encoder_weights import load_encoder_weights
from grave_cli.wording import counted

Statistics = tuple[float, float, float]

IMAGENET: tuple[Statistics, Statistics] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF: tuple[Statistics, Statistics] = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
# Published as (pixel - mean) * 0.0167 for pixels from 0 to 255.
_DPN: tuple[Statistics, Statistics] = (
    (124 / 255, 117 / 255, 104 / 255),
    (1 / (0.0167 * 255), 1 / (0.0167 * 255), 1 / (0.0167 * 255)),
)
# Written out because smp asks the hub for them even if nothing is to be downloaded.
# Source: pretrained_settings of Cadene's pretrained-models.pytorch, where smp's weights come from.
_SMP_EXCEPTIONS = {"inception": _HALF, "xception": _HALF, "dpn": _DPN}

# Raised by the constructors of smp and timm for an encoder that does not fit a decoder.
_MISFITS = (ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError)


def build_network(architecture: Architecture) -> torch.nn.Module:
    """Build a network with random weights.

    Args:
        architecture: Decoder, encoder and channel counts.

    Returns:
        A network without a final activation: loss and export apply the sigmoid.

    Shapes:
        (N, in_channels, H, W) -> (N, 3, H, W); H and W are multiples of 32 pixels.

    Raises:
        ModelError: The encoder is unknown or does not fit the decoder, or the decoder channels are
            not five, one for each stage.
    """
    check_encoder(architecture.encoder)
    options = _decoder_options(architecture)
    try:
        network: torch.nn.Module = smp.create_model(
            architecture.name,
            encoder_name=architecture.encoder,
            encoder_weights=None,
            in_channels=architecture.in_channels,
            classes=len(CHANNEL_NAMES),
            **options,
        )
    except _MISFITS as error:
        raise ModelError(
            f"the encoder cannot serve a {architecture.name} decoder: {error}",
            where=architecture.encoder,
            remedy="choose another model.encoder or model.architecture",
        ) from error
    return network


def build_pretrained(architecture: Architecture, weights: str) -> torch.nn.Module:
    """Build a network whose encoder starts from pretrained weights.

    Args:
        architecture: Decoder, encoder and channel counts.
        weights: "imagenet", "none", or the path of a local .safetensors, .pt or .pth file.

    Returns:
        The network of ``build_network``; its decoder and head are random.

    Raises:
        ModelError: As for ``build_network``; or the weights are unavailable or do not fit.
    """
    network = build_network(architecture)
    encoder = network.get_submodule("encoder")
    load_encoder_weights(encoder, architecture.encoder, weights, architecture.in_channels)
    return network


def encoder_normalisation(encoder: str, weights: str) -> tuple[Statistics, Statistics]:
    """Return the normalisation of red, green and blue that the encoder's weights expect.

    Pretrained features depend on it: between lite0's standard deviation of 0.5 and ImageNet's
    0.229 lies a factor of two in contrast. Neither a file nor the hub is read.

    Args:
        encoder: Encoder, as segmentation-models-pytorch names it.
        weights: As for ``build_pretrained``. "none" expects nothing and gets ImageNet's statistics;
            a local file is assumed to expect those of the encoder's published weights.

    Returns:
        Mean and standard deviation of (red, green, blue), on a scale where 8-bit 255 is 1.0.

    Raises:
        ModelError: The encoder is unknown.

    Source:
        timm's pretrained configurations; for smp's own encoders, the settings of their first
        publication.
    """
    check_encoder(encoder)
    if weights == "none":
        return IMAGENET
    if encoder.startswith("tu-"):
        published = timm.get_pretrained_cfg(encoder.removeprefix("tu-"))
        return (_triple(published.mean), _triple(published.std)) if published else IMAGENET
    return next((s for start, s in _SMP_EXCEPTIONS.items() if encoder.startswith(start)), IMAGENET)


def check_encoder(encoder: str) -> None:
    """Refuse an encoder that neither smp nor timm has, before anything is built.

    smp's ``timm-`` encoders are also refused: they are deprecated copies of the ``tu-`` encoders.

    Args:
        encoder: Encoder, as the settings name it.

    Raises:
        ModelError: The encoder is unknown; the message suggests similar names.
    """
    own = [name for name in smp.encoders.get_encoder_names() if not name.startswith("timm-")]
    if encoder in own or _is_timm_model(encoder):
        return
    known = own + [f"tu-{name}" for name in timm.list_models()]
    wanted = f"tu-{encoder.removeprefix('timm-').removeprefix('tu-')}"
    near = [name for name in (wanted,) if name in known]
    near += difflib.get_close_matches(encoder, known, n=4, cutoff=0.5)
    near = list(dict.fromkeys(near))[:4] or ["tu-tf_efficientnet_lite0", "resnet18", "resnet34"]
    raise ModelError("no such encoder", where=encoder, remedy=f"try {', '.join(near)}")


def _is_timm_model(encoder: str) -> bool:
    """Look a name up in timm's registry, including its pretrained tag, which `is_model` ignores."""
    name = encoder.removeprefix("tu-")
    if name == encoder or not timm.is_model(name):
        return False
    try:
        timm.get_pretrained_cfg(name)  # raises for an unknown tag
    except RuntimeError:
        return False
    return True


def _triple(values: tuple[float, ...]) -> Statistics:
    """Use the single statistic of a grey-scale model for each colour."""
    red, green, blue = values if len(values) == 3 else (values[0],) * 3
    return (float(red), float(green), float(blue))


def _decoder_options(architecture: Architecture) -> dict[str, Any]:
    """Translate the architecture into keyword arguments of its decoder."""
    options: dict[str, Any] = {"encoder_depth": ENCODER_DEPTH}
    if architecture.name not in UNET_FAMILY:
        return options
    channels = architecture.decoder_channels or ()
    if len(channels) != ENCODER_DEPTH:
        raise ModelError(
            "model.decoder_channels needs one number for each stage of the encoder",
            where=architecture.name,
            found=counted(len(channels), "number"),
            expected=str(ENCODER_DEPTH),
        )
    return options | {"decoder_channels": list(channels)}
