"""The GPUs of this computer and the number of a worker in, the GPU of that worker out."""

import os
from collections.abc import Mapping, Sequence

GPU_NAME = "CUDA_VISIBLE_DEVICES"
"""The variable that CUDA and ROCm read; a worker sees only the GPUs it lists."""


def gpus_here(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """List the GPUs that this process may use, as the variable names them.

    Args:
        environ: Environment of this process. Its list, perhaps of a scheduler, goes first.
    """
    if GPU_NAME not in environ:
        from grave_cli.model.device import cuda_count

        return tuple(map(str, range(cuda_count())))
    names = [name.strip() for name in environ[GPU_NAME].split(",")]
    listed = []
    for name in names:
        if not name or name.startswith("-"):  # CUDA ignores what follows, and -1 hides all GPUs
            break
        listed.append(name)
    return tuple(listed)


def gpu_of(number: int, gpus: Sequence[str]) -> dict[str, str]:
    """Return the environment of a worker: one GPU, shared only if there are more workers.

    Args:
        number: Number of the worker, from 0.
        gpus: The GPUs; without any, nothing is set.
    """
    return {GPU_NAME: gpus[number % len(gpus)]} if gpus else {}
