"""A study whose processes are killed: its command, and what must be true of it in the end."""

import json
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import optuna
import psutil
from image_store import runs_of
from mlflow.entities import Run
from optuna.trial import FrozenTrial
from terminal import SETS, start_gravecli

from grave_cli.settings.tree import Settings
from grave_cli.tuning.storage import open_storage

STUDY = ["hpo", "--study", "pilot", "--json", *SETS, "--set", "hpo.heartbeat_s=1"]
WAIT_S = 600
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
    deadline, before = time.monotonic() + WAIT_S, states_of(database).total()
    while states_of(database).total() == before:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def result_of(process: subprocess.Popen[str]) -> dict:
    out, said = process.communicate(timeout=WAIT_S)
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


def await_worker(process: subprocess.Popen[str], settings: Settings) -> psutil.Process:
    """Return a worker's process once trials run in several."""
    deadline = time.monotonic() + WAIT_S
    running = 0
    while running < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
        with suppress(KeyError):  # the study is not there yet
            running = [trial.state.name for trial in trials_of(settings)].count("RUNNING")
    children = psutil.Process(process.pid).children()
    return next(one for one in children if "spawn_main" in " ".join(one.cmdline()))
