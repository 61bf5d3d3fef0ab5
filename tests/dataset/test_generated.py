"""Generated cemeteries beside those of a data set: drawn once, whole, and only trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import Listener, tiny_settings

from grave_cli.dataset import generated
from grave_cli.dataset.generated import plan_generated
from grave_cli.dataset.training_data import plan_training, read_training_data, select_features
from grave_cli.errors import ExportError
from grave_cli.learning.places import ChipPlaces, Place
from grave_cli.settings.load import with_values
from grave_cli.settings.studies import FloatRange, Study
from grave_cli.settings.tree import Settings
from grave_cli.training.trainer import run_training
from grave_cli.tuning.trials import TrainingTrials, plan_trials

SCENES = 3


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated, "SCENES", SCENES)
    monkeypatch.setattr(generated, "SIZE_M", 12.0)


@pytest.fixture
def settings(sample_data: Path, tmp_path: Path) -> Settings:
    return tiny_settings(
        sample_data,
        tmp_path / "runs",
        data__channels="rgb+dem",
        chips__generated_share=0.5,
        training__epochs=1,
    )


def test_they_are_drawn_once_and_trained_on(settings: Settings) -> None:
    listener = Listener()
    plans = plan_generated(settings, listener)
    assert [plan.part.split for plan in plans] == ["train"] * SCENES
    assert any(len(plan.graves) for plan in plans)
    assert any(plan.part.cemetery.is_ground for plan in plans)
    assert all(plan.part.cemetery.dem for plan in plans)
    again = plan_generated(settings, listener)
    assert listener.done == {"Sample cemeteries": SCENES}
    assert [plan.part.cemetery for plan in again] == [plan.part.cemetery for plan in plans]


def test_layers_filters_and_limits_are_those_of_the_own_files(settings: Settings) -> None:
    own = {
        "data.annotation_layer": "Gräber",
        "data.annotation_filter": "NAME = 'Grab'",
        "grid.gsd_m": 0.01,
    }
    assert len(plan_generated(with_values(settings, own | {"grid.max_upsampling": 1.0}))) == SCENES


def test_an_interrupted_drawing_leaves_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def stop(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(generated, "write_sample_data", stop)
        with pytest.raises(KeyboardInterrupt):
            plan_generated(settings)
    assert not list(settings.work_dir.rglob("*.tif"))
    assert not list(settings.work_dir.rglob("generated*"))
    assert len(plan_generated(settings)) == SCENES


def test_a_cache_that_cannot_be_written_is_one_line(settings: Settings) -> None:
    settings.work_dir.mkdir(parents=True)
    (settings.work_dir / "cache").write_text("no folder")
    with pytest.raises(ExportError, match="cache: cannot be written"):
        plan_generated(settings)


def test_the_data_set_and_its_parts_stay_the_same(settings: Settings) -> None:
    alone = with_values(settings, {"chips.generated_share": 0.0})
    plan = plan_training(settings)
    assert plan.dataset_id == plan_training(alone).dataset_id
    mixed, pure = (read_training_data(plan, one) for one in (settings, alone))
    assert [part.part for part in mixed.train] == [part.part for part in pure.train]
    assert (len(mixed.generated), len(pure.generated)) == (SCENES, 0)
    rgb = select_features(mixed, with_values(settings, {"data.channels": "rgb"}))
    assert all(part.elevation is None for part in rgb.generated)


@pytest.mark.usefixtures("work_dir")
def test_a_training_sees_them(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    draw = ChipPlaces.draw

    def watched(places: ChipPlaces, *given: Any) -> Place:
        place = draw(places, *given)
        seen.append(places.parts[place.part].part.cemetery.orthophoto)
        return place

    monkeypatch.setattr(ChipPlaces, "draw", watched)
    run_training(settings)
    drawn = [path.is_relative_to(settings.work_dir / "cache") for path in seen]
    assert 0.2 < np.mean(drawn) < 0.8


def test_a_study_reads_them_if_a_trial_may_want_them(settings: Settings) -> None:
    alone = with_values(settings, {"chips.generated_share": 0.0})
    space = {"chips.generated_share": FloatRange(low=0.0, high=0.5)}
    trials = plan_trials(alone, Study(search_space=space))
    assert isinstance(trials, TrainingTrials)
    assert len(trials.read().generated) == SCENES
