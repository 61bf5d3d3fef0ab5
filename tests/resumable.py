"""A prediction in sections, which a kill leaves resumable: its folder, its command, its result."""

import shutil
from pathlib import Path

import fiona
from terminal import gravecli

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
SECTIONS = 6  # of a cemetery of 30 m, with these tiles


def make_place(folder: Path, model: Bundle) -> Path:
    """Fill a folder with a model, a cemetery, and its graves as mapped without interruption."""
    write_sample_data(folder / "data", cemeteries=1, size_m=30, seed=1)
    shutil.copytree(model.folder, folder / "model")
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


def features(path: Path) -> dict[str, list]:
    layers = ("graves", "candidates", "graves_raw", "coverage")
    return {layer: [dict(feature) for feature in fiona.open(path, layer=layer)] for layer in layers}


def assert_resumed(place: Path, *more: str) -> str:
    said = predict(place, "resumed.gpkg", *more)
    whole, resumed = (features(place / f"{name}.gpkg") for name in ("whole", "resumed"))
    assert len(whole["graves"]) > 50
    assert resumed == whole
    (place / "resumed.gpkg").unlink()
    assert {path.name for path in place.iterdir()} == {"data", "model", "whole.gpkg"}
    return said
