"""The data set of a run, read back as MLflow's own Dataset."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from image_store import runs_of
from support import tiny_settings

from grave_cli.dataset.training_data import plan_training
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.dataset_input import dataset_digest, dataset_table


def test_a_training_has_its_data_set_as_input(trained: Settings) -> None:
    (run,) = runs_of(trained)
    (given,) = run.inputs.dataset_inputs
    plan = plan_training(trained)
    assert given.dataset.name == f"dataset_{run.data.params['dataset_id']}"
    assert given.dataset.digest == dataset_digest(plan)
    assert {tag.key: tag.value for tag in given.tags} == {"mlflow.data.context": "training"}
    assert json.loads(given.dataset.source)["uri"] == trained.data.root.resolve().as_uri()
    assert json.loads(given.dataset.profile)["num_rows"] == 3  # cemeteries, a split each
    columns = [column["name"] for column in json.loads(given.dataset.schema)["mlflow_colspec"]]
    assert columns == ["cemetery", "split", "graves", "area_m2", "gsd_m"]


def test_the_digest_stays_with_the_data_and_changes_with_split_and_gsd(
    sample_data: Path, tmp_path: Path
) -> None:
    settings = tiny_settings(sample_data, tmp_path / "runs")
    plan = plan_training(settings)
    digest = dataset_digest(plan)
    shutil.copytree(sample_data, tmp_path / "copy")
    copied = tiny_settings(tmp_path / "copy", tmp_path / "runs")
    assert dataset_digest(plan_training(copied)) == digest
    other_split = with_values(settings, {"data.test": ("sample_01",)})
    assert dataset_digest(plan_training(other_split)) != digest
    coarser = with_values(settings, {"grid.gsd_m": 0.2})
    assert dataset_digest(plan_training(coarser)) != digest
    assert dataset_digest(replace(plan, dataset_id="0" * 8)) != digest


def test_the_table_says_how_large_the_parts_are(sample_data: Path, tmp_path: Path) -> None:
    table = dataset_table(plan_training(tiny_settings(sample_data, tmp_path / "runs")))
    assert set(table["split"]) == {"train", "val", "test"}
    assert (table["graves"] > 0).all()
    assert table["area_m2"].max() == pytest.approx(14 * 14, rel=0.05)
