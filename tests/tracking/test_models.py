import shutil
import tempfile
from pathlib import Path

import pytest
from image_store import copy_store
from support import tiny_settings

from grave_cli.errors import ModelError, TrackingError
from grave_cli.model.shipped import starter_model
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.local_store import reading_client
from grave_cli.tracking.models import (
    WITHOUT_DEM_TAG,
    find_run,
    newest_model,
    own_or_starter,
    resolve_model,
)
from grave_cli.tracking.runs import tracked_run
from grave_cli.tracking.store import open_client


def test_a_model_is_found_by_name_id_and_folder(trained: Settings) -> None:
    by_name = resolve_model("tiny", trained).bundle
    by_id = resolve_model(f"runs:/{by_name.card.run_id}", trained).bundle
    by_folder = resolve_model(str(by_name.folder), trained).bundle
    assert by_name.card == by_id.card == by_folder.card


def test_the_newest_finished_run_is_taken(trained: Settings, tmp_path: Path) -> None:
    copied = copy_store(trained, tmp_path)  # others count the runs of the original
    with tracked_run(copied, "unfinished business", {"gravecli.channels": "rgb+dem"}):
        found = newest_model(with_dem=True, settings=copied)
    assert found.bundle.card.name == "tiny"
    assert "tiny" in found.origin


def test_a_model_for_heights_does_not_fit_without_a_dem(trained: Settings) -> None:
    words = r"no finished training for rgb is recorded"
    with pytest.raises(ModelError, match=words):
        newest_model(with_dem=False, settings=trained)


def test_the_reason_is_said_where_only_models_with_a_dem_fit(
    trained: Settings, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="; only models with a DEM fit: give --dem, or name"):
        newest_model(with_dem=False, settings=trained)
    advice = own_or_starter(with_dem=False, settings=trained).advice
    assert advice.endswith("only models with a DEM fit: give --dem")
    assert own_or_starter(with_dem=True, settings=trained).advice == ""
    nothing = tiny_settings(tmp_path, tmp_path / "runs")
    assert own_or_starter(with_dem=False, settings=nothing).advice == ""


def test_the_starter_serves_where_no_own_model_fits(trained: Settings, tmp_path: Path) -> None:
    starter = starter_model()
    assert own_or_starter(with_dem=True, settings=trained).bundle.card.name == "tiny"
    assert own_or_starter(with_dem=False, settings=trained).bundle == starter
    nothing = tiny_settings(tmp_path, tmp_path / "runs")
    found = own_or_starter(with_dem=True, settings=nothing)
    assert found.bundle == starter == resolve_model("starter", nothing).bundle
    assert "starter" in found.origin
    assert not (tmp_path / "runs").exists()


def test_the_starter_does_not_stand_in_for_a_damaged_model(
    trained: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    damaged = tmp_path / "artifacts"
    shutil.copytree(resolve_model("tiny", trained).bundle.folder, damaged / "model")
    (damaged / "model" / "model.json").write_text("{")
    monkeypatch.setattr("grave_cli.tracking.models.run_folder", lambda run, settings: damaged)
    with pytest.raises(ModelError, match="damaged model description"):
        own_or_starter(with_dem=True, settings=trained)


def test_a_model_that_learnt_to_do_without_a_dem_is_found_without_one(
    trained: Settings, tmp_path: Path
) -> None:
    copied = copy_store(trained, tmp_path)
    client = open_client(copied)
    run = find_run(client, "tiny", copied)
    assert run is not None
    client.set_tag(run.info.run_id, WITHOUT_DEM_TAG, "yes")
    assert newest_model(with_dem=False, settings=copied).bundle.card.name == "tiny"


@pytest.mark.parametrize("name", ["St. John's", 'the "old" part'])
def test_a_name_may_hold_quotes(work_dir: Path, name: str) -> None:
    settings = tiny_settings(work_dir, work_dir)
    with tracked_run(settings, name, {}) as run:
        pass
    for open_store in (open_client, reading_client):
        found = find_run(open_store(settings), name, settings)
        assert found is not None
        assert found.info.run_id == run.run_id


@pytest.mark.parametrize("name", ["nobody", "runs:/123", "it's", "x" * 300, "a\0b"])
def test_an_unknown_model_is_named(trained: Settings, name: str) -> None:
    with pytest.raises(ModelError, match="no such model"):
        resolve_model(name, trained)


def test_looking_for_a_model_makes_no_store(tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, tmp_path / "runs")
    with pytest.raises(ModelError, match="no finished training"):
        newest_model(with_dem=True, settings=settings)
    with pytest.raises(ModelError, match="no such model"):
        resolve_model("tiny", settings)
    assert not (tmp_path / "runs").exists()


def test_a_store_that_cannot_be_opened_is_one_line(trained: Settings) -> None:
    broken = with_values(trained, {"tracking.uri": "nosuchscheme://nowhere"})
    with pytest.raises(TrackingError, match=r"nosuchscheme://nowhere: tracking store"):
        newest_model(with_dem=True, settings=broken)


def test_a_model_is_looked_into_where_it_lies(
    trained: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = resolve_model("tiny", trained)
    assert found.bundle.folder.is_relative_to(trained.work_dir.resolve() / "artifacts")
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_model_is_named(work_dir: Path) -> None:
    settings = tiny_settings(work_dir, work_dir)
    with tracked_run(settings, "bare", {}):
        pass
    with pytest.raises(ModelError, match="run bare has no model"):
        resolve_model("bare", settings)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("startr", "starter is the model that comes with gravecli"),
        ("graves@champion", "a registered model is named models:/graves@champion"),
        ("oak", "`gravecli runs` lists the runs"),
    ],
)
def test_a_mistyped_model_is_answered_with_the_right_form(
    tmp_path: Path, name: str, says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        resolve_model(name, tiny_settings(tmp_path, tmp_path / "runs"))
