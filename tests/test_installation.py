"""The package as it is installed: everything it needs at run time is in the wheel."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from grave_cli.sample_data.write import write_sample_data

ROOT = Path(__file__).parents[1]
RUN = "from grave_cli.cli.app import main; main()"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel, as pip unpacks it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "-w", folder, ROOT]
    made = subprocess.run(build, capture_output=True, text=True, check=False)
    if "No matching distribution found for hatchling" in made.stderr:
        pytest.skip("no package index, which pip needs to build the wheel")
    assert made.returncode == 0, made.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_a_fresh_installation_maps_an_orthophoto_without_any_training(
    installed: Path, tmp_path: Path
) -> None:
    (scene,) = write_sample_data(tmp_path / "data", cemeteries=1, size_m=16, seed=6)
    assert scene.annotations is not None
    arguments = ["predict-cemetery", scene.orthophoto, "--truth", scene.annotations, "--json"]
    result = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, arguments)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "No model of your own fits" in result.stderr
    summary = json.loads(result.stdout)
    assert summary["score"]["at_50"]["f1"] > 0.6
    assert (tmp_path / summary["geopackage"]).is_file()
    assert not (tmp_path / "runs").exists()
