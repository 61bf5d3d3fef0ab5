"""`gravecli hpo`, killed at random points and run again until it is done."""

import random
import signal
import time
from pathlib import Path

import psutil
import pytest
from killed_study import (
    WAIT_S,
    await_another_trial,
    await_worker,
    check,
    result_of,
    start,
    trials_of,
)
from postgres import new_database
from support import tiny_settings


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("work_dir")
@pytest.mark.parametrize(
    ("wanted", "kills", "epochs"),
    [(3, 1, "1"), (20, 6, "1..3")],  # more is in robustness/test_kills.py; here trials are pruned
)
def test_a_study_killed_at_random_points_ends_with_what_was_asked_for(
    sample_data: Path, tmp_path: Path, wanted: int, kills: int, epochs: str
) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    database = tmp_path / "runs" / "optuna.db"
    arguments = ["--trials", str(wanted), "--epochs", epochs]
    arguments += ["--set", "hpo.studies.pilot.startup_trials=3"]
    arguments += ["--set", "hpo.studies.pilot.warmup_epochs=0"]
    chance = random.Random(0)
    for _ in range(kills):
        process = start(arguments, tmp_path)
        await_another_trial(database, process)
        time.sleep(chance.uniform(0, 2))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    process = start(arguments, tmp_path)
    result = result_of(process)
    check(tiny_settings(sample_data, tmp_path / "runs"), result, wanted)


@pytest.mark.slow
def test_four_workers_on_postgresql_one_of_which_is_killed(
    postgres: str, sample_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    storage = new_database(postgres, "hpo")
    settings = tiny_settings(sample_data, tmp_path / "runs", hpo__storage=storage)
    arguments = ["--trials", "8", "--workers", "4", "--epochs", "1", "--storage", storage]
    process = start(arguments, tmp_path)
    victim = await_worker(process, settings)
    victim.kill()
    check(settings, result_of(process), wanted=8)


@pytest.mark.slow
def test_ctrl_c_gives_the_trials_of_all_workers_back(sample_data: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    settings = tiny_settings(sample_data, tmp_path / "runs")
    arguments = ["--trials", "6", "--workers", "2", "--epochs", "1"]
    process = start(arguments, tmp_path)
    await_worker(process, settings)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT_S)
    assert process.returncode == 130
    _, living = psutil.wait_procs(family, timeout=WAIT_S)  # the tracker of resources ends last
    assert not living
    assert "RUNNING" not in {trial.state.name for trial in trials_of(settings)}
    check(settings, result_of(start(arguments, tmp_path)), wanted=6)
