"""Commands of two computers on one folder, one of which freezes; see `tests/node.py`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import node
import pytest
from resumable import arguments, features, make_place

from grave_cli.model.bundle import Bundle

WAIT_S = 300
DEAD_AFTER_S = "4"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(os.name == "nt", reason="Windows stops no process"),
]


def start(place: Path, machine: str) -> subprocess.Popen[str]:
    command = [sys.executable, node.__file__, machine, DEAD_AFTER_S, *arguments("both.gpkg")]
    return subprocess.Popen(command, cwd=place, stderr=subprocess.PIPE, text=True)


def test_a_frozen_prediction_is_taken_over_and_notices_it(
    untrained: Bundle, tmp_path: Path
) -> None:
    place = make_place(tmp_path, untrained)
    frozen = start(place, "office-1")
    try:
        deadline = time.monotonic() + WAIT_S
        while not list(place.glob("runs/cache/predictions/*/section-*")):
            assert frozen.poll() is None, frozen.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        frozen.send_signal(signal.SIGSTOP)
        for _ in range(10):
            other = start(place, "office-2")
            _, said = other.communicate(timeout=WAIT_S)
            if other.returncode == 0:
                break
            assert f"both.gpkg: in use by process {frozen.pid} on office-1" in said
            assert other.returncode == 2
        written = (place / "both.gpkg").read_bytes()
        frozen.send_signal(signal.SIGCONT)
        _, said = frozen.communicate(timeout=WAIT_S)
    finally:
        frozen.kill()
        frozen.communicate()
    assert frozen.returncode == 2
    assert "both.gpkg: was taken over, because this process gave no sign of life" in said
    assert "Traceback" not in said
    assert (place / "both.gpkg").read_bytes() == written
    assert features(place / "both.gpkg") == features(place / "whole.gpkg")
    names = {path.name for path in place.iterdir()}
    assert names == {"data", "model", "whole.gpkg", "both.gpkg"}
