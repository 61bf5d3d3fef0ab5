"""Several processes that train one network: who does what, and the same result as one."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import node
import pytest
import torch
from image_store import client_of, runs_of
from ports import unused_port
from support import interrupted_starts, tiny_settings
from terminal import SETS, finish, gravecli, start_gravecli

from grave_cli.errors import SettingsError, TrainingError
from grave_cli.learning.chips import EpochSampler
from grave_cli.learning.datamodule import TileShare
from grave_cli.training import peers
from grave_cli.training.peers import Place, find_place, with_peers
from grave_cli.training.trainer import run_training

SAME = 0.02
"""Largest difference of the training losses of an epoch: each process normalises its own chips."""


@pytest.mark.parametrize(("length", "batch"), [(16, 4), (18, 4), (3, 8), (2, 8), (7, 6)])
def test_each_chip_is_seen_once_and_in_the_batch_of_one_process(length: int, batch: int) -> None:
    shares = [EpochSampler(length, 3, batch, rank, 2).indices for rank in range(2)]
    assert len(shares[0]) == len(shares[1]) > 0
    share = min(batch, length) // 2
    joined = [
        index
        for step in range(len(shares[0]) // share)
        for one in shares
        for index in one[step * share : (step + 1) * share]
    ]
    assert joined == list(range(len(joined)))
    assert length - len(joined) < batch


def test_each_tile_counts_once() -> None:
    class Tiles(list[dict[str, Any]]):
        def __getitem__(self, index: Any) -> Any:
            return {"number": index, "core": torch.ones(1)}

    for count in (1, 2, 5):
        tiles: Any = Tiles([{}] * count)
        shares = [TileShare(tiles, rank, 2) for rank in range(2)]
        assert len(shares[0]) == len(shares[1])
        seen = [share[index] for share in shares for index in range(len(share))]
        assert sorted(one["number"] for one in seen if one["core"].any()) == list(range(count))


def test_places_are_numbered_over_machines(tmp_path: Path) -> None:
    chosen = {"training__devices": 2, "training__nodes": 2}
    settings = tiny_settings(tmp_path, tmp_path, **chosen)
    known = {"NODE_RANK": "1", "MASTER_ADDR": "head", "MASTER_PORT": "29500"}
    place = find_place(settings, known)
    assert (place.rank, place.count, place.address, place.port) == (2, 4, "head", 29500)
    assert find_place(settings, {**known, "SLURM_NODEID": "0"}).node == 1
    for wrong in ({}, {**known, "NODE_RANK": "2"}, {**known, "MASTER_PORT": "x"}):
        with pytest.raises(SettingsError, match="do not know each other"):
            find_place(settings, wrong)
    alone = tiny_settings(tmp_path, tmp_path)
    assert find_place(alone, known) == Place()
    with pytest.raises(SettingsError, match="share a batch evenly"):
        find_place(tiny_settings(tmp_path, tmp_path, training__devices=3), {})


def fail(place: Place) -> None:
    raise ValueError(f"no memory in {place.rank}")


def test_the_failure_of_another_process_ends_this_one() -> None:
    with (
        pytest.raises(TrainingError, match="device 1: no memory in 1"),
        with_peers(Place(devices=2), fail),
    ):
        time.sleep(100)


def test_nobody_is_interrupted_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    failed, has_left = threading.Event(), threading.Event()
    found = []

    def interrupt_late() -> None:
        failed.set()
        found.append(has_left.wait(0.5))

    monkeypatch.setattr(peers, "interrupt_main", interrupt_late)
    line, far_end = multiprocessing.Pipe()
    is_over = peers._Over()
    watching = (line, None, [], is_over)
    watch = threading.Thread(target=peers._watch, args=watching)
    watch.start()
    far_end.send("no memory")
    assert failed.wait(60)
    is_over.set()
    has_left.set()
    watch.join()
    assert found == [False]
    for end in (line, far_end):
        end.close()


def wait(place: Place) -> None:
    time.sleep(100)


def test_ctrl_c_while_processes_start_ends_those_that_have_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = interrupted_starts(monkeypatch)
    with pytest.raises(KeyboardInterrupt), with_peers(Place(devices=3), wait):
        pytest.fail("it went on")
    assert [process.is_alive() for process in started] == [False]


@pytest.mark.slow
def test_two_processes_train_like_one(
    sample_data: Path, new_work_dir: Callable[[Path], Path], tmp_path: Path
) -> None:
    found = []
    for devices in (1, 2):
        work_dir = new_work_dir(tmp_path / f"runs-{devices}")
        chosen = {"chips__batch_size": 8, "chips__per_epoch": 16, "training__devices": devices}
        settings = tiny_settings(sample_data, work_dir, **chosen)
        result = run_training(settings, name="x")
        assert len(runs_of(settings)) == 1
        client = client_of(settings)
        history = client.get_metric_history(result.run_id, "train/loss")
        assert [one.step for one in history] == [1, 2]
        assert client.list_artifacts(result.run_id, "checkpoints")
        found.append([one.value for one in history])
    for one, two in zip(*found, strict=True):
        assert abs(one - two) < SAME


@pytest.mark.slow
def test_a_stopped_training_of_two_processes_goes_on(
    sample_data: Path, work_dir: Path, tmp_path: Path
) -> None:
    how = ("--devices", "2", "--set", f"work_dir={work_dir}", "--data", sample_data)
    process = start_gravecli("train", *SETS, *how, "--epochs", "500", "--name", "t", cwd=tmp_path)
    deadline = time.monotonic() + 200
    while not list(work_dir.rglob("last.ckpt")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert finish(process).returncode == 130
    last = torch.load(next(work_dir.rglob("last.ckpt")), weights_only=True)
    more = ("--epochs", str(last["epoch"] + 2), "--set", f"work_dir={work_dir}")
    result = gravecli("train", "--resume", "t", *more, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"epochs     {last['epoch'] + 2}" in result.stdout


@pytest.mark.slow
def test_two_machines_train_together(sample_data: Path, work_dir: Path, tmp_path: Path) -> None:
    command = ["train", *SETS, "--data", str(sample_data), "--name", "both"]
    command += ["--set", f"work_dir={work_dir}", "--set", "training.nodes=2"]
    known = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(unused_port())}
    machines = [
        subprocess.Popen(
            [sys.executable, node.__file__, f"office-{number}", "60", *command],
            cwd=tmp_path,
            env={**known, "NODE_RANK": str(number)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    first, second = (finish(one) for one in machines)
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "run        both" in first.stdout
    assert "machine 1 has done its part" in second.stdout
    listed = gravecli("runs", "--set", f"work_dir={work_dir}", cwd=tmp_path)
    assert listed.stdout.count("both") == 1
