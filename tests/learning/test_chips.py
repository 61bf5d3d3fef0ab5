from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rasterio.windows import Window
from support import tiny_settings

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.dataset.training_data import plan_training, read_training_data
from grave_cli.learning.augmentation import cut_augmented
from grave_cli.learning.chips import ChipDataset, chips_for_area
from grave_cli.learning.cutting import cut_chip
from grave_cli.learning.datamodule import TileDataset
from grave_cli.learning.places import Place
from grave_cli.mapping.probability_map import to_probabilities
from grave_cli.mapping.scene import open_scene
from grave_cli.mapping.stream import map_probabilities
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.learning import ChipSettings
from grave_cli.settings.load import with_values
from grave_cli.settings.mapping import PredictionSettings
from grave_cli.settings.tree import Settings

HALF = (0.5, 0.5, 0.5)
# Chips without augmentation, blur aside.
PLAIN = {
    "chips.rotate": False,
    "chips.scale_range": (1.0, 1.0),
    "chips.paste_share": 0.0,
    "chips.color_jitter": 0.0,
    "chips.dem_dropout": 0.0,
}


@pytest.fixture(scope="module")
def settings(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    work_dir = tmp_path_factory.mktemp("chips") / "runs"
    return tiny_settings(sample_data, work_dir, data__channels="rgb+dem")


@pytest.fixture(scope="module")
def parts(settings: Settings) -> list[CemeteryArrays]:
    return read_training_data(plan_training(settings), settings).train


@pytest.fixture(scope="module")
def recipe(settings: Settings) -> InputRecipe:
    return InputRecipe.from_settings(settings, HALF, HALF)


def test_a_chip_depends_only_on_seed_epoch_and_index(
    parts: list[CemeteryArrays], recipe: InputRecipe, settings: Settings
) -> None:
    chips, same = (ChipDataset(parts, recipe, settings) for _ in range(2))
    torch.manual_seed(1)
    first = chips[0, 3]["input"]
    torch.manual_seed(2)
    assert torch.equal(first, same[0, 3]["input"])
    assert not torch.equal(first, chips[0, 4]["input"])
    assert not torch.equal(first, chips[1, 3]["input"])
    other = with_values(settings, {"training.seed": 5})
    assert not torch.equal(first, ChipDataset(parts, recipe, other)[0, 3]["input"])


def test_shapes_types_and_ranges(
    parts: list[CemeteryArrays], recipe: InputRecipe, settings: Settings
) -> None:
    chips = ChipDataset(parts, recipe, settings)
    assert len(chips) == settings.chips.per_epoch
    for index in range(len(chips)):
        item = chips[0, index]
        assert item["input"].shape == (4, 64, 64)
        assert item["targets"].shape == (3, 64, 64)
        assert item["scored"].shape == (1, 64, 64)
        assert item["place"].shape == (3,)
        assert {item[name].dtype for name in ("input", "targets", "scored")} == {torch.float32}
        assert torch.isfinite(item["input"]).all()
        assert item["input"].abs().max() <= 1
        assert set(item["targets"].unique().tolist()) <= {0.0, 1.0}


def test_most_chips_show_graves(
    parts: list[CemeteryArrays], recipe: InputRecipe, settings: Settings
) -> None:
    chips = ChipDataset(
        parts, recipe, with_values(settings, {"chips.grave_share": 1.0, "chips.revisit_share": 0.0})
    )
    assert all(chips[0, index]["targets"][0].any() for index in range(len(chips)))


def test_dem_dropout_blanks_heights_and_nothing_else(
    parts: list[CemeteryArrays], recipe: InputRecipe, settings: Settings
) -> None:
    never, always = (
        ChipDataset(parts, recipe, with_values(settings, {"chips.dem_dropout": share}))
        for share in (0.0, 1.0)
    )
    for index in range(4):
        shown, blank = never[0, index], always[0, index]
        assert torch.equal(shown["input"][:3], blank["input"][:3])
        assert torch.equal(shown["targets"], blank["targets"])
        assert not blank["input"][3:].any()
    assert any(never[0, index]["input"][3:].any() for index in range(4))


def test_colour_augmentation_changes_rgb_only(
    parts: list[CemeteryArrays], recipe: InputRecipe, settings: Settings
) -> None:
    plain, recoloured = (
        ChipDataset(parts, recipe, with_values(settings, {**PLAIN, "chips.color_jitter": amount}))
        for amount in (0.0, 0.8)
    )
    changed = False
    for index in range(4):
        assert torch.equal(plain[0, index]["input"][3:], recoloured[0, index]["input"][3:])
        assert torch.equal(plain[0, index]["targets"], recoloured[0, index]["targets"])
        changed |= not torch.equal(plain[0, index]["input"][:3], recoloured[0, index]["input"][:3])
    assert changed


def test_beyond_the_edge_nothing_is_valid_scored_or_a_grave(parts: list[CemeteryArrays]) -> None:
    part = parts[0]
    chip = cut_chip(part, Window(-10, part.grid.height - 20, 40, 40))
    assert chip.rgb.shape == (3, 40, 40)
    assert not chip.valid[:, :10].any()
    assert not chip.valid[20:].any()
    assert not chip.scored[20:].any()
    assert not chip.instances[:, :10].any()
    inside = (slice(part.grid.height - 20, None), slice(0, 30))
    assert (chip.instances[:20, 10:] == part.instances[inside]).all()
    nowhere = cut_chip(part, Window(-500, -500, 30, 30))
    assert not nowhere.valid.any()


def test_tiles_cover_the_scored_pixels_once(
    parts: list[CemeteryArrays], recipe: InputRecipe, settings: Settings
) -> None:
    tiles = TileDataset(parts, recipe, settings)
    counted = sum(
        int((item["scored"][0].bool() & item["core"]).sum())
        for item in (tiles[index] for index in range(len(tiles)))
    )
    assert counted == sum(int(part.scored.sum()) for part in parts)


def test_a_chip_for_training_equals_the_same_place_read_for_prediction(
    parts: list[CemeteryArrays], recipe: InputRecipe, settings: Settings
) -> None:
    """Training and prediction see the same pixels: one preprocessing, one way of reading."""
    part = parts[0]
    chip = cut_chip(part, part.grid.window)
    trained_on = recipe.network_input(chip.rgb, chip.elevation, chip.valid)

    class Mirror:
        """Returns red, green and height, scaled to [0, 1]."""

        name = "mirror"
        batch_mpx = 1.0

        def probabilities(self, batch: np.ndarray) -> np.ndarray:
            return (batch[:, [0, 1, 3]] + 1) / 2

    cemetery = part.part.cemetery
    scene = open_scene(cemetery.orthophoto, cemetery.dem, recipe, 3)
    assert scene.grid == part.grid
    tiles = PredictionSettings(tile_px=96, halo_px=16, batch_size=2)
    levels = map_probabilities(scene, Mirror(), tiles).read(part.grid.window)
    predicted_on = to_probabilities(levels) * 2 - 1
    difference = np.abs(predicted_on - trained_on[[0, 1, 3]]).max(axis=0)
    # Rounding to 1/255, twice. Pixels covered by half may be valid in the one and not in the other.
    assert (difference[chip.valid] > 0.02).mean() < 0.002


def test_an_epoch_covers_the_area_four_times() -> None:
    settings = ChipSettings(size_px=64)
    assert chips_for_area(0, settings) == 128
    assert chips_for_area(1000 * 64 * 64, settings) == 4000


def test_an_unlabelled_part_is_never_scored(parts: list[CemeteryArrays]) -> None:
    part = replace(parts[0], labelled=np.zeros(parts[0].grid.shape, bool))
    assert not cut_chip(part, part.grid.window).scored.any()


def test_holes_of_the_dem_are_validated_but_not_trained_on(
    parts: list[CemeteryArrays], recipe: InputRecipe, settings: Settings
) -> None:
    """Prediction maps graves in a hole, so validation scores them there."""
    whole = parts[0]
    assert whole.elevation is not None
    elevation = whole.elevation.copy()
    elevation[:, 40:90, 40:90] = np.nan
    part = replace(whole, elevation=elevation)
    tile = TileDataset([part], recipe, settings)[0]
    scored = tile["scored"][0].bool() & tile["core"]
    assert int(scored.sum()) == int(part.scored.sum()) == int(part.valid.sum())
    middle = Place(0, 65, 65)
    chip = cut_augmented(part, middle, np.eye(2), 64)
    assert not chip.scored[8:56, 8:56].any()
    assert cut_augmented(whole, middle, np.eye(2), 64).scored.all()


def test_pasted_graves_are_added_to_those_of_a_chip(
    parts: list[CemeteryArrays], recipe: InputRecipe, settings: Settings
) -> None:
    alone = ChipDataset(parts, recipe, with_values(settings, {"chips.paste_share": 0.0}))
    pasted = ChipDataset(parts, recipe, with_values(settings, {"chips.paste_share": 1.0}))
    before, after = (
        np.array([chips[0, index]["targets"][0].sum() for index in range(60)])
        for chips in (alone, pasted)
    )
    assert (after >= before).all()
    assert (after > before).sum() >= 5
