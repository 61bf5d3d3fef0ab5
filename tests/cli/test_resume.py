"""A killed `predict-cemetery`, run again, gives the same result as an uninterrupted one."""

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import fiona
import pytest
from terminal import PROGRAM, gravecli, start_gravecli

from grave_cli.model.bundle import Bundle
from grave_cli.sample_data.write import write_sample_data

SETTINGS = {
    "prediction.memory_mpx": 0,  # probabilities lie in files, as those of large cemeteries do
    "prediction.tile_px": 64,
    "prediction.halo_px": 8,
    "prediction.batch_size": 1,
    "prediction.device": "cpu",
    "prediction.decoding.min_peak_body": 0.01,  # an untrained network is sure of nothing
}
SECTIONS = 7  # of a cemetery of 30 m, with these tiles

KILLED = """
import os, signal
from grave_cli.mapping.probability_map import SectionFiles

keep, left = SectionFiles.__setitem__, {sections}

def keep_and_die(files, index, levels):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    keep(files, index, levels)
    left -= 1

SectionFiles.__setitem__ = keep_and_die
"""


@pytest.fixture(scope="module")
def place(untrained: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a cemetery, and its graves as mapped without interruption."""
    folder = tmp_path_factory.mktemp("resume")
    write_sample_data(folder / "data", cemeteries=1, size_m=30, seed=1)
    shutil.copytree(untrained.folder, folder / "model")
    predict(folder, "whole.gpkg")
    return folder


def arguments(out: str) -> list[str]:
    named = ["predict-cemetery", "data/orthophotos/sample_01.tif", "--model", "model"]
    named += [text for key, value in SETTINGS.items() for text in ("--set", f"{key}={value}")]
    return [*named, "--out", out]


def predict(place: Path, out: str, *more: str) -> str:
    result = gravecli(*arguments(out), *more, cwd=place)
    assert result.returncode == 0, result.stderr
    return result.stderr


def start(place: Path, program: str) -> subprocess.Popen[str]:
    return start_gravecli(*arguments("killed.gpkg"), cwd=place, program=program)


def kill_after(place: Path, sections: int) -> None:
    """Let a prediction kill itself when it is about to write one more section."""
    process = start(place, KILLED.format(sections=sections) + PROGRAM)
    process.communicate(timeout=250)
    assert process.returncode == -signal.SIGKILL
    assert len(list((place / "runs").glob("cache/predictions/*/section-*.npy"))) == sections


def features(path: Path) -> dict[str, list]:
    layers = ("graves", "graves_raw", "coverage")
    return {layer: [dict(feature) for feature in fiona.open(path, layer=layer)] for layer in layers}


def assert_resumed(place: Path, *more: str) -> str:
    said = predict(place, "resumed.gpkg", *more)
    whole, resumed = (features(place / f"{name}.gpkg") for name in ("whole", "resumed"))
    assert len(whole["graves"]) > 50
    assert resumed == whole
    (place / "resumed.gpkg").unlink()
    assert {path.name for path in place.iterdir()} == {"data", "model", "whole.gpkg"}
    return said


@pytest.mark.parametrize("sections", [1, 4])
def test_a_killed_prediction_is_resumed_with_the_same_result(place: Path, sections: int) -> None:
    kill_after(place, sections)
    said = assert_resumed(place)
    assert f"Resuming: {sections} of {SECTIONS} sections are computed" in said


def test_without_resume_everything_is_computed_again(place: Path) -> None:
    kill_after(place, 2)
    assert "Resuming" not in assert_resumed(place, "--no-resume")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_a_prediction_killed_at_a_random_moment_is_resumed(place: Path, seed: int) -> None:
    begin = time.perf_counter()
    assert_resumed(place)
    whole_s = time.perf_counter() - begin
    process = start(place, PROGRAM)
    time.sleep(random.Random(seed).random() * whole_s)
    process.kill()
    process.communicate()
    (place / "killed.gpkg").unlink(missing_ok=True)
    assert_resumed(place)
