"""Runs and stores shared by computers: the living are left alone, the dead write no more."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from node import HERE, become
from support import tiny_settings

from grave_cli.errors import InUseError, TrackingError
from grave_cli.settings.tree import Settings
from grave_cli.tracking.listing import list_runs
from grave_cli.tracking.store import open_client
from grave_cli.tracking.unfinished import unfinished_runs

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows stops no process")

TRAINING = """
import sys
from pathlib import Path
from node import become
from support import tiny_settings
from grave_cli.errors import GraveError
from grave_cli.tracking.runs import tracked_run

become("office-2")
folder = Path(sys.argv[1])
try:
    with tracked_run(tiny_settings(folder, folder), "far", {}) as run:
        sys.stdout.write("ready\\n")
        sys.stdout.flush()
        sys.stdin.readline()
        run.log_metrics({"val/dice": 0.5})
except GraveError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def settings(work_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    become(HERE, monkeypatch.setattr, dead_after_s=3)
    return tiny_settings(work_dir, work_dir)


@pytest.fixture
def training(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """A run on another computer."""
    child = subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(settings.work_dir)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    yield child
    child.kill()
    child.communicate()


def status_of(settings: Settings) -> str:
    (row,) = list_runs(settings)
    return row.status


def await_that(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_frozen_training_is_taken_over_and_writes_no_more(
    settings: Settings, training: subprocess.Popen[str]
) -> None:
    assert status_of(settings) == "RUNNING"
    (left,) = unfinished_runs(settings)
    with pytest.raises(TrackingError, match=f"run far is running in .* {training.pid} on office-2"):
        left.check_free()
    # SQLite files are for one computer at a time.
    with pytest.raises(InUseError, match=r"mlflow\.db: in use by .* need a server .tracking\.uri"):
        open_client(settings)
    training.send_signal(signal.SIGSTOP)
    await_that(lambda: status_of(settings) == "KILLED")
    training.send_signal(signal.SIGCONT)
    _, said = training.communicate("\n", timeout=60)
    assert "was taken over, because this process gave no sign of life" in said
    assert len(said.splitlines()) == 1
    assert status_of(settings) == "KILLED"
    (run,) = open_client(settings).search_runs(["0", "1"])
    assert not run.data.metrics
    assert not [path for path in settings.work_dir.rglob(".gravecli-*")]
