"""Each input file is opened a stated number of times, whatever is done with it.

`rasterio.open`, `fiona.open` and `fiona.listlayers` are counted and then really called.
"""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
import rasterio
from support import tiny_settings

from grave_cli.dataset.manifest import Cemetery, read_manifest
from grave_cli.dataset.training_data import plan_training, read_training_data
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.model.architecture import Architecture
from grave_cli.model.bundle import WEIGHTS_FILE, Bundle, ModelCard
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.inputs import ElevationSettings
from grave_cli.settings.mapping import DecodingSettings

READERS = 2  # threads that read ahead of the network
DECODERS = 2
LEVELS = 2  # of an orthophoto with overviews: its own pixels, and those of a coarse look


def key_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file is opened, by folder and name."""
    counts: Counter[str] = Counter()

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(path: Any, *arguments: Any, **options: Any) -> Any:
            counts[key_of(Path(path))] += 1
            return real(path, *arguments, **options)

        return wrapper

    for module, name in ((rasterio, "open"), (fiona, "open"), (fiona, "listlayers")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    return counts


class Squares:
    """An engine that finds a grave in the middle of every cell of 30 pixels."""

    name = "squares"
    batch_mpx = 1.0

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        rows, columns = np.indices(batch.shape[2:]) % 30
        body = (np.maximum(abs(rows - 15), abs(columns - 15)) < 9).astype(np.float32)
        channels = np.stack([body, np.zeros_like(body), np.zeros_like(body)])
        return np.broadcast_to(channels, (len(batch), *channels.shape))


def model(folder: Path) -> Bundle:
    """A model for rgb+dem at 2 cm; its weights are never used."""
    recipe = InputRecipe(
        channels="rgb+dem",
        gsd_m=0.02,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        elevation=ElevationSettings(),
    )
    card = ModelCard(
        gravecli_version="0",
        name="squares",
        run_id="",
        dataset_id="",
        created="",
        recipe=recipe,
        architecture=Architecture(in_channels=4),
        decoding=DecodingSettings(),
        metrics={},
        settings={},
    )
    (folder / WEIGHTS_FILE).write_bytes(b"")
    return Bundle(folder=folder, card=card)


@pytest.fixture
def cemetery(sample_data: Path, tmp_path: Path) -> Cemetery:
    """The only cemetery of a data folder."""
    for path in sample_data.rglob("sample_01.*"):
        copy = tmp_path / "data" / path.relative_to(sample_data)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    (only,) = read_manifest(tmp_path / "data").cemeteries
    return only


def without_overviews(path: Path) -> None:
    with rasterio.open(path) as dataset:
        profile, pixels = dataset.profile, dataset.read()
    path.unlink()
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(pixels)


def opened(opens: Counter[str], path: Path | None) -> int:
    assert path is not None
    return opens[key_of(path)]


@pytest.mark.parametrize("overviews", [False, True])
def test_a_prediction_opens_each_raster_once_and_then_once_per_thread(
    cemetery: Cemetery, tmp_path: Path, opens: Counter[str], overviews: bool
) -> None:
    if not overviews:
        without_overviews(cemetery.orthophoto)
    settings = tiny_settings(tmp_path, tmp_path, prediction__threads=DECODERS)
    opens.clear()
    result = predict_cemetery(
        cemetery.orthophoto, cemetery.dem, model(tmp_path), Squares(), settings
    )
    assert len(result.polygons) > 100
    assert opened(opens, cemetery.orthophoto) <= 1 + READERS * (LEVELS if overviews else 1)
    assert opened(opens, cemetery.dem) <= 1 + READERS + DECODERS


def test_a_training_on_strips_of_one_cemetery_reads_its_graves_once(
    cemetery: Cemetery, tmp_path: Path, opens: Counter[str]
) -> None:
    settings = tiny_settings(
        tmp_path / "data", tmp_path / "runs", data__channels="rgb+dem", data__guard_m=0.2
    )
    opens.clear()
    plan = plan_training(settings)
    assert [part.part.split for part in plan.parts] == ["train", "val", "test"]
    read_training_data(plan, settings)
    # Its layers are listed, each layer is asked for its geometry type, the graves are read.
    assert opened(opens, cemetery.annotations) == 3
    # Inspected, then read for training and validation; the DEM is measured in between.
    assert opened(opens, cemetery.orthophoto) == 3
    assert opened(opens, cemetery.dem) == 4
