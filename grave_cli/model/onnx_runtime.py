"""ONNX Runtime without its telemetry, which the wheel for Linux switches on."""

import os
from types import ModuleType


def load_onnxruntime() -> ModuleType:
    """Import ONNX Runtime with its telemetry off, in this process and its children.

    The only place where it is imported: the variable counts only before the first import.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # for Windows, which heeds no variable
    module: ModuleType = onnxruntime
    return module
