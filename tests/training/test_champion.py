"""Versions of the registered model, and which of them is champion."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from image_store import client_of, copy_store, runs_of
from support import Listener, copy_bundle, tiny_settings, write_model

from grave_cli.dataset.training_data import TrainingPlan, plan_training
from grave_cli.errors import ModelError
from grave_cli.model.bundle import Bundle, write_card
from grave_cli.model.network import build_network
from grave_cli.settings.load import with_values
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.models import resolve_model
from grave_cli.tracking.runs import tracked_run
from grave_cli.training import champion as champion_room
from grave_cli.training.champion import Verdict, register_model
from grave_cli.training.mapped_parts import TruthMap
from grave_cli.training.rescoring import map_validation, score_maps
from grave_cli.training.trainer import run_training

# The tiles of the validation step: a network of two epochs says other things with less context.
VALIDATION_TILES = {"prediction.tile_px": 384, "prediction.halo_px": 64}


@pytest.fixture
def copied(trained: Settings, tmp_path: Path) -> Settings:
    """The store with one finished run for rgb+dem, for a test that adds to it."""
    return copy_store(trained, tmp_path)


def rescore(bundle: Bundle, settings: Settings) -> dict[str, float]:
    """Score a model on the validation data of some settings."""
    maps = map_validation(bundle, plan_training(settings), settings)
    return score_maps(maps, bundle.card.decoding)


def with_dice(bundle: Bundle, dice: float) -> Bundle:
    metrics = {**bundle.card.metrics, "val/dice": dice}
    return Bundle(folder=bundle.folder, card=bundle.card.model_copy(update={"metrics": metrics}))


def champion_of(settings: Settings) -> str:
    return str(client_of(settings).get_model_version_by_alias("graves", "champion").version)


def register(
    settings: Settings,
    bundle: Bundle,
    plan: TrainingPlan,
    name: str,
    scores: dict[str, float] | None = None,
) -> str:
    """Register a model as if it had just been trained; return the verdict."""
    listener = Listener()
    with tracked_run(settings, name, {}) as run:
        run.log_folder(bundle.folder, "model")
        register_model(run, bundle, plan, scores or {}, listener)
    return listener.notes[-1]


def test_the_first_model_is_champion_and_found_by_its_names(trained: Settings) -> None:
    (run,) = runs_of(trained)
    version = client_of(trained).get_model_version_by_alias("graves", "champion")
    assert version.run_id == run.info.run_id
    assert version.tags["channels"] == "rgb+dem"
    assert version.tags["dataset_id"] == run.data.params["dataset_id"]
    (given,) = run.inputs.dataset_inputs
    assert version.tags["dataset_digest"] == given.dataset.digest
    assert run.data.tags["gravecli.model_version"] == "graves/1"
    assert run.data.tags["gravecli.verdict"] == "is champion: there was none"
    card = resolve_model("tiny", trained).bundle.card
    for name in ("models:/graves@champion", "models:/graves/1"):
        found = resolve_model(name, trained)
        assert found.bundle.card == card
        assert found.origin == "graves version 1, run tiny"


@pytest.mark.parametrize(
    "name", ["models:/graves@nobody", "models:/graves/7", "models:/urns/1", "models:/graves"]
)
def test_an_unknown_version_is_named(trained: Settings, name: str) -> None:
    with pytest.raises(ModelError, match=rf"{name}: no such model"):
        resolve_model(name, trained)


def test_on_the_same_validation_data_the_better_score_wins(copied: Settings) -> None:
    data, bundle = plan_training(copied), resolve_model("tiny", copied).bundle
    score = bundle.card.metrics["val/dice"]
    worse = register(copied, with_dice(bundle, score - 0.1), data, "worse")
    assert worse.startswith("graves version 2 is not champion: val/dice ")
    assert champion_of(copied) == "1"
    assert "is not champion" in register(copied, bundle, data, "equal")
    better = register(copied, with_dice(bundle, score + 0.1), data, "better")
    assert better.endswith(f"against {score:.4f} of version 1, on the same validation data")
    assert champion_of(copied) == "4"


def test_of_two_trainings_that_end_at_once_the_better_one_is_champion(
    copied: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, bundle = plan_training(copied), resolve_model("tiny", copied).bundle
    better = with_dice(bundle, 0.98)
    best = with_dice(copy_bundle(bundle, tmp_path / "best"), 0.99)
    write_card(best.folder, best.card)
    judge = champion_room._judge

    def judge_while_another_ends(*what: Any) -> Verdict:
        verdict = judge(*what)
        monkeypatch.setattr(champion_room, "_judge", judge)
        register(copied, best, data, "other")
        return verdict

    monkeypatch.setattr(champion_room, "_judge", judge_while_another_ends)
    assert "against 0.9900 of version 2" in register(copied, better, data, "mine")
    assert champion_of(copied) == "2"


@pytest.mark.usefixtures("work_dir")
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_on_other_data_both_are_run_over_the_new_validation_data(
    trained: Settings, tmp_path: Path, order: tuple[int, int]
) -> None:
    tiny = resolve_model("tiny", trained).bundle
    models = [tiny, untrained_like(tiny, tmp_path / "model")]
    champion, challenger = (models[index] for index in order)
    first = with_values(trained, {"work_dir": tmp_path / "runs"})
    register(first, champion, plan_training(first), "first")
    new = with_values(first, {"data.val": ("sample_03",), "data.train": ("sample_01",)})
    data = plan_training(new)
    off = with_values(new, {"tracking.rescore_champion": False})
    assert "is not scored again" in register(off, challenger, data, "off")
    theirs, mine = (rescore(one, new)["val/dice"] for one in (champion, challenger))
    assert mine != pytest.approx(theirs)
    contrast = f"val/dice {mine:.4f} against {theirs:.4f} of version 1, both on the new"
    own = rescore(challenger, new)
    verdict = register(new, challenger, data, "new", own)
    assert contrast in verdict
    too_good = "; version 1 was trained on sample_03, which makes its score too good"
    assert verdict.endswith(too_good) == ("sample_03" in champion.card.parts["train"])
    assert champion_of(new) == ("3" if mine > theirs else "1")


def untrained_like(bundle: Bundle, folder: Path) -> Bundle:
    torch.manual_seed(0)
    card = bundle.card.model_copy(update={"parts": {"train": ("sample_03",)}})
    return write_model(folder, build_network(bundle.card.architecture), card)


def test_scoring_the_model_of_a_training_again_gives_its_own_score(trained: Settings) -> None:
    bundle = resolve_model("tiny", trained).bundle
    scores = rescore(bundle, with_values(trained, VALIDATION_TILES))
    for name, value in scores.items():
        assert value == pytest.approx(bundle.card.metrics[name], abs=0.03), name


def test_a_champion_of_another_gsd_and_other_channels_is_read_in_its_own_way(
    trained: Settings,
) -> None:
    bundle = resolve_model("tiny", trained).bundle
    finer = with_values(trained, {"grid.gsd_m": 0.05, "data.channels": "rgb", **VALIDATION_TILES})
    own, there = (
        map_validation(bundle, plan_training(chosen), chosen)[0]
        for chosen in (with_values(trained, VALIDATION_TILES), finer)
    )
    assert there.gsd_m == own.gsd_m == 0.1
    assert (there.levels == own.levels).all()
    assert (there.truth == own.truth).all()


def test_scores_of_maps_are_counted_where_the_truth_is_known() -> None:
    truth = np.zeros((40, 60), np.int32)
    truth[5:25, 5:15] = 1
    truth[5:25, 30:40] = 2
    levels = np.zeros((3, 40, 60), np.uint8)
    levels[0, 5:25, 5:15] = 255
    levels[0, 5:25, 45:55] = 255
    scored = np.ones((40, 60), bool)
    scored[:, 45:] = False
    scores = score_maps([TruthMap(levels, truth, scored, 0.1)], DecodingSettings())
    # One grave of 200 px found, one missed; the wrong one lies where nothing is known.
    assert scores["val/dice"] == pytest.approx(2 * 200 / (200 + 400))
    assert scores["val/iou"] == pytest.approx(0.5)
    assert scores["val/object_precision"] == 1
    assert scores["val/object_recall"] == 0.5


def test_a_champion_that_needs_a_dem_stays_when_the_new_data_has_none(
    copied: Settings, sample_data: Path, tmp_path: Path
) -> None:
    shutil.copytree(sample_data, tmp_path / "flat")
    shutil.rmtree(tmp_path / "flat" / "dems")
    flat = with_values(copied, {"data.root": tmp_path / "flat", "data.channels": "rgb"})
    bundle = with_dice(resolve_model("tiny", copied).bundle, 1.0)
    assert "version 1 needs a DEM" in register(flat, bundle, plan_training(flat), "flat")
    assert champion_of(copied) == "1"


def test_a_champion_whose_files_are_gone_is_replaced(copied: Settings) -> None:
    data, bundle = plan_training(copied), resolve_model("tiny", copied).bundle
    with tracked_run(copied, "bare", {}) as run:
        source = f"runs:/{run.run_id}/model"
        version = run.client.create_model_version("graves", source, run.run_id)
        run.client.set_registered_model_alias("graves", "champion", version.version)
    assert "is champion: version 2 cannot be read" in register(copied, bundle, data, "new")
    assert champion_of(copied) == "3"


@pytest.mark.usefixtures("work_dir")
def test_without_a_name_nothing_is_registered(trained: Settings, tmp_path: Path) -> None:
    settings = with_values(
        trained, {"work_dir": tmp_path / "runs", "tracking.registered_model": ""}
    )
    with tracked_run(settings, "one", {}) as run:
        register_model(run, resolve_model("tiny", trained).bundle, plan_training(trained), {})
    assert list(client_of(settings).search_registered_models()) == []


@pytest.mark.usefixtures("work_dir")
def test_trials_are_not_registered_and_keep_only_their_settings(
    sample_data: Path, tmp_path: Path
) -> None:
    settings = tiny_settings(sample_data, tmp_path / "runs", training__epochs=1)
    run_training(settings, finish=False)
    (run,) = runs_of(settings)
    (left,) = client_of(settings).list_artifacts(run.info.run_id)
    assert left.path == "settings.json"
    assert list(client_of(settings).search_registered_models()) == []
    assert list((settings.work_dir / "unfinished").iterdir()) == []
