"""Tracing of labels in threads."""

import subprocess
import sys

# Another thread that leaves `catch_warnings` takes rasterio's own filter away during its call.
FILTERS_LOST = """
import warnings
from contextlib import nullcontext

import numpy as np

from grave_cli.rasters.tracing import trace_pixel_edges

warnings.catch_warnings = nullcontext
warnings.simplefilter = lambda *_, **__: None
rings, owners, ids = trace_pixel_edges(np.array([[0, 5], [0, 5]], dtype=np.int32))
print(len(rings), owners.tolist(), ids.tolist())
"""


def test_it_warns_of_nothing_when_another_thread_changes_the_filters() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", FILTERS_LOST],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "1 [0] [5]\n"), run.stderr
