"""The device of a computation: one rule for training, dry run and prediction.

In: a device by name, or auto. Out: cpu, cuda or mps, and what suits each: number formats, layout.
cuda means CUDA (or ROCm, which torch calls so too); it never means the GPU of a Mac.
"""

import warnings
from typing import Literal, cast

import torch
from torch import nn

from grave_cli.errors import ModelError, SettingsError

Device = Literal["cpu", "cuda", "mps"]

_TENSOR_CORES = 7  # first compute capability with them: without, half precision is no faster
_AGREEMENT = 0.02  # of probabilities in half and in single precision


def choose_device(wanted: str, remedy: str = "use --device auto") -> Device:
    """Return the device of a computation; auto takes the best available one.

    Args:
        wanted: auto, cpu, cuda or mps.
        remedy: The way out if it is missing.

    Raises:
        ModelError: The device is missing.
    """
    if wanted == "cpu":
        return "cpu"
    why_not = {"cuda": _why_no_cuda(), "mps": _why_no_mps(), "cpu": ""}
    present = [name for name, reason in why_not.items() if not reason]
    if wanted == "auto":
        return cast("Device", present[0])
    if wanted not in present:
        found = f"{', '.join(sorted(present))}: {why_not.get(wanted, 'no such device')}"
        raise ModelError(f"device {wanted} is not available", found=found, remedy=remedy)
    return cast("Device", wanted)


def cuda_count() -> int:
    """Return the number of GPUs that torch calls CUDA."""
    with warnings.catch_warnings():  # that the driver is too old: whoever uses it says so
        warnings.simplefilter("ignore")
        return torch.cuda.device_count()


def training_precision(wanted: str, device: Device) -> str:
    """Return the number format of a training, as Lightning names it.

    bfloat16 is taken only where the hardware computes in it: emulated, it is slower than float32.

    Args:
        wanted: auto, 32-true, 16-mixed or bf16-mixed.
        device: Device of the training.

    Raises:
        SettingsError: The device does not train in this format.
    """
    possible = {"cpu": ["bf16-mixed"], "mps": [], "cuda": ["16-mixed"]}[device]
    has_bfloat16 = device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if has_bfloat16:
        possible.append("bf16-mixed")
    if wanted == "auto":
        return "bf16-mixed" if has_bfloat16 else "32-true"
    if wanted not in ("32-true", *possible):
        raise SettingsError(
            "training.precision does not suit the device",
            found=f"{wanted} on {describe_device(device)}",
            expected=", ".join(["auto", "32-true", *possible]),
        )
    return wanted


def suits_half_precision(device: Device) -> bool:
    """Return whether predictions in float16 are faster on a device and safe.

    The GPU of a Mac computes in float32: torch's float16 there has given wrong results.
    """
    return device == "cuda" and torch.cuda.get_device_capability()[0] >= _TENSOR_CORES


def half_precision_agrees(network: nn.Module, pixels: torch.Tensor) -> bool:
    """Try a network in half precision.

    Some GPUs (the GTX 16 series) compute not-a-number, and some networks exceed the range of
    float16.

    Args:
        network: Yields logits.
        pixels: An input, on the network's device.
    """
    with torch.inference_mode():
        single = torch.sigmoid(network(pixels).float())
        with torch.autocast(pixels.device.type, torch.float16):
            half = torch.sigmoid(network(pixels).float())
        return bool((half - single).abs().max() <= _AGREEMENT)  # False for not-a-number


def memory_layout(device: Device) -> torch.memory_format:
    """Return the fastest layout of images that works on a device.

    Channels last is a third faster on CPUs with oneDNN, and the layout of tensor cores. On the GPU
    of a Mac, batch normalisation raises an error in its backward pass.

    Source: pytorch/pytorch, pull request 188371.
    """
    return torch.contiguous_format if device == "mps" else torch.channels_last


def describe_device(device: Device) -> str:
    """Return the name of a GPU, or cpu or mps."""
    return torch.cuda.get_device_name() if device == "cuda" else device


def await_device(device: Device) -> None:
    """Wait until a device has done what it was given; a CPU has."""
    if device != "cpu":
        getattr(torch, device).synchronize()


def empty_cache(device: Device) -> None:
    """Return the memory that torch holds in reserve to the device."""
    if device != "cpu":
        getattr(torch, device).empty_cache()


def _why_no_cuda() -> str:
    """Return why CUDA cannot be used; an empty text if it can."""
    with warnings.catch_warnings(record=True) as said:  # that the driver is too old
        warnings.simplefilter("always")
        if not torch.cuda.is_available():
            reason = str(said[-1].message).split(". ")[0] if said else ""
            return reason or ("no GPU" if torch.version.cuda else "torch was built without CUDA")
        try:
            major, minor = torch.cuda.get_device_capability()
        except RuntimeError as error:  # another process has the GPU for itself
            return str(error).splitlines()[0]
        oldest = _oldest_capability()
    if (major, minor) < oldest:
        needed = ".".join(map(str, oldest))
        return (
            f"{torch.cuda.get_device_name()} has capability {major}.{minor}, torch needs {needed}"
        )
    return ""


def _oldest_capability() -> tuple[int, int]:
    """Return the lowest compute capability that torch was built for; (0, 0) if unknown."""
    numbers = [name.partition("_")[2].rstrip("af") for name in torch.cuda.get_arch_list()]
    known = [(int(text[:-1]), int(text[-1])) for text in numbers if text.isdigit()]
    return min(known, default=(0, 0)) if torch.version.cuda else (0, 0)


def _why_no_mps() -> str:
    """Return why the GPU of a Mac cannot be used; an empty text if it can."""
    if torch.backends.mps.is_available():
        return ""
    return "macOS is too old" if torch.backends.mps.is_built() else "no Mac with an Apple GPU"
