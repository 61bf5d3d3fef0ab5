"""Ground without graves, with and without a DEM, takes part in a training."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from support import tiny_settings

from grave_cli.dataset.training_data import plan_training, read_training_data
from grave_cli.learning.chips import ChipDataset
from grave_cli.progress import SILENT
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.training.cross_validate import _plan_folds
from grave_cli.training.trainer import run_training

HALF = (0.5, 0.5, 0.5)


@pytest.fixture
def settings(sample_data: Path, tmp_path: Path) -> Settings:
    """Two sample cemeteries, and the third as ground twice: with its DEM and without."""
    root = tmp_path / "data"
    shutil.copytree(sample_data, root)
    for folder in ("orthophotos", "dems"):
        (root / "ground" / folder).mkdir(parents=True)
        shutil.move(root / folder / "sample_03.tif", root / "ground" / folder / "park.tif")
    (root / "annotations" / "sample_03.gpkg").unlink()
    shutil.copy(root / "ground" / "orthophotos" / "park.tif", root / "ground/orthophotos/yard.tif")
    chosen = {"data__train": ("sample_01",), "data__val": ("sample_02",)}
    return tiny_settings(
        root, tmp_path / "runs", data__channels="rgb+dem", training__epochs=1, **chosen
    )


def test_ground_has_pixels_heights_if_known_and_no_grave(settings: Settings) -> None:
    plan = plan_training(settings)
    data = read_training_data(plan, settings)
    arrays = {part.part.cemetery.name: part for part in data.train}
    assert {"park", "yard"} < set(arrays)
    for name in ("park", "yard"):
        assert not arrays[name].instances.any()
        assert (arrays[name].scored == arrays[name].valid).all()
    assert arrays["park"].elevation is not None
    assert arrays["yard"].elevation is None


@pytest.mark.usefixtures("work_dir")
def test_a_training_sees_ground_and_finishes(settings: Settings) -> None:
    result = run_training(settings)
    assert np.isfinite(result.metrics["val/dice"])
    assert "test/object_f1" in result.metrics


def test_listed_ground_is_trained_on_in_all_folds_and_is_none_itself(settings: Settings) -> None:
    named = {"data.train": ("sample_01", "park"), "data.guard_m": 0, "data.val_share": 0.4}
    listed = with_values(settings, named)
    folds = _plan_folds(listed, SILENT)
    assert list(folds) == ["sample_01", "sample_02"]
    for _, plan in folds.values():
        assert "park" in [one.part.name for one in plan.split("train")]
        assert all(one.graves.size for one in plan.split("test"))


def test_chips_fall_on_ground_in_proportion_to_its_area(settings: Settings) -> None:
    anywhere = with_values(settings, {"chips.grave_share": 0.0, "chips.per_epoch": 200})
    data = read_training_data(plan_training(anywhere), anywhere)
    recipe = InputRecipe.from_settings(anywhere, HALF, HALF)
    chips = ChipDataset(data.train, recipe, anywhere)
    ground = [number for number, part in enumerate(data.train) if part.part.cemetery.is_ground]
    seen = np.array([int(chips[0, index]["place"][0]) in ground for index in range(200)])
    areas = np.array([part.scored.sum() for part in data.train], float)
    assert seen.mean() == pytest.approx(areas[ground].sum() / areas.sum(), abs=0.12)


def test_ground_belongs_to_the_data_set_id(settings: Settings) -> None:
    before = plan_training(settings)
    (settings.data.root / "ground" / "orthophotos" / "yard.tif").unlink()
    after = plan_training(settings)
    assert before.dataset_id != after.dataset_id
