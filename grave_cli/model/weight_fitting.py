"""Fit pretrained weights to an encoder: to the names and shapes of its layers.

In: tensors under the names of timm, smp or EfficientNet-PyTorch. Out: a complete state dict. A
missing or surplus layer is an error, so that no layer silently stays random.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from grave_cli.errors import ModelError
from grave_cli.wording import counted, is_or_are

Weights = dict[str, torch.Tensor]

# EfficientNet-PyTorch's name -> timm's. Blocks of the first stage have no expanding convolution,
# and timm numbers normalisations from a block's first convolution.
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

# module.encoder.model.conv1.weight -> conv1.weight
_WRAPPERS = re.compile(r"^(?:(?:state_dict|module|network|model|encoder|backbone)\.)+")
_TIMM_BLOCK = re.compile(r"(?:^|\.)blocks\.(\d+)\.(\d+)\.")
_OTHER_ENCODER = "set model.encoder to the encoder that the weights were trained with"


def fit_weights(
    weights: Mapping[str, torch.Tensor], wanted: Weights, in_channels: int, where: Path | str
) -> Weights:
    """Fit weights to exactly the names and shapes of an encoder.

    Weights of other parts, such as a classifier or a decoder, are left out. Surplus weights in one
    of the encoder's stages are an error: they come from a larger encoder, of which this one would
    silently get the first half.

    Args:
        weights: Tensors under the names of timm, smp or EfficientNet-PyTorch, with or without
            prefixes.
        wanted: The encoder's own state dict.
        in_channels: Number of the encoder's input channels.
        where: Source of the weights, for errors.

    Returns:
        A complete state dict for the encoder.

    Raises:
        ModelError: Weights are missing, have another shape, are no numbers, belong to a larger
            encoder, or are there twice.
    """
    targets = {_bare(key): key for key in wanted}
    _refuse_two_sets(weights, targets, where)
    found = {_bare(key): tensor for key, tensor in weights.items()}
    if "_conv_stem.weight" in found and "conv_stem.weight" in targets:
        blocks = _blocks(wanted)
        found = {timm_name(key, blocks, where): tensor for key, tensor in found.items()}
    _refuse_larger_encoder(found, targets, where)
    by_joined = {_joined(key): tensor for key, tensor in found.items()}
    _refuse_missing(by_joined, targets, where)
    # What may be missing, a counter of batch normalisation, stays as the encoder has it.
    fitted = {key: by_joined.get(_joined(bare), wanted[key]) for bare, key in targets.items()}
    _refuse_no_numbers(fitted, where)
    return {
        key: fit_tensor(tensor, wanted[key], in_channels, f"{where}: {key}")
        for key, tensor in fitted.items()
    }


def extend_stem(weight: torch.Tensor, in_channels: int) -> torch.Tensor:
    """Extend the first convolution beyond the three input channels it was trained with.

    Each further channel starts as the mean of red, green and blue, to find the same edges in the
    elevation. The weights of red, green and blue are kept; smp scales them down instead. So a chip
    with zero elevation, in a hole of the DEM or by DEM dropout, yields exactly the pretrained
    features.

    Args:
        weight: Weights trained on red, green and blue.
        in_channels: Number of input channels wanted, 3 or more.

    Shapes:
        (out, 3, h, w) -> (out, in_channels, h, w)
    """
    mean = weight.mean(dim=1, keepdim=True)
    return torch.cat([weight, mean.repeat(1, in_channels - 3, 1, 1)], dim=1)


def rearrange_stem(
    weight: torch.Tensor, found: Sequence[str], wanted: Sequence[str]
) -> torch.Tensor:
    """Rearrange the first convolution of a model for other elevation features.

    Colours and shared features keep their weights. A new feature starts as in ``extend_stem``.

    Args:
        weight: Weights trained on red, green, blue and the found features.
        found: Elevation features of the model, in the order of its input channels.
        wanted: Elevation features wanted.

    Shapes:
        (out, 3 + found, h, w) -> (out, 3 + wanted, h, w)
    """
    extended = extend_stem(weight[:, :3], 3 + len(wanted))
    for channel, feature in enumerate(wanted, start=3):
        if feature in found:
            extended[:, channel] = weight[:, 3 + found.index(feature)]
    return extended


def timm_name(name: str, blocks: Sequence[tuple[int, int]], where: Path | str) -> str:
    """Translate a name of EfficientNet-PyTorch into timm's.

    EfficientNet-PyTorch numbers all blocks in one sequence, timm within each stage. Worked example,
    stages of 1 and 2 blocks: ``_blocks.0._project_conv.weight`` -> ``blocks.0.0.conv_pw.weight``
    and ``_blocks.2._project_conv.weight`` -> ``blocks.1.1.conv_pwl.weight``.

    Args:
        name: Name of a tensor.
        blocks: Stage of each block of the encoder, and its index in the stage.
        where: Source of the weights, for errors.

    Raises:
        ModelError: The encoder has no such layer.
    """
    part, _, rest = name.partition(".")
    try:
        if part != "_blocks":
            return f"{_OUTSIDE_BLOCKS[part]}.{rest}"
        number, layer, rest = rest.split(".", 2)
        stage, index = blocks[int(number)]
        names = _PLAIN_BLOCK if stage == 0 else _EXPANDING_BLOCK
        return f"blocks.{stage}.{index}.{names[layer]}.{rest}"
    except (KeyError, IndexError, ValueError):
        raise ModelError(
            f"contains a layer that no EfficientNet of {len(blocks)} blocks has",
            where=where,
            found=name,
            remedy=_OTHER_ENCODER,
        ) from None


def _bare(key: str) -> str:
    """Strip the prefixes that a trainer, smp or DataParallel adds to the encoder's names."""
    return _WRAPPERS.sub("", key)


def _joined(key: str) -> str:
    """Replace dots: timm renames `stages.0` to `stages_0` for feature extraction."""
    return key.replace(".", "_")


def _blocks(keys: Iterable[str]) -> list[tuple[int, int]]:
    """List stage and index of each block of a timm EfficientNet, in order."""
    return sorted({(int(m[1]), int(m[2])) for m in map(_TIMM_BLOCK.search, keys) if m})


def _refuse_two_sets(
    weights: Mapping[str, torch.Tensor], targets: Mapping[str, str], where: Path | str
) -> None:
    """Refuse a file with two encoders, such as a network and its moving average."""
    first: dict[str, str] = {}
    for key, tensor in weights.items():
        other = first.setdefault(_bare(key), key)
        if _bare(key) in targets and not _is_equal(tensor, weights[other]):
            raise ModelError(
                "contains two encoders",
                where=where,
                found=f"{other} and {key}",
                expected="the weights of one",
                remedy="save only the state dict of one",
            )


def _is_equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return one is other or (one.dtype == other.dtype and torch.equal(one, other))


def _refuse_no_numbers(fitted: Weights, where: Path | str) -> None:
    strange = [key for key, tensor in fitted.items() if not torch.isfinite(tensor).all()]
    if strange:
        raise ModelError(
            "contains infinite weights, or some that are no numbers",
            where=where,
            found=first_names(strange),
            remedy="the training that made them has failed: take an earlier checkpoint of it",
        )


def _refuse_larger_encoder(found: Iterable[str], targets: Iterable[str], where: Path | str) -> None:
    # timm splits `stages` into `stages_0`, `stages_1` …: surplus weights of either are found.
    known = {_joined(key) for key in targets}
    modules = {re.sub(r"_\d+$", "", key.partition(".")[0]) for key in targets}
    extra = [key for key in found if _joined(key) not in known and key.partition(".")[0] in modules]
    if extra:
        raise ModelError(
            f"{counted(len(extra), 'weight')} {'does' if len(extra) == 1 else 'do'} not belong to "
            "this encoder",
            where=where,
            found=first_names(extra),
            remedy=_OTHER_ENCODER,
        )


def _refuse_missing(found: Iterable[str], targets: Iterable[str], where: Path | str) -> None:
    # PyTorch before 0.4.1 did not save these counters, and no encoder here uses them.
    needed = [key for key in targets if not key.endswith("num_batches_tracked")]
    present = set(found)
    missing = [key for key in needed if _joined(key) not in present]
    if missing:
        raise ModelError(
            f"{len(missing)} of the encoder's {counted(len(needed), 'weight')} "
            f"{is_or_are(len(missing))} missing",
            where=where,
            expected=first_names(missing),
            remedy=_OTHER_ENCODER,
        )


def fit_tensor(
    tensor: torch.Tensor, wanted: torch.Tensor, in_channels: int, where: str
) -> torch.Tensor:
    """Return a tensor in the wanted shape; only the first convolution may be extended.

    Args:
        tensor: Weights of a layer.
        wanted: Weights of the same layer, in the wanted shape.
        in_channels: Number of the network's input channels.
        where: Source and name of the weights, for errors.

    Raises:
        ModelError: The shapes differ in any other way.
    """
    shape, expected = tuple(tensor.shape), tuple(wanted.shape)
    if shape == expected:
        return tensor
    if len(shape) == 4 and shape[1] == 3 and expected == (shape[0], in_channels, *shape[2:]):
        return extend_stem(tensor, in_channels)
    raise ModelError("the weights have another shape", where=where, found=shape, expected=expected)


def first_names(names: Sequence[str], count: int = 3) -> str:
    """List the first names, and the number of the others."""
    rest = len(names) - count
    return ", ".join(names[:count]) + (f" and {rest} more" if rest > 0 else "")
