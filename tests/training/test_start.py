"""The start of a training, by `model.start`."""

from pathlib import Path

import pytest
import torch
from support import Listener, tiny_settings, untrained_bundle

from grave_cli.dataset.manifest import Cemetery
from grave_cli.dataset.splits import Part, Strip
from grave_cli.dataset.training_data import plan_training
from grave_cli.errors import GraveError, ModelError, SettingsError
from grave_cli.model.bundle import Bundle, write_card
from grave_cli.model.shipped import STARTER, starter_model
from grave_cli.settings.load import load_settings, with_values
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.training.readiness import note_known_parts, note_small_graves
from grave_cli.training.start import build_start, parts_known_to, settle_start


@pytest.fixture
def defaults(tmp_path: Path) -> Settings:
    return load_settings(options={"work_dir": tmp_path / "runs"}, environ={}).settings


def test_a_training_by_default_starts_from_the_starter(defaults: Settings) -> None:
    notes = Listener()
    settings, start = settle_start(defaults, notes)
    assert settings.model.start == STARTER
    assert start == starter_model()
    assert notes.notes == ["Start: starter"]
    assert settle_start(settings) == (settings, start)


def test_thresholds_that_are_not_set_are_those_of_the_start(defaults: Settings) -> None:
    settings, start = settle_start(with_values(defaults, {"prediction.decoding.min_area_m2": 0.7}))
    assert start is not None
    known = start.card.decoding
    assert known.min_seed_area_m2 != DecodingSettings().min_seed_area_m2
    assert settings.prediction.decoding == known.model_copy(update={"min_area_m2": 0.7})
    assert settle_start(settings) == (settings, start)


def test_a_resumed_training_keeps_its_thresholds_if_its_start_is_another_model_by_now(
    tmp_path: Path,
) -> None:
    bundle = untrained_bundle(tmp_path / "model")
    begun, _ = settle_start(
        tiny_settings(tmp_path, tmp_path / "runs", model__start=str(bundle.folder))
    )
    later = DecodingSettings(min_area_m2=0.3)
    write_card(bundle.folder, bundle.card.model_copy(update={"decoding": later}))
    assert settle_start(begun)[0].prediction.decoding == later
    resumed, start = settle_start(begun, resumed=True)
    assert resumed == begun
    assert start is not None


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("model.encoder", "resnet18", 'model.encoder "tu-tf_efficientnet_lite0"'),
        ("model.architecture", "fpn", 'model.architecture "unet"'),
        (
            "model.decoder_channels",
            (32, 16, 8, 8, 8),
            "model.decoder_channels [64, 48, 32, 24, 16]",
        ),
    ],
)
def test_another_network_starts_from_imagenet_or_not_at_all(
    key: str, value: object, reason: str, defaults: Settings
) -> None:
    notes = Listener()
    settings = with_values(defaults, {key: value})
    assert settle_start(settings, notes)[0].model.start == "imagenet"
    assert notes.notes == [f"Start: imagenet: the starter model has {reason}"]
    with pytest.raises(ModelError) as caught:
        settle_start(with_values(settings, {"model.start": STARTER}))
    assert f"found {reason}" in str(caught.value)
    assert f"--set {reason.replace(' ', '=', 1)}" in str(caught.value)


@pytest.mark.parametrize("channels", ["rgb", "rgb+dem"])
def test_a_network_built_from_the_starter_has_its_weights_and_normalisation(
    channels: str, defaults: Settings
) -> None:
    settings, start = settle_start(with_values(defaults, {"data.channels": channels}))
    recipe, network = build_start(settings, start)
    card = starter_model().card
    assert (recipe.mean, recipe.std) == (card.recipe.mean, card.recipe.std)
    _, other = build_start(*settle_start(with_values(settings, {"model.start": "imagenet"})))
    _, again = build_start(settings, start)
    name = "segmentation_head.0.weight"
    assert torch.equal(network.state_dict()[name], again.state_dict()[name])
    assert not torch.equal(network.state_dict()[name], other.state_dict()[name])


def test_a_folder_and_its_weights_file_name_a_model(tmp_path: Path) -> None:
    bundle = untrained_bundle(tmp_path / "model")
    for name in (bundle.folder, bundle.weights):
        settings = tiny_settings(tmp_path, tmp_path / "runs", model__start=str(name))
        assert settle_start(settings) == (settings, bundle)


def test_weights_of_an_encoder_are_no_model(tmp_path: Path, defaults: Settings) -> None:
    settings = with_values(defaults, {"model.start": str(tmp_path / "encoder.pt")})
    with pytest.raises(ModelError, match=r"encoder.pt: no such file of encoder weights"):
        settle_start(settings)
    assert settle_start(settings, resumed=True) == (settings, None)  # a checkpoint has them
    (tmp_path / "encoder.pt").touch()
    assert settle_start(settings) == (settings, None)


@pytest.mark.parametrize(
    ("trained", "known"),
    [
        ({"train": ("a", "b")}, ["b:val", "a"]),
        # All of a tests now, a strip of it trained.
        ({"train": ("a:train", "b:train"), "val": ("a:val", "b:val")}, ["a"]),
        ({"train": ("b:train",), "val": ("a", "b:val")}, []),
        ({"train": ("b",)}, ["b:val"]),
        ({}, []),
    ],
)
def test_what_a_model_was_trained_on_is_no_test_for_it(
    trained: dict[str, tuple[str, ...]], known: list[str], tmp_path: Path
) -> None:
    a, b = (Cemetery(name, tmp_path / f"{name}.tif") for name in "ab")
    parts = [Part(b, "train", Strip(0, 0.8)), Part(b, "val", Strip(0.8, 1)), Part(a, "test")]
    bundle = untrained_bundle(tmp_path / "model")
    start = bundle.model_copy(update={"card": bundle.card.model_copy(update={"parts": trained})})
    assert parts_known_to(start, parts) == known


def test_a_strip_that_other_strips_were_trained_on_is_no_test(tmp_path: Path) -> None:
    """Of two cemeteries, the first gives 80 % of its graves to the training; alone, 60 %."""
    a = Cemetery("a", tmp_path / "a.tif")
    alone = [Part(a, "val", Strip(0.6, 0.8)), Part(a, "test", Strip(0.8, 1))]
    card = untrained_bundle(tmp_path / "model").card

    def known(parts: dict[str, tuple[str, ...]], **data: float) -> list[str]:
        trained = card.model_copy(update={"parts": parts, "settings": {"data": data}})
        return parts_known_to(Bundle(folder=tmp_path, card=trained), alone)

    of_two = {"train": ("a:train",), "val": ("a:val",), "test": ("b",)}
    assert known(of_two) == ["a:val"]
    assert known(of_two, val_share=0.1) == ["a:val", "a:test"]
    assert known({"train": ("a:train",), "val": ("a:val",), "test": ("a:test",)}) == []


def test_scores_of_a_training_without_test_cemeteries_are_said_to_be_too_good(
    sample_data: Path, tmp_path: Path
) -> None:
    def notes(*train: str, test: tuple[str, ...] = ()) -> list[str]:
        listener = Listener()
        lists = {"data__train": train, "data__val": ("sample_02",), "data__test": test}
        plan = plan_training(tiny_settings(sample_data, tmp_path, **lists))
        note_known_parts(None, plan, listener)
        return listener.notes

    (note,) = notes("sample_01", "sample_03")
    assert note.startswith("There is no test cemetery: test/… will be scores of the validation")
    assert notes("sample_01", test=("sample_03",)) == []
    assert notes("sample_01") == []  # its own last strip serves


def test_a_network_that_normalises_over_the_batch_needs_two_chips(defaults: Settings) -> None:
    for changes in ({"chips.batch_size": 1}, {"training.devices": 4}, {"chips.per_epoch": 1}):
        wanted = {"model.architecture": "deeplabv3plus", "model.start": "none", **changes}
        with pytest.raises(SettingsError, match="does not learn from a single chip"):
            build_start(with_values(defaults, wanted), None)
        other = with_values(defaults, {**wanted, "model.architecture": "linknet"})
        assert build_start(other, None)


def test_graves_below_the_smallest_area_of_the_start_are_named(
    sample_data: Path, tmp_path: Path, listener: Listener
) -> None:
    plan = plan_training(tiny_settings(sample_data, tmp_path))
    smallest = min(part.areas_m2.min() for part in plan.parts)
    start = tiny_settings(sample_data, tmp_path)
    for least, count in ((smallest * 1.0001, 1), (smallest * 0.9999, 0)):
        changed = with_values(start, {"prediction.decoding.min_area_m2": float(least)})
        note_small_graves(changed, plan, listener)
        assert len(listener.notes) == count
        listener.notes.clear()


def test_an_unknown_model_is_refused(defaults: Settings) -> None:
    with pytest.raises(GraveError, match="oak: no such model"):
        settle_start(with_values(defaults, {"model.start": "oak"}))
