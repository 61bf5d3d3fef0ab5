from pathlib import Path

import pytest
from support import Listener, tiny_settings

from grave_cli.errors import ModelError, TuningError
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tuning import encoders
from grave_cli.tuning.encoders import keep_loadable
from grave_cli.tuning.opening import open_study

KEY = "model.encoder"
HAD, MISSING = "tu-tf_efficientnet_lite0", "no_such_encoder"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return tiny_settings(tmp_path, tmp_path / "runs")


def left_of(settings: Settings, listener: Listener, *encoders: str) -> tuple[str, ...]:
    study = {"search_space": {KEY: {"choices": encoders}}}
    plan = with_values(settings, {"hpo.studies.mine": study}).hpo.studies["mine"]
    with open_study(settings, "mine", plan) as shared:
        return keep_loadable(shared, plan, settings, listener).search_space[KEY].choices


def test_encoders_without_weights_are_left_out_and_named(
    settings: Settings, listener: Listener
) -> None:
    assert left_of(settings, listener, HAD, MISSING) == (HAD,)
    (note,) = listener.notes
    assert "left out of the search" in note
    assert MISSING in note
    assert left_of(settings, listener, HAD, MISSING) == (HAD,)
    assert len(listener.notes) == 1, "a study that goes on has made its choice"


def test_of_processes_that_start_at_once_the_first_decides(
    settings: Settings, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault_of = encoders._fault

    def look_while_another_decides(encoder: str, settings: Settings) -> ModelError | None:
        with monkeypatch.context() as other:
            other.setattr(encoders, "_fault", fault_of)
            left_of(settings, Listener(), HAD, MISSING)
        return None  # this computer has both

    monkeypatch.setattr(encoders, "_fault", look_while_another_decides)
    assert left_of(settings, listener, HAD, MISSING) == (HAD,)
    assert listener.notes == []


def test_no_encoder_at_all_is_an_error(settings: Settings, listener: Listener) -> None:
    with pytest.raises(TuningError, match="no encoder of the search can be loaded"):
        left_of(settings, listener, MISSING)


def test_other_encoders_than_those_of_the_trials_are_refused(
    settings: Settings, listener: Listener
) -> None:
    assert left_of(settings, listener, HAD) == (HAD,)
    with pytest.raises(TuningError, match=r"do not fit the trials .*found resnet18.*another study"):
        left_of(settings, listener, "resnet18")
