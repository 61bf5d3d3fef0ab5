import json
from typing import Any

import optuna
import pytest

from grave_cli.errors import SettingsError, TuningError
from grave_cli.settings.load import load_settings, with_values
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings
from grave_cli.tuning.search_space import (
    check_search_space,
    combinations,
    distributions,
    preset_name,
    settings_of,
)

RATE = {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}


def study(**fields: Any) -> Study:
    return with_values(Settings(), {"hpo.studies.mine": fields}).hpo.studies["mine"]


def test_the_preset_is_the_one_named_else_the_study_s_own_else_the_default() -> None:
    settings = Settings()
    assert preset_name(settings, "pilot") == "pilot"
    assert preset_name(settings, "autumn") == "default"
    assert preset_name(settings, "autumn", "pilot") == "pilot"
    with pytest.raises(TuningError, match=r"no such preset .*found nothing.*default, elevation"):
        preset_name(settings, "autumn", "nothing")


@pytest.mark.parametrize("name", Settings().hpo.studies)
def test_every_preset_can_be_searched(name: str) -> None:
    settings = Settings()
    plan = settings.hpo.studies[name]
    check_search_space(plan, settings)
    trials = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = dict(distributions(plan, settings))
    drawn = [settings_of(trials.ask(space).params, plan, settings) for _ in range(5)]
    assert any(one != settings for one in drawn)  # one variant may be the default


@pytest.mark.parametrize(
    ("key", "domain"),
    [
        ("training.learning_rat", {"low": 0.1, "high": 0.2}),
        ("training.epochs", {"low": 0, "high": 5}),
        ("model.architecture", {"choices": ["unet", "vnet"]}),
        ("grid.gsd_m", {"low": 0.03, "high": 0.1}),
        # Between bounds that the settings allow lie values that they refuse.
        ("training.epochs", {"low": 1.0, "high": 9.0}),
        ("chips.size_px", {"low": 64, "high": 512}),
    ],
)
def test_an_impossible_search_space_is_refused(key: str, domain: dict) -> None:
    with pytest.raises(TuningError, match=key):
        check_search_space(study(search_space={key: domain}), Settings())


def test_nothing_to_search_is_refused() -> None:
    with pytest.raises(TuningError, match="search space is empty"):
        check_search_space(study(), Settings())


def test_an_impossible_variant_is_refused_by_its_name() -> None:
    plan = study(variants={"good": {"training.seed": 1}, "bad": {"training.epochs": 0}})
    with pytest.raises(TuningError, match=r"variant bad: .*training.epochs"):
        check_search_space(plan, Settings())


def test_a_study_of_thresholds_searches_nothing_that_is_trained() -> None:
    with pytest.raises(TuningError, match=r"training.learning_rate .*expected prediction.decoding"):
        check_search_space(study(tunes="decoding", search_space=RATE), Settings())


def test_a_grid_needs_countable_values() -> None:
    with pytest.raises(TuningError, match=r"training.learning_rate has no countable values"):
        check_search_space(study(sampler="grid", search_space=RATE), Settings())


def test_whole_bounds_of_a_real_setting_span_real_numbers() -> None:
    plan = study(
        search_space={
            "training.bce_weight": {"low": 0, "high": 1},
            "training.epochs": {"low": 1, "high": 9},
        }
    )
    space = dict(distributions(plan, Settings()))
    trials = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [settings_of(trials.ask(space).params, plan, Settings()).training for _ in range(10)]
    assert len({training.bce_weight for training in drawn}) == 10
    assert {type(training.epochs) for training in drawn} == {int}


def test_a_step_between_whole_bounds_of_a_real_setting_is_kept() -> None:
    domain = {"low": 600, "high": 1800, "step": 600}
    plan = study(search_space={"training.max_time_s": domain})
    (distribution,) = distributions(plan, Settings()).values()
    trials = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = {trials.ask({"time": distribution}).params["time"] for _ in range(20)}
    assert drawn == {600.0, 1200.0, 1800.0}


def test_a_step_on_a_logarithmic_scale_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"training.epochs.*step must be 1 with log"):
        study(search_space={"training.epochs": {"low": 4, "high": 64, "step": 4, "log": True}})


def test_a_choice_of_lists_goes_by_its_text() -> None:
    widths = [[16, 16, 8, 8, 8], [64, 48, 32, 24, 16]]
    plan = study(search_space={"model.decoder_channels": {"choices": widths}})
    (distribution,) = distributions(plan, Settings()).values()
    assert distribution.choices == ("[16, 16, 8, 8, 8]", "[64, 48, 32, 24, 16]")
    chosen = settings_of({"model.decoder_channels": distribution.choices[0]}, plan, Settings())
    assert list(chosen.model.decoder_channels) == widths[0]


def test_trials_of_another_search_space_keep_their_values() -> None:
    widths = [16, 16, 8, 8, 8]
    earlier = {"training.epochs": 7, "model.decoder_channels": json.dumps(widths)}
    chosen = settings_of(earlier, study(search_space=RATE), Settings())
    assert (chosen.training.epochs, list(chosen.model.decoder_channels)) == (7, widths)
    with pytest.raises(TuningError, match=r"no longer has the variant of a trial \(found wide\)"):
        settings_of({"variant": "wide"}, study(search_space=RATE), Settings())


def test_the_elevation_preset_tries_rgb_each_feature_and_each_pair_once() -> None:
    settings = Settings()
    plan = settings.hpo.studies["elevation"]
    tried = [settings_of(one, plan, settings) for one in combinations(plan)]
    features = [one.elevation.features if one.data.channels == "rgb+dem" else () for one in tried]
    assert len(features) == len(set(features)) == plan.trials == 1 + 5 + 10
    assert {len(names) for names in features} == {0, 1, 2}


def test_variants_can_be_written_as_tables(tmp_path: Any) -> None:
    path = tmp_path / "gravecli.toml"
    path.write_text('[hpo.studies.mine.variants.low]\ntraining.seed = 3\ndata.channels = "rgb"\n')
    plan = load_settings(path, environ={}).settings.hpo.studies["mine"]
    assert plan.variants == {"low": {"training.seed": 3, "data.channels": "rgb"}}
