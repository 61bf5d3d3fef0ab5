from pathlib import Path

import pytest
import torch
from image_store import runs_of
from support import tiny_settings, write_model

from grave_cli.errors import ModelError
from grave_cli.model.bundle import Bundle, ModelCard
from grave_cli.model.export import continue_from, load_network
from grave_cli.model.network import IMAGENET, architecture_for, build_network
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.training.trainer import run_training

NORMAL = IMAGENET  # of networks without pretrained weights


def make_model(folder: Path, **changes: object) -> tuple[Settings, Bundle]:
    """A tiny untrained model, named `start`, and its settings."""
    settings = tiny_settings(folder, folder / "runs", **changes)
    recipe = InputRecipe.from_settings(settings, *NORMAL)
    architecture = architecture_for(settings, recipe)
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
    return settings, write_model(folder / "model", build_network(architecture), card)


@pytest.fixture(scope="module")
def for_rgb(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Bundle]:
    return make_model(tmp_path_factory.mktemp("rgb"))


@pytest.fixture(scope="module")
def for_heights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Bundle]:
    return make_model(tmp_path_factory.mktemp("heights"), data__channels="rgb+dem")


def start(bundle: Bundle, settings: Settings) -> torch.nn.Module:
    recipe = InputRecipe.from_settings(settings, *NORMAL)
    return continue_from(bundle, architecture_for(settings, recipe), recipe).eval()


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


def test_a_model_for_rgb_dem_starts_none_for_other_channels(
    for_heights: tuple[Settings, Bundle],
) -> None:
    settings, bundle = for_heights
    with pytest.raises(
        ModelError, match=r"start: .*other input channels .*found rgb and height.*rgb\)"
    ):
        start(bundle, with_values(settings, {"data.channels": "rgb"}))
    with pytest.raises(ModelError, match="expected rgb and slope"):
        start(bundle, with_values(settings, {"elevation.features": ("slope",)}))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("model.encoder", "resnet18", r"model\.encoder .*--set model\.encoder=\"tu-tf_eff"),
        ("model.architecture", "fpn", r"model\.architecture=\"unet\""),
        ("model.decoder_channels", (32, 16, 8, 8, 8), r"decoder_channels=\[16, 16, 8, 8, 8\]"),
    ],
)
def test_another_network_is_refused_with_the_setting_that_fixes_it(
    for_rgb: tuple[Settings, Bundle], key: str, value: object, words: str
) -> None:
    settings, bundle = for_rgb
    with pytest.raises(ModelError, match=words):
        start(bundle, with_values(settings, {key: value}))


def test_a_model_with_another_normalisation_is_refused(for_rgb: tuple[Settings, Bundle]) -> None:
    settings, bundle = for_rgb
    recipe = InputRecipe.from_settings(settings, (0.1, 0.2, 0.3), NORMAL[1])
    with pytest.raises(
        ModelError, match=r"normalises colours differently .*set model\.encoder_weights"
    ):
        continue_from(bundle, bundle.card.architecture, recipe)


def test_a_fine_tuning_run_names_the_model_it_started_from(
    for_rgb: tuple[Settings, Bundle], sample_data: Path, work_dir: Path
) -> None:
    settings, bundle = for_rgb
    here = {"data.root": sample_data, "work_dir": work_dir, "training.epochs": 1}
    settings = with_values(settings, here)
    run_training(settings, start=bundle, finish=False)
    (run,) = runs_of(settings)
    assert run.data.tags["gravecli.init_from"] == "start"
    assert run.data.tags["gravecli.init_from_run_id"] == "123"
