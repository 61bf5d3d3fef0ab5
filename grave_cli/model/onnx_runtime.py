"""ONNX Runtime without its telemetry, which the wheel for Linux switches on."""

import os
from types import ModuleType

import numpy as np

from grave_cli.errors import OutOfMemoryError

_LEAST_MB = 256  # to be loaded, and for the least that it computes


def load_onnxruntime() -> ModuleType:
    """Import ONNX Runtime with its telemetry off, in this process and its children.

    The only place where it is imported: the variable counts only before the first import.

    Raises:
        OutOfMemoryError: The memory is too small; its threads would end or block the process.
    """
    try:
        np.empty(_LEAST_MB << 20, np.uint8)  # the system only promises it; it is not filled
    except MemoryError:
        raise OutOfMemoryError(
            "not enough memory",
            found=f"less than {_LEAST_MB} MB for ONNX Runtime",
            remedy="close other programs",
        ) from None
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # for Windows, which heeds no variable
    module: ModuleType = onnxruntime
    return module
