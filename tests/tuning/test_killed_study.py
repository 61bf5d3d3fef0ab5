"""`gravecli hpo`, killed at random points and run again until it is done."""

import json
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import optuna
import psutil
import pytest
from image_store import runs_of
from mlflow.entities import Run
from optuna.trial import FrozenTrial
from postgres import new_database
from support import tiny_settings
from terminal import SETS, start_gravecli

from grave_cli.settings.tree import Settings
from grave_cli.tuning.storage import open_storage

STUDY = ["hpo", "--study", "pilot", "--json", *SETS, "--set", "hpo.heartbeat_s=1"]
_WAIT_S = 600
_TRIES = 4  # of a trial whose process dies each time; then another takes its place


def start(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    return start_gravecli(*STUDY, *arguments, cwd=folder)


def states_of(database: Path) -> Counter[str]:
    """Count a study's trials by state, beside the process that works on it."""
    if not database.is_file():
        return Counter()
    with closing(sqlite3.connect(database)) as file, suppress(sqlite3.OperationalError):
        return Counter(state for (state,) in file.execute("SELECT state FROM trials"))
    return Counter()  # there is no table yet


def await_another_trial(database: Path, process: subprocess.Popen[str]) -> None:
    deadline, before = time.monotonic() + _WAIT_S, states_of(database).total()
    while states_of(database).total() == before:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def result_of(process: subprocess.Popen[str]) -> dict:
    out, said = process.communicate(timeout=_WAIT_S)
    assert process.returncode == 0, said
    return json.loads(out)


def family_of(settings: Settings) -> tuple[Run, dict[str, Run]]:
    """The one parent run, and the runs of its trials by name."""
    runs = runs_of(settings)
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.info.run_name: run for run in runs if run is not parent}
    assert len(children) == len(runs) - 1, "two runs of one trial"
    return parent, children


def trials_of(settings: Settings) -> list[FrozenTrial]:
    storage = open_storage(settings)
    try:
        return optuna.load_study(study_name="pilot", storage=storage).trials
    finally:
        storage.engine.dispose()


def check(settings: Settings, result: dict, wanted: int) -> None:
    trials = trials_of(settings)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    states = Counter(trial.state.name for trial in trials)
    assert states["COMPLETE"] + states["PRUNED"] == result["finished"] == wanted
    assert set(states) <= {"COMPLETE", "PRUNED", "FAIL"}
    assert result["best_value"] == max(one.value for one in trials if one.value is not None)
    done = [trial.params for trial in trials if trial.state.name != "FAIL"]
    failed = [one.params for one in trials if one.state.name == "FAIL" and one.params]
    for params in failed:
        assert params in done or failed.count(params) == _TRIES, f"{params} was lost"
    parent, children = family_of(settings)
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["best_value"] == result["best_value"]
    statuses = {"COMPLETE": ("FINISHED",), "PRUNED": ("KILLED",), "FAIL": ("KILLED", "FAILED")}
    for trial in trials:
        run = children.pop(f"pilot-{trial.number}", None)
        if run is None:  # killed before its run was opened
            assert trial.state.name == "FAIL"
            continue
        assert run.info.status in statuses[trial.state.name]
        assert run.data.tags["optuna.state"] == trial.state.name
        assert run.data.tags["optuna.trial"] == str(trial.number)
    assert not children


@pytest.mark.usefixtures("work_dir")
@pytest.mark.parametrize(
    ("wanted", "kills", "epochs"),
    [(3, 1, "1"), pytest.param(20, 6, "1..3", marks=[pytest.mark.slow, pytest.mark.timeout(1200)])],
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
    process.communicate(timeout=_WAIT_S)
    assert process.returncode == 130
    assert not [one for one in family if one.is_running() and one.status() != "zombie"]
    assert "RUNNING" not in {trial.state.name for trial in trials_of(settings)}
    check(settings, result_of(start(arguments, tmp_path)), wanted=6)


def await_worker(process: subprocess.Popen[str], settings: Settings) -> psutil.Process:
    """Return a worker's process once trials run in several."""
    deadline = time.monotonic() + _WAIT_S
    running = 0
    while running < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
        with suppress(KeyError):  # the study is not there yet
            running = [trial.state.name for trial in trials_of(settings)].count("RUNNING")
    children = psutil.Process(process.pid).children()
    return next(one for one in children if "spawn_main" in " ".join(one.cmdline()))
