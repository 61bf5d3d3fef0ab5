"""The command line as its user meets it."""

import json
import signal
from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from terminal import SETS, assert_refused, finish, gravecli, start_gravecli

from grave_cli.settings.tree import Settings


def test_train_and_predict_with_no_further_argument_in_a_folder_with_data(
    sample_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    arguments = ["train", "--channels", "rgb+dem", "--epochs", 1, *SETS]
    trained = finish(start_gravecli(*arguments, cwd=tmp_path))
    assert trained.returncode == 0, trained.stderr
    assert "test/object_f1" in trained.stdout
    said = [line.partition(":")[0] for line in trained.stderr.splitlines()]
    assert said[:5] == ["train", "val", "test", "estimate", "epoch 1/1"]
    assert "estimate: 1 epoch of 2 steps, about " in trained.stderr
    orthophoto = "data/orthophotos/sample_02.tif"
    arguments = ["predict-cemetery", orthophoto, "--preview", "p.png", "--json", *SETS]
    arguments += ["--truth", "data/annotations/sample_02.gpkg"]
    predicted = gravecli(*arguments, cwd=tmp_path)
    assert predicted.returncode == 0, predicted.stderr
    summary = json.loads(predicted.stdout)
    assert summary["geopackage"] == "sample_02.gpkg"
    assert summary["score"]["truths"] > 0
    assert f"DEM: {tmp_path / 'data/dems/sample_02.tif'}" in predicted.stderr
    assert "the newest that fits rgb+dem" in predicted.stderr
    with fiona.open(tmp_path / "sample_02.gpkg", layer="graves") as layer:
        assert len(layer) == summary["graves"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "data", "runs", "sample_02.gpkg", "p.png",
    }  # fmt: skip


@pytest.mark.usefixtures("work_dir")
def test_hpo_names_the_best_and_does_the_remainder_when_run_again(
    sample_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    arguments = ["hpo", "--study", "pilot", "--trials", 1, *SETS]
    arguments += ["--set", "hpo.studies.pilot.search_space.training.epochs={low=1, high=2}"]
    first = gravecli(*arguments, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "1 finished trial " in first.stdout
    assert "train with: gravecli train --config " in first.stdout
    again = gravecli(*arguments, cwd=tmp_path)
    assert "1 of 1 trial is finished" in again.stderr
    assert again.stdout == first.stdout


def test_dashboard_without_a_study_says_how_to_make_one_and_makes_nothing(tmp_path: Path) -> None:
    assert_refused(gravecli("dashboard", cwd=tmp_path), "no study yet", "gravecli hpo")
    assert list(tmp_path.iterdir()) == []


def test_dry_run_says_what_would_be_done_and_writes_nothing(
    sample_data: Path, tmp_path: Path
) -> None:
    result = gravecli("train", "--data", sample_data, "--dry-run", "--json", *SETS, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    plan = json.loads(result.stdout)
    assert {part["split"] for part in plan["parts"]} == {"train", "val", "test"}
    assert plan["steps_per_epoch"] == 2
    assert plan["seconds"] > 0
    assert list(tmp_path.iterdir()) == []


def test_config_shows_values_and_origins(tmp_path: Path) -> None:
    (tmp_path / "gravecli.toml").write_text("[training]\nepochs = 7\n")
    shown = gravecli("config", "--set", "training.seed=3", cwd=tmp_path).stdout
    assert "training.epochs = 7   # gravecli.toml" in shown
    assert "training.seed = 3   # --set" in shown
    assert "grid.gsd_m = 0.04   # default" in shown


def test_config_init_writes_a_file_that_loads_and_keeps_a_changed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # it would set prediction.threads
    assert gravecli("config", "--init", cwd=tmp_path).returncode == 0
    shown = json.loads(gravecli("config", "--json", cwd=tmp_path).stdout)
    assert shown["training.epochs"] == {"value": 40, "origin": "gravecli.toml"}
    others = {key for key, one in shown.items() if one["origin"] != "gravecli.toml"}
    assert others == {key for key in shown if key.startswith("prediction.decoding.")}
    assert gravecli("config", "--init", cwd=tmp_path).returncode == 0
    (tmp_path / "gravecli.toml").write_text("[training]\nepochs = 7\n")
    refused = gravecli("config", "--init", cwd=tmp_path)
    assert_refused(refused, "gravecli.toml", "file exists", "--overwrite")
    assert gravecli("config", "--init", "--overwrite", cwd=tmp_path).returncode == 0
    assert "epochs = 40" in (tmp_path / "gravecli.toml").read_text("utf-8")


def test_no_secret_is_shown_by_config_and_by_errors(tmp_path: Path) -> None:
    url = "postgresql://anna:my s3cret@db/x?sslpassword=s3cret"
    sets = [f"--set=tracking.uri={url}", f"--set=hpo.storage={url}"]
    hidden = "postgresql://anna:***@db/x?sslpassword=***"
    text, shown = (
        gravecli("config", *more, *sets, cwd=tmp_path).stdout for more in ((), ("--json",))
    )
    assert text.count(hidden) == shown.count(hidden) == 2
    refused = gravecli("config", f"--set=data.channels={url.replace(' ', '')}", cwd=tmp_path)
    assert_refused(refused, "data.channels", "anna:***@db")
    assert "s3cret" not in text + shown + refused.stderr


def test_model_info_shows_the_input_scores_and_thresholds_of_a_model(
    trained: Settings, tmp_path: Path
) -> None:
    uri = f"tracking.uri=sqlite:///{trained.work_dir / 'mlflow.db'}"
    text = gravecli("model-info", "tiny", "--set", uri, cwd=tmp_path).stdout
    for word in ("rgb+dem height", "0.1 m", "val/dice", "min_area_m2", "unet"):
        assert word in text


def test_sample_data_can_be_identified(tmp_path: Path) -> None:
    made = gravecli("sample-data", "d", "--cemeteries", 1, "--size-m", 10, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "sample_01" in made.stdout
    identity = gravecli("dataset-id", "d", cwd=tmp_path).stdout
    assert len(identity.strip()) == 8
    assert int(identity, 16) >= 0


def test_version() -> None:
    result = gravecli("--version", cwd=Path.cwd())
    assert result.stdout.startswith("gravecli ")


def write_raster(path: Path, count: int = 3, **profile: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {
        "driver": "GTiff",
        "width": 40,
        "height": 40,
        "dtype": "uint8",
        "crs": "EPSG:25832",
        "transform": from_origin(500_000, 5_300_000, 0.05, 0.05),
        **profile,
    }
    with rasterio.open(path, "w", count=count, **options) as dataset:
        dataset.write(np.ones((count, 40, 40), options["dtype"]))


def one_cemetery(root: Path, **raster: object) -> Path:
    """A data folder with one orthophoto and a mask with a grave."""
    write_raster(root / "orthophotos" / "anna.tif", **raster)
    write_raster(root / "masks" / "anna.tif", count=1)
    return root


def test_a_missing_data_folder_is_refused(tmp_path: Path) -> None:
    result = gravecli("train", "--data", "nowhere", cwd=tmp_path)
    assert_refused(result, "nowhere", "missing", "--data")
    assert list(tmp_path.iterdir()) == []


def test_an_orthophoto_without_labels_is_refused(tmp_path: Path) -> None:
    write_raster(tmp_path / "data" / "orthophotos" / "anna.tif")
    result = gravecli("train", cwd=tmp_path)
    assert_refused(result, "anna.tif", "no annotations", "annotations/anna.gpkg")


def test_a_missing_dem_is_refused(tmp_path: Path) -> None:
    one_cemetery(tmp_path / "data")
    result = gravecli("train", "--channels", "rgb+dem", cwd=tmp_path)
    assert_refused(result, "anna.tif", "no DEM", "--channels rgb")


def test_an_orthophoto_without_a_crs_is_refused(tmp_path: Path) -> None:
    one_cemetery(tmp_path / "data", crs=None)
    assert_refused(gravecli("train", cwd=tmp_path), "anna.tif", "no CRS")


def test_a_wrong_band_count_is_refused(tmp_path: Path) -> None:
    one_cemetery(tmp_path / "data", count=2)
    assert_refused(gravecli("train", cwd=tmp_path), "anna.tif", "2 band")


def test_an_orthophoto_that_is_no_raster_is_refused(tmp_path: Path) -> None:
    one_cemetery(tmp_path / "data")
    (tmp_path / "data" / "orthophotos" / "anna.tif").write_text("not a raster")
    assert_refused(gravecli("train", cwd=tmp_path), "anna.tif", "cannot be opened")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "training.epoch=3"], ["unknown setting training.epoch", "--set"]),
        (["--epochs", "0"], ["training.epochs", "greater than or equal to 1"]),
        (["--channels", "rgba"], ["data.channels"]),
        (["--max-time", "soon"], ["duration", "soon"]),
        (["--config", "none.toml"], ["none.toml", "missing"]),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    assert_refused(gravecli("train", *arguments, cwd=tmp_path), *words)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_model_is_refused(sample_data: Path, tmp_path: Path) -> None:
    orthophoto = sample_data / "orthophotos" / "sample_01.tif"
    result = gravecli("predict-cemetery", orthophoto, "--model", "nobody", cwd=tmp_path)
    assert_refused(result, "nobody", "no such model")
    assert list(tmp_path.iterdir()) == []


def test_runs_are_listed_as_a_table_and_for_programs(trained: Settings, tmp_path: Path) -> None:
    where = ["--set", f"work_dir={trained.work_dir}"]
    table = gravecli("runs", *where, cwd=tmp_path)
    assert table.returncode == 0, table.stderr
    for word in ("tiny", "rgb+dem", "FINISHED", "best dice"):
        assert word in table.stdout
    (row,) = json.loads(gravecli("runs", "--json", *where, cwd=tmp_path).stdout)["runs"]
    assert row["name"] == "tiny"
    assert row["epochs"] == 2


def test_without_runs_the_list_is_refused_and_nothing_made(tmp_path: Path) -> None:
    assert_refused(gravecli("runs", cwd=tmp_path), "no runs are recorded", "gravecli train")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("work_dir")
def test_a_training_stopped_by_ctrl_c_goes_on_with_resume(
    sample_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    process = start_gravecli("train", "--name", "long", "--epochs", 90, *SETS, cwd=tmp_path)
    assert process.stderr is not None
    assert any("epoch 2/90" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopping. `gravecli train --resume long` goes on" in said
    (row,) = json.loads(gravecli("runs", "--json", cwd=tmp_path).stdout)["runs"]
    assert (row["status"], row["is_resumable"]) == ("KILLED", True)
    went_on = gravecli("train", "--resume", "long", "--epochs", 4, cwd=tmp_path)
    assert went_on.returncode == 0, went_on.stderr
    assert f"run        long ({row['run_id']})" in went_on.stdout
    assert "view with: gravecli dashboard --mlflow" in went_on.stdout
    assert "graves version 1 is champion: there was none" in went_on.stderr
    (row,) = json.loads(gravecli("runs", "--json", cwd=tmp_path).stdout)["runs"]
    assert (row["status"], row["epochs"]) == ("FINISHED", 4)
    assert gravecli("runs", "--prune", cwd=tmp_path).stdout == "nothing to remove\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--resume", "tiny"], ["run tiny has finished", "--init-from tiny"]),
        (["--resume", "nobody"], ["no such run: nobody"]),
        (["--resume", "tiny", "--name", "other"], ["--resume cannot be combined", "--name"]),
        (["--init-from", "models:/urns@champion"], ["models:/urns@champion", "no such model"]),
        (["--name", "starter"], ["a run cannot be named starter", "--name"]),
    ],
)
def test_what_cannot_be_a_start_is_refused(
    trained: Settings, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    where = ["--set", f"work_dir={trained.work_dir}"]
    assert_refused(gravecli("train", *arguments, *where, cwd=tmp_path), *words)


def test_a_threshold_that_is_set_leaves_the_model_s_others_alone(trained: Settings) -> None:
    from grave_cli.api.prediction import chosen_thresholds
    from grave_cli.settings.load import load_settings
    from grave_cli.tracking.models import FoundModel, resolve_model

    bundle = resolve_model("tiny", trained).bundle
    tuned = bundle.card.decoding.model_copy(update={"body_threshold": 0.37, "min_area_m2": 0.22})
    card = bundle.card.model_copy(update={"decoding": tuned})
    found = FoundModel(bundle.model_copy(update={"card": card}), "here")
    loaded = load_settings(assignments=["prediction.decoding.min_area_m2=4"], environ={})
    chosen = chosen_thresholds(loaded, found)
    assert (chosen.body_threshold, chosen.min_area_m2) == (0.37, 4)


@pytest.mark.parametrize("name", ["PROJ_DATA", "PROJ_LIB", "GDAL_DATA"])
def test_data_folders_of_another_geographic_program_do_no_harm(
    sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """QGIS, PostGIS and conda set them; a CRS was then "not tied to the Earth"."""
    monkeypatch.setenv(name, str(tmp_path))
    checked = finish(start_gravecli("check", sample_data, cwd=tmp_path))
    assert checked.returncode == 0, checked.stdout


def test_a_command_to_copy_has_its_names_in_quotes(tmp_path: Path) -> None:
    made = gravecli("sample-data", "my data", "--cemeteries", 1, "--size-m", 10, cwd=tmp_path)
    assert made.stdout.endswith("gravecli train --data 'my data' --channels rgb+dem\n")
