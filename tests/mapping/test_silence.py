"""Prediction leaves nothing behind: a device id and a queue of reports are what telemetry needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grave_cli.sample_data.write import write_sample_data

# By the command line, because a library must be silenced before it is imported.
PREDICT = "from grave_cli.cli.app import main; main()"


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    (scene,) = write_sample_data(tmp_path / "data", cemeteries=1, size_m=10, seed=1)
    options = ["--model", "starter", "--out", str(tmp_path / "map.gpkg")]
    return [sys.executable, "-c", PREDICT, "predict-cemetery", str(scene.orthophoto), *options]


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty home and an empty folder for temporary files."""
    for name in ("home", "temp"):
        (tmp_path / name).mkdir()
    # Continuous integration silences some telemetry by itself.
    kept = {key: value for key, value in os.environ.items() if key not in ("CI", "GITHUB_ACTIONS")}
    homes = {"HOME": str(tmp_path / "home"), "USERPROFILE": str(tmp_path / "home")}
    return {**kept, **homes, "TMPDIR": str(tmp_path / "temp"), "XDG_CACHE_HOME": ""}


def test_prediction_leaves_nothing_in_the_home_and_temporary_folders(
    command: list[str], elsewhere: dict[str, str], tmp_path: Path
) -> None:
    subprocess.run(command, cwd=tmp_path, env=elsewhere, check=True, capture_output=True)
    assert (tmp_path / "map.gpkg").is_file()
    assert [*(tmp_path / "home").rglob("*"), *(tmp_path / "temp").rglob("*")] == []
