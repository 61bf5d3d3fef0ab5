"""Several processes that train one network together: their ranks, and values that they share.

Without such processes, which is the usual case, nothing is sent and rank 0 is all there is. Every
process must call the same of these functions in the same order.
"""

from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

Value = TypeVar("Value")


class _Sum(torch.autograd.Function):
    """Adds up a tensor over all processes, and its gradient likewise."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return _total(tensor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _total(gradients[0])


def _total(tensor: Tensor) -> Tensor:
    total = tensor.clone()
    dist.all_reduce(total)
    return total


def world_size() -> int:
    """Return the number of processes."""
    return dist.get_world_size() if _is_shared() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if _is_shared() else 0


def from_first(value: Value) -> Value:
    """Return the value of rank 0 in every process; only plain values."""
    if not _is_shared():
        return value
    values: list[Any] = [value]
    dist.broadcast_object_list(values, src=0)
    return cast(Value, values[0])


def gathered(value: Value) -> list[Value]:
    """Return the values of all processes, by rank; only plain values and arrays."""
    if not _is_shared():
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return cast(list[Value], values)


def summed(tensor: Tensor) -> Tensor:
    """Add up a tensor over all processes, so that gradients flow back to each of them.

    The gradients of a loss that is computed from such sums, the same in every process, become those
    of the whole batch once they are averaged over the processes, as DDP does.
    """
    if not _is_shared():
        return tensor
    return cast(Tensor, _Sum.apply(tensor))


def copy_from_first(module: torch.nn.Module) -> None:
    """Copy the buffers of rank 0 to all processes: each has batch statistics of its own chips."""
    if _is_shared():
        for buffer in module.buffers():
            dist.broadcast(buffer, src=0)


def leave() -> None:
    """Leave the group of processes; from now on this one is alone."""
    if _is_shared():
        dist.destroy_process_group()


def _is_shared() -> bool:
    return dist.is_available() and dist.is_initialized()
