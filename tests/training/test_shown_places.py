"""The validation samples: graves in them, spread over cemeteries, the same every time."""

from pathlib import Path

import numpy as np
import pytest
from support import tiny_settings

from grave_cli.dataset.training_data import TrainingData, plan_training, read_training_data
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.training import shown_places as room
from grave_cli.training.shown_places import choose_samples


def prepare(settings: Settings) -> tuple[TrainingData, InputRecipe]:
    data = read_training_data(plan_training(settings), settings)
    return data, data.features


@pytest.fixture
def settings(sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two validation cemeteries of 14 m, and samples of 6.4 m."""
    monkeypatch.setattr(room, "SAMPLE_PX", 64)
    lists = {"data.train": ("sample_01",), "data.val": ("sample_02", "sample_03")}
    return with_values(tiny_settings(sample_data, tmp_path / "runs"), lists)


def test_samples_have_graves_alternate_and_stay_the_same(settings: Settings) -> None:
    data, recipe = prepare(settings)
    chosen = choose_samples(data, recipe, 4)
    assert [sample.name for sample in chosen] == [
        "sample_02-1", "sample_03-1", "sample_02-2", "sample_03-2",
    ]  # fmt: skip
    for sample in chosen:
        assert sample.chip.rgb.shape == (3, 64, 64)
        assert sample.chip.instances.any()
        assert sample.heights is None
    again = choose_samples(*prepare(settings), 4)
    for one, other in zip(chosen, again, strict=True):
        assert (one.chip.rgb == other.chip.rgb).all()
    assert choose_samples(data, recipe, 0) == []


def test_there_are_only_as_many_as_there_are_places(settings: Settings) -> None:
    data, recipe = prepare(settings)
    names = [sample.name for sample in choose_samples(data, recipe, 64)]
    assert len(names) == len(set(names)) < 64


@pytest.mark.parametrize("features", [("height",), ("slope", "height"), ("slope",)])
def test_heights_are_metres_above_ground_whatever_the_network_sees(
    settings: Settings, features: tuple[str, ...]
) -> None:
    chosen = [
        choose_samples(
            *prepare(
                with_values(settings, {"data.channels": "rgb+dem", "elevation.features": names})
            ),
            1,
        )[0].heights
        for names in (("height",), features)
    ]
    assert chosen[0] is not None
    np.testing.assert_allclose(chosen[1], chosen[0], atol=1e-4)


def test_a_sample_of_a_small_cemetery_reaches_beyond_its_edge(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SAMPLE_PX", 256)
    data, recipe = prepare(settings)
    (sample, _) = choose_samples(data, recipe, 2)
    assert sample.chip.valid.shape == (160, 160)  # 14 m are 140 px
    assert not sample.chip.valid[:9].any()
