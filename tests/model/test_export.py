from pathlib import Path

import pytest
import safetensors.torch
import torch
from image_store import runs_of
from lightning.pytorch import Callback, LightningModule, Trainer
from support import tiny_settings, write_model

from grave_cli.learning.task import GraveTask
from grave_cli.model.architecture import architecture_for
from grave_cli.model.bundle import Bundle, ModelCard
from grave_cli.model.export import continue_from, load_network
from grave_cli.model.network import IMAGENET, build_network
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.inputs import ElevationFeature
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.training.trainer import run_training

NORMAL = IMAGENET  # of networks without pretrained weights


def make_card(folder: Path, **changes: object) -> tuple[Settings, ModelCard]:
    """The settings and the description of a tiny untrained model, named `start`."""
    settings = tiny_settings(folder, folder / "runs", **changes)
    recipe = InputRecipe.from_settings(settings, *NORMAL)
    architecture = architecture_for(settings, recipe.channel_count)
    card = ModelCard(
        gravecli_version="0",
        name="start",
        run_id="123",
        dataset_id="00000000",
        created="2025-01-01T00:00:00+00:00",
        recipe=recipe,
        architecture=architecture,
        decoding=settings.prediction.decoding,
        metrics={},
        settings={},
    )
    return settings, card


def make_model(folder: Path, **changes: object) -> tuple[Settings, Bundle]:
    """This model on disk, and its settings."""
    settings, card = make_card(folder, **changes)
    return settings, write_model(folder / "model", build_network(card.architecture), card)


@pytest.fixture(scope="module")
def for_rgb(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Bundle]:
    return make_model(tmp_path_factory.mktemp("rgb"))


@pytest.fixture(scope="module")
def for_heights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Bundle]:
    return make_model(tmp_path_factory.mktemp("heights"), data__channels="rgb+dem")


def start(bundle: Bundle, settings: Settings) -> torch.nn.Module:
    recipe = InputRecipe.from_settings(settings, *NORMAL)
    architecture = architecture_for(settings, recipe.channel_count)
    return continue_from(bundle, architecture, recipe).eval()


def test_a_network_starts_with_the_weights_of_the_model(
    for_rgb: tuple[Settings, Bundle],
) -> None:
    settings, bundle = for_rgb
    started, kept = start(bundle, settings).state_dict(), load_network(bundle).state_dict()
    assert all(torch.equal(started[name], value) for name, value in kept.items())


def test_a_model_for_rgb_starts_one_for_rgb_dem_that_predicts_the_same_at_zero_elevation(
    for_rgb: tuple[Settings, Bundle],
) -> None:
    settings, bundle = for_rgb
    taller = start(bundle, with_values(settings, {"data.channels": "rgb+dem"}))
    colours = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        flat = taller(torch.cat([colours, torch.zeros(1, 1, 64, 64)], dim=1))
        assert torch.allclose(flat, load_network(bundle)(colours), atol=1e-5)


@pytest.mark.parametrize("features", [(), ("slope", "height")])
def test_a_model_for_rgb_dem_keeps_its_colours_and_the_features_it_shares(
    features: tuple[ElevationFeature, ...], for_heights: tuple[Settings, Bundle]
) -> None:
    settings, bundle = for_heights
    chosen = {"elevation.features": features} if features else {"data.channels": "rgb"}
    other = start(bundle, with_values(settings, chosen))
    pixels = torch.randn(1, 4, 64, 64)
    if features:  # a new feature of zeros beside the known heights
        again = torch.cat([pixels[:, :3], torch.zeros(1, 1, 64, 64), pixels[:, 3:]], dim=1)
    else:
        again, pixels[:, 3] = pixels[:, :3], 0
    with torch.inference_mode():
        assert torch.allclose(other(again), load_network(bundle)(pixels), atol=1e-5)


def test_a_metre_stays_a_metre_if_the_range_of_heights_is_another(
    for_heights: tuple[Settings, Bundle],
) -> None:
    settings, bundle = for_heights
    chosen = with_values(settings, {"elevation.height_range_m": (-1.0, 1.5)})
    lower = start(bundle, chosen)
    rgb = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8).numpy()
    heights = torch.rand(1, 64, 64).numpy()  # within both ranges
    valid = torch.ones(64, 64, dtype=torch.bool).numpy()
    recipes = (InputRecipe.from_settings(chosen, *NORMAL), bundle.card.recipe)
    inputs = [
        torch.from_numpy(recipe.network_input(rgb, heights, valid))[None] for recipe in recipes
    ]
    assert not torch.allclose(*inputs)
    with torch.inference_mode():
        assert torch.allclose(lower(inputs[0]), load_network(bundle)(inputs[1]), atol=1e-4)


def test_an_encoder_that_reads_the_input_in_several_branches_starts_likewise(
    tmp_path: Path,
) -> None:
    heights = {"data__channels": "rgb+dem", "elevation__features": ("height", "slope")}
    settings, card = make_card(tmp_path, model__encoder="mobileone_s0", **heights)
    bundle = Bundle(folder=tmp_path, card=card)
    weights = build_network(card.architecture).state_dict()
    bundle.weights.write_bytes(safetensors.torch.save(weights))
    pixels = torch.randn(1, 5, 64, 64)
    turned = start(bundle, with_values(settings, {"elevation.features": ("slope", "height")}))
    blank = torch.cat([pixels[:, :3], torch.zeros(1, 2, 64, 64)], dim=1)
    plain = start(bundle, with_values(settings, {"data.channels": "rgb"}))
    kept = load_network(bundle)
    with torch.inference_mode():
        assert torch.allclose(turned(pixels[:, [0, 1, 2, 4, 3]]), kept(pixels), rtol=1e-3, atol=0.1)
        assert torch.allclose(plain(pixels[:, :3]), kept(blank), rtol=1e-3, atol=0.1)


def test_a_fine_tuning_run_names_the_model_it_started_from(
    for_rgb: tuple[Settings, Bundle], sample_data: Path, work_dir: Path
) -> None:
    settings, bundle = for_rgb
    here = {"data.root": sample_data, "work_dir": work_dir, "training.epochs": 1}
    settings = with_values(settings, {**here, "model.start": str(bundle.folder)})
    rates: list[float] = []

    class NoteRate(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            assert isinstance(pl_module, GraveTask)
            rates.append(pl_module.peak_rate)

    run_training(settings, callbacks=[NoteRate()], finish=False)
    factor = settings.training.fine_tuning_factor
    assert rates == [pytest.approx(factor * settings.training.learning_rate)]
    (run,) = runs_of(settings)
    assert run.data.tags["gravecli.init_from"] == "start"
    assert run.data.tags["gravecli.init_from_run_id"] == "123"
    assert run.data.tags["gravecli.init_from_sha256"] == bundle.sha256
