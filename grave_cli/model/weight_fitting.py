"""Arrange pretrained weights under an encoder's own names and in its shapes.

In: tensors under the names of timm, smp or EfficientNet-PyTorch. Out: a complete state dict. A name
that is missing, or too many, is an error: no layer is left random without a word.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from grave_cli.errors import ModelError

Weights = dict[str, torch.Tensor]

LITE0_REPEATS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks in each stage of EfficientNet-B0 and Lite0. Source: Tan and Le 2019, table 1."""

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

_WRAPPERS = re.compile(r"^(?:(?:state_dict|module|network|model|encoder|backbone)\.)+")
_TIMM_BLOCK = re.compile(r"(?:^|\.)blocks\.(\d+)\.(\d+)\.")


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
        key: fit_tensor(by_joined[_joined(bare)], wanted[key], in_channels, f"{where}: {key}")
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
            found=first_names(extra),
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
            expected=first_names(missing),
            remedy="name the encoder the weights were trained with",
        )


def fit_tensor(
    tensor: torch.Tensor, wanted: torch.Tensor, in_channels: int, where: str
) -> torch.Tensor:
    """Take a tensor in the wanted shape; only the first convolution may grow.

    Args:
        tensor: The weights at hand.
        wanted: Weights of the same layer, in the shape they are to have.
        in_channels: Input channels of the network.
        where: What to name in an error.

    Raises:
        ModelError: The shapes differ otherwise.
    """
    shape, expected = tuple(tensor.shape), tuple(wanted.shape)
    if shape == expected:
        return tensor
    if len(shape) == 4 and shape[1] == 3 and expected == (shape[0], in_channels, *shape[2:]):
        return extend_stem(tensor, in_channels)
    raise ModelError("the weights have another shape", where=where, found=shape, expected=expected)


def first_names(names: Sequence[str], count: int = 3) -> str:
    """List the first of some names, and how many more there are."""
    rest = len(names) - count
    return ", ".join(names[:count]) + (f" and {rest} more" if rest > 0 else "")
