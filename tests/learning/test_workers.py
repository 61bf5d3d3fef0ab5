"""Processes that prepare chips: the same chips as without them, at no copies of the data."""

import os
import pickle
import signal
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch
from support import tiny_settings
from torch import Tensor
from torch.utils.data import DataLoader

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.dataset.training_data import TrainingData, plan_training, read_training_data
from grave_cli.learning.datamodule import GraveDataModule
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.training.chip_workers import count_workers

HALF = (0.5, 0.5, 0.5)


@pytest.fixture(scope="module")
def settings(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    work_dir = tmp_path_factory.mktemp("workers") / "runs"
    revisits = {"chips__grave_share": 0.2, "chips__revisit_share": 0.9}
    return tiny_settings(sample_data, work_dir, data__channels="rgb+dem", **revisits)


@pytest.fixture(scope="module")
def data(settings: Settings) -> TrainingData:
    return read_training_data(plan_training(settings), settings, in_files=True)


def epoch_of(
    loader: DataLoader[dict[str, Tensor]], module: GraveDataModule, epoch: int
) -> list[dict[str, Tensor]]:
    """The batches of an epoch; then one place becomes a hard example."""
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    batches = list(loader)
    module.chips.hard_examples.add(torch.tensor([[0, 60, 60]]), torch.tensor([0.5]))
    module.chips.hard_examples.end_epoch()
    return batches


def pids(loader: DataLoader[dict[str, Tensor]]) -> list[int]:
    return [worker.pid for worker in loader._iterator._workers]  # type: ignore[union-attr]


def test_any_number_of_workers_prepares_the_same_chips(
    data: TrainingData, settings: Settings
) -> None:
    """Also of hard examples that were found after the workers had started."""
    recipe = InputRecipe.from_settings(settings, HALF, HALF)
    alone, helped = (
        GraveDataModule(data.train, data.val, recipe, settings, workers) for workers in (0, 2)
    )
    alone_loader, helped_loader = alone.train_dataloader(), helped.train_dataloader()
    started = None
    for epoch in (0, 1, 2):
        expected = epoch_of(alone_loader, alone, epoch)
        found = epoch_of(helped_loader, helped, epoch)
        assert len(found) == len(expected) > 0
        for one, other in zip(expected, found, strict=True):
            assert all(torch.equal(one[name], other[name]) for name in one)
        started = started or pids(helped_loader)
        assert pids(helped_loader) == started  # none is started anew
    revisited = torch.cat([batch["place"] for batch in expected])[:, 1:]
    assert ((revisited - 60).abs() <= 0.35 * settings.chips.size_px + 1).all(dim=1).any()


@pytest.mark.skipif(os.name == "nt", reason="Windows blocks no signals")
def test_ctrl_c_does_not_reach_a_worker(
    data: TrainingData, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    """It ends with the training; one that were interrupted as well would show a traceback."""
    recipe = InputRecipe.from_settings(settings, HALF, HALF)
    loader = GraveDataModule(data.train, data.val, recipe, settings, workers=1).train_dataloader()
    batches = iter(loader)
    (pid,) = pids(loader)
    os.kill(pid, signal.SIGINT)  # while Python starts
    next(batches)
    os.kill(pid, signal.SIGINT)
    assert len(list(loader)) > 0
    assert pids(loader) == [pid]
    assert capfd.readouterr().err == ""


def test_mapped_arrays_are_handed_over_by_name(data: TrainingData) -> None:
    part = data.train[0]
    assert isinstance(part.rgb, np.memmap)
    packed = pickle.dumps(part)
    assert len(packed) < part.rgb.nbytes / 10
    assert_same_arrays(pickle.loads(packed), part)


def test_parts_of_mapped_arrays_are_handed_over_as_they_are(data: TrainingData) -> None:
    whole = data.train[0]
    part = replace(whole, rgb=whole.rgb[:, 10:20], valid=whole.valid.copy())
    assert_same_arrays(pickle.loads(pickle.dumps(part)), part)


def assert_same_arrays(one: CemeteryArrays, other: CemeteryArrays) -> None:
    for name in ("rgb", "valid", "elevation", "instances"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=name[0] == "e")


def test_what_a_process_is_sent_fits_into_a_pipe(data: TrainingData, settings: Settings) -> None:
    """So that twenty processes start in the time of one, however many cemeteries there are."""
    recipe = InputRecipe.from_settings(settings, HALF, HALF)
    module = GraveDataModule(data.train * 100, data.val * 100, recipe, settings)
    for dataset in (module.chips, module.tiles):
        assert len(ForkingPickler.dumps(dataset)) < 32_000
    copied = pickle.loads(ForkingPickler.dumps(module.tiles))
    assert torch.equal(copied[5]["input"], module.tiles[5]["input"])


def test_a_cpu_prepares_its_chips_itself_unless_the_settings_ask_for_workers(
    settings: Settings,
) -> None:
    on_cpu = with_values(settings, {"training.device": "cpu", "training.workers": -1})
    assert count_workers(on_cpu) == 0
    assert count_workers(with_values(on_cpu, {"training.workers": 3})) == 3


def test_a_gpu_gets_a_process_for_each_core_that_the_training_may_use_but_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grave_cli.training.chip_workers.training_device", lambda _: "cuda")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert count_workers(with_values(settings, {"training.workers": -1})) == 7
