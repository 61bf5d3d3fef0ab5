"""What several rooms' tests share besides fixtures."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.mapping.scene import Scene, open_scene
from grave_cli.model.bundle import Bundle, ModelCard, read_bundle, write_card
from grave_cli.progress import Advance
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.load import load_settings
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    import pytest
    from torch import nn

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

NOBODY = 65534

# A network and chips so small that an epoch takes a second or two.
TINY = {
    "grid.gsd_m": 0.1,
    "chips.size_px": 64,
    "chips.batch_size": 4,
    "chips.per_epoch": 8,
    "model.start": "none",
    "model.decoder_channels": (16, 16, 8, 8, 8),
    "training.epochs": 2,
    "training.device": "cpu",
    "tracking.samples": 1,
    "prediction.device": "cpu",
    "prediction.tile_px": 128,
    "prediction.halo_px": 16,
}


class Listener:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.done: dict[str, float] = {}
        self.totals: dict[str, float | None] = {}

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Advance]:
        self.totals[description] = total
        self.done.setdefault(description, 0.0)

        def advance(amount: float) -> None:
            self.done[description] += amount

        yield advance

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.notes.append(message)


@contextmanager
def another_account() -> Iterator[None]:
    """Be nobody while the block runs; root may read and write everything."""
    before = os.geteuid()
    os.seteuid(NOBODY if before == 0 else before)
    try:
        yield
    finally:
        os.seteuid(before)


def tiny_settings(root: Path, work_dir: Path, **changes: object) -> Settings:
    """Settings for a training of seconds; `changes` are dotted keys with `__` for the dot."""
    options = {"data.root": root, "work_dir": work_dir, **TINY}
    options |= {key.replace("__", "."): value for key, value in changes.items()}
    return load_settings(options=options, environ={}).settings


def write_model(folder: Path, network: "nn.Module", card: ModelCard) -> Bundle:
    """Write a whole model: weights, ONNX form and card."""
    from grave_cli.model.export import write_network

    write_network(folder, network, card)
    write_card(folder, card)
    return read_bundle(folder)


def untrained_bundle(folder: Path, channels: str = "rgb+dem", seed: int = 0) -> Bundle:
    """A model of the tiny network with random weights, at 0.1 m."""
    import torch

    from grave_cli.model.architecture import architecture_for
    from grave_cli.model.network import build_network

    settings = tiny_settings(folder, folder, data__channels=channels)
    recipe = InputRecipe.from_settings(settings, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    architecture = architecture_for(settings, recipe.channel_count)
    torch.manual_seed(seed)
    card = ModelCard(
        gravecli_version="0",
        name="untrained",
        run_id="",
        dataset_id="",
        created="",
        recipe=recipe,
        architecture=architecture,
        decoding=DecodingSettings(),
        metrics={},
        settings={},
    )
    return write_model(folder, build_network(architecture).eval(), card)


def copy_bundle(bundle: Bundle, folder: Path) -> Bundle:
    """Copy a model, for a test that changes it."""
    return read_bundle(Path(shutil.copytree(bundle.folder, folder)))


def one_scene(folder: Path) -> Scene:
    """A scene for rgb at 0.1 m whose orthophoto is noise, of 150 x 210 pixels."""
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "anna.tif"
    how = {"driver": "GTiff", "height": 150, "width": 210, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:25832", "transform": from_origin(500_000, 5_300_000, 0.1, 0.1)}
    with rasterio.open(path, "w", **how, **place) as dataset:
        dataset.write(np.random.default_rng(0).integers(1, 256, (3, 150, 210), dtype=np.uint8))
    recipe = InputRecipe(channels="rgb", gsd_m=0.1, mean=(0, 0, 0), std=(1, 1, 1), elevation=None)
    return open_scene(path, None, recipe, 3)


def interrupted_starts(patch: "pytest.MonkeyPatch") -> list[BaseProcess]:
    """Let Ctrl-C come while a process starts; return the list of started processes."""
    start = BaseProcess.start
    started: list[BaseProcess] = []

    def interrupted(process: BaseProcess) -> None:
        start(process)
        started.append(process)
        signal.raise_signal(signal.SIGINT)

    patch.setattr(BaseProcess, "start", interrupted)
    return started
