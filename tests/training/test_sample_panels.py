"""What a training shows of itself, read back from the store."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from image_store import Logged, client_of, images_of, runs_of, size_of
from support import tiny_settings

from grave_cli.learning.metrics import TileScores
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.keys import image_slug
from grave_cli.training import sample_panels as room
from grave_cli.training.sample_panels import SamplePanels
from grave_cli.training.trainer import run_training

NAMES = {"sample_01": "Köln (alt)", "sample_02": "Süd+100%", "sample_03": "plain"}


@pytest.fixture(scope="module")
def strange(
    sample_data: Path,
    new_work_dir: Callable[[Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings whose store holds one finished run for rgb, on cemeteries with difficult names."""
    root = tmp_path_factory.mktemp("strange")
    for path in sorted(sample_data.rglob("sample_*")):
        copy = root / "data" / path.parent.name / f"{NAMES[path.stem[:9]]}{path.name[9:]}"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    chosen = {"training__epochs": 3, "tracking__samples": 2}
    settings = tiny_settings(root / "data", new_work_dir(root / "runs"), **chosen)
    run_training(settings, name="strange")
    return settings


def keys_of(images: list[Logged]) -> set[str]:
    return {image.key for image in images}


def sample_parts(images: list[Logged]) -> Iterator[tuple[str, str]]:
    for key in keys_of(images):
        folder, *rest = key.split("/")
        if folder == "predictions" and len(rest) == 2:
            yield rest[0], rest[1]


def test_rgb_dem_panels_are_logged_by_key_and_epoch(trained: Settings) -> None:
    (run,) = runs_of(trained)
    images = images_of(trained, run.info.run_id)
    assert {i.step for i in images if i.key == "predictions/combined"} == {0, 1, 2}
    parts: dict[str, set[str]] = {}
    for sample, part in sample_parts(images):
        parts.setdefault(sample, set()).add(part)
    assert parts
    for found in parts.values():
        assert found == {"rgb", "dem", "gt_overlay", "pred_heatmap", "error_map"}
    for key in keys_of(images):
        steps = {0} if key.startswith("final/") else {0, 1, 2}
        assert {i.step for i in images if i.key == key} == steps
        assert {i.ending for i in images if i.key == key} == {".png", ".webp"}


def test_rgb_panels_have_no_heights_and_names_are_made_fit_for_keys(strange: Settings) -> None:
    (run,) = runs_of(strange)
    images = images_of(strange, run.info.run_id)
    assert {i.step for i in images if i.key == "predictions/combined"} >= {0, 1, 3}
    parts = set(sample_parts(images))
    assert {part for _, part in parts} == {"rgb", "gt_overlay", "pred_heatmap", "error_map"}
    splits = {part["cemetery"] for part in table_of(strange) if part["split"] == "val"}
    expected = {image_slug(f"{name}-1") for name in splits}
    assert {sample for sample, _ in parts} >= expected


def table_of(settings: Settings) -> list[dict]:
    from grave_cli.dataset.training_data import plan_training
    from grave_cli.tracking.dataset_input import dataset_table

    return dataset_table(plan_training(settings)).to_dict("records")


def test_a_whole_cemetery_s_picture_lies_beside_its_geopackage(
    strange: Settings, tmp_path: Path
) -> None:
    (run,) = runs_of(strange)
    tested = [part["cemetery"] for part in table_of(strange) if part["split"] == "test"]
    images = images_of(strange, run.info.run_id)
    finals = {i.key for i in images if i.key.startswith("final/")}
    assert finals == {f"final/{image_slug(name)}_combined" for name in tested}
    stored = {item.path for item in client_of(strange).list_artifacts(run.info.run_id, "final")}
    assert stored == {f"final/{name}.gpkg" for name in tested}
    sheet = next(i for i in images if i.key in finals and i.ending == ".png")
    assert max(size_of(strange, run.info.run_id, sheet, tmp_path)) <= 2000


def test_nothing_else_is_in_the_run(strange: Settings) -> None:
    (run,) = runs_of(strange)
    found = {item.path for item in client_of(strange).list_artifacts(run.info.run_id)}
    assert found == {"settings.json", "model", "final", "images", "checkpoints"}
    files = [path for path in strange.work_dir.rglob("*") if path.is_file()]
    assert {path.relative_to(strange.work_dir).parts[0] for path in files} == {
        "mlflow.db",
        "artifacts",
    }


def test_speed_and_memory_are_logged_for_each_epoch(strange: Settings) -> None:
    (run,) = runs_of(strange)
    for name in ("epoch_seconds", "samples_per_second", "peak_memory_gb", "learning_rate"):
        history = client_of(strange).get_metric_history(run.info.run_id, name)
        assert [metric.step for metric in history] == [1, 2, 3], name
        assert all(metric.value > 0 for metric in history)
    assert run.data.metrics["epoch"] == 3
    assert run.data.metrics["best_epoch"] in (1, 2, 3)
    assert not any(name.startswith("system/") for name in run.data.metrics)


@pytest.mark.parametrize(
    ("every", "validated", "drawn"),
    [
        (5, range(1, 13), [1, 5, 10]),
        (1, range(1, 4), [1, 2, 3]),
        (5, range(3, 13, 3), [3, 6, 12]),
        (100, range(1, 13), [1]),
    ],
)
@pytest.mark.parametrize("from_start", [True, False])
def test_pictures_are_due_at_the_first_epoch_and_every_few(
    every: int, validated: range, drawn: list[int], from_start: bool
) -> None:
    settings = Settings.model_validate({"tracking": {"images_every": every}})
    panels = SamplePanels(SimpleNamespace(settings=settings), [], None)
    due = []
    if from_start:
        panels.draw(None, 0)
    for epoch in validated:
        if panels._is_due(epoch):
            due.append(epoch)
            panels.draw(None, epoch)
    assert due == drawn


@pytest.mark.usefixtures("work_dir")
def test_the_last_epoch_is_drawn_after_early_stopping(
    sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = TileScores.take
    falling = iter((0.9, 0.8, 0.7, 0.6))
    monkeypatch.setattr(TileScores, "take", lambda self: take(self) | {"val/dice": next(falling)})
    chosen = {"training__epochs": 9, "training__patience": 2, "training__monitor_tolerance": 0}
    settings = tiny_settings(sample_data, tmp_path / "runs", **chosen)
    settings = with_values(settings, {"tracking.images_every": 100})
    result = run_training(settings, finish=True)
    assert result.epochs == 3
    images = images_of(settings, result.run_id)
    assert {i.step for i in images if i.key == "predictions/combined"} == {0, 1, 3}


@pytest.mark.usefixtures("work_dir")
def test_what_is_drawn_are_the_averaged_weights_that_are_validated_and_kept(
    sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[dict[str, torch.Tensor], bool]] = []
    predict = room.predict_samples

    def watch(task, samples, recipe):
        state = {name: value.clone() for name, value in task.network.state_dict().items()}
        seen.append((state, task.training))
        return predict(task, samples, recipe)

    monkeypatch.setattr(room, "predict_samples", watch)
    settings = tiny_settings(
        sample_data, tmp_path / "runs", training__epochs=1, tracking__samples=1
    )
    run_id = run_training(settings).run_id
    (first, _), (drawn, was_training) = seen
    assert not was_training
    assert any(not torch.equal(first[name], drawn[name]) for name in drawn)
    from grave_cli.model.bundle import read_bundle
    from grave_cli.model.export import load_network

    folder = client_of(settings).download_artifacts(run_id, "model", str(tmp_path))
    kept = load_network(read_bundle(Path(folder))).state_dict()
    for name, value in kept.items():
        assert torch.allclose(value.float(), drawn[name].float(), atol=1e-6), name


@pytest.mark.usefixtures("work_dir")
def test_trials_and_runs_without_samples_draw_nothing(sample_data: Path, tmp_path: Path) -> None:
    trial = tiny_settings(sample_data, tmp_path / "runs", training__epochs=1)
    run_id = run_training(trial, finish=False).run_id
    assert images_of(trial, run_id) == []
    without = tiny_settings(sample_data, tmp_path / "runs", training__epochs=1, tracking__samples=0)
    run_id = run_training(without).run_id
    assert {key.split("/")[0] for key in keys_of(images_of(without, run_id))} == {"final"}
    assert len(runs_of(without)) == 2


@pytest.mark.usefixtures("work_dir")
def test_the_machine_s_load_is_recorded_when_asked_for(
    sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    settings = tiny_settings(
        sample_data, tmp_path / "runs", tracking__system_metrics=True, training__epochs=1
    )
    run_training(settings, finish=False)
    (run,) = runs_of(settings)
    assert run.data.metrics["system/system_memory_usage_megabytes"] > 0
    assert run.info.status == "FINISHED"
