"""Commands that are interrupted or killed at random moments, then resumed; and two at once.

Each test ends as if nothing had happened: nothing lost, nothing doubled, nothing left RUNNING, no
file of a dead process, no child without a parent. GRAVECLI_KILLS sets the kills of each command and
signal in the slow tests, GRAVECLI_KILLS_SEED their moments.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from killed_study import STUDY, check
from resumable import arguments as prediction
from resumable import assert_resumed, features, make_place
from support import tiny_settings
from terminal import SETS, gravecli

from grave_cli.errors import TrackingError
from grave_cli.model.bundle import Bundle
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.tree import Settings
from grave_cli.tracking.listing import RunRow, list_runs

KILLS = int(os.environ.get("GRAVECLI_KILLS", "20"))
SEED = int(os.environ.get("GRAVECLI_KILLS_SEED", "0"))
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
WAIT_S = 900
LARGE = 200_000_000
PROGRAM = """
import sys
print("ready", file=sys.stderr, flush=True)
from grave_cli.cli.entry import main
main()
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


class End(NamedTuple):
    """The end of a process."""

    code: int
    out: str
    err: str


class Started:
    """A command in a process group of its own, as a shell starts it."""

    def __init__(self, cwd: Path, *words: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", PROGRAM, *words],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert self._process.stderr is not None
        assert self._process.stderr.readline() == "ready\n"

    def send(self, number: signal.Signals) -> list[psutil.Process]:
        """Send a signal, Ctrl-C to the group as a terminal does; return all processes before."""
        family: list[psutil.Process] = []
        if self._process.poll() is None:
            parent = psutil.Process(self._process.pid)
            family = [parent, *parent.children(recursive=True)]
            if number == signal.SIGINT:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
        return family

    def end(self) -> End:
        out, err = self._process.communicate(timeout=WAIT_S)
        return End(self._process.returncode, out, err)


def run(cwd: Path, *words: str) -> tuple[End, float]:
    """Run a command to its end; return also how long it took, in seconds."""
    begin = time.monotonic()
    end = Started(cwd, *words).end()
    assert end.code == 0, end.err
    return end, time.monotonic() - begin


def kill(cwd: Path, words: list[str], number: signal.Signals, delay_s: float) -> End:
    """Run a command, and send it a signal after a while; nothing of it lives on."""
    started = Started(cwd, *words)
    time.sleep(delay_s)
    family = started.send(number)
    end = started.end()
    assert end.code in (0, -number, 128 + number), (end.code, end.err)
    assert "Traceback" not in end.err
    _, living = psutil.wait_procs(family, timeout=WAIT_S)
    assert not living
    return end


def moments(number: signal.Signals, whole_s: float, kills: int = KILLS) -> Iterator[float]:
    """Draw the moments of kills between the start of a command and its usual end."""
    chance = random.Random(f"{SEED} {number}")
    for _ in range(kills):
        yield chance.uniform(0, whole_s)


def temporary_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".gravecli-*") if "/data/" not in str(path)]


# ---- dataset-id --content


@pytest.fixture(scope="module")
def hashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, float]:
    """A folder with large files, its id, and how long it takes to find it, in seconds."""
    folder = tmp_path_factory.mktemp("hashed")
    write_sample_data(folder / "data", cemeteries=2, size_m=14, seed=3)
    for path in (folder / "data" / "orthophotos").iterdir():
        with path.open("r+b") as file:
            file.truncate(LARGE)
        os.utime(path, (1e9, 1e9))
    (folder / "gravecli.toml").write_text('work_dir = "first"\n')
    end, whole_s = run(folder, "dataset-id", "data", "--content")
    (folder / "gravecli.toml").unlink()
    return folder, end.out, whole_s


def kill_dataset_id(
    hashed: tuple[Path, str, float], number: signal.Signals, delays: Iterator[float]
) -> None:
    folder, known, _ = hashed
    work_dir = f"runs-{number}"
    command = ["dataset-id", "data", "--content", "--set", f"work_dir={work_dir}"]
    for delay_s in delays:
        end = kill(folder, command, number, delay_s)
        assert end.out in ("", known)
    assert gravecli(*command, cwd=folder).stdout == known
    assert temporary_files(folder) == []
    cache = folder / work_dir / "cache" / "content-hashes.json"
    stored = json.loads(cache.read_text())["files"]
    assert sorted(Path(name).name for name in stored if Path(name).suffix == ".tif") != []
    assert gravecli(*command, cwd=folder).stdout == known  # from the cache


@pytest.mark.parametrize("number", SIGNALS)
def test_a_killed_dataset_id_is_found_again(
    hashed: tuple[Path, str, float], number: signal.Signals
) -> None:
    kill_dataset_id(hashed, number, moments(number, hashed[2], kills=1))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_dataset_id_killed_at_random_moments_is_found_again(
    hashed: tuple[Path, str, float], number: signal.Signals
) -> None:
    kill_dataset_id(hashed, number, moments(number, hashed[2]))


def test_two_that_hash_the_same_files_are_both_right(hashed: tuple[Path, str, float]) -> None:
    folder, known, _ = hashed
    command = ("dataset-id", "data", "--content", "--set", "work_dir=both")
    both = [Started(folder, *command) for _ in range(2)]
    assert [end.end()[:2] for end in both] == [(0, known)] * 2
    assert temporary_files(folder) == []


# ---- predict-cemetery


@pytest.fixture(scope="module")
def place(untrained: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_place(tmp_path_factory.mktemp("kills"), untrained)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_prediction_killed_at_random_moments_is_resumed(
    place: Path, number: signal.Signals
) -> None:
    _, whole_s = run(place, *prediction("first.gpkg"))
    (place / "first.gpkg").unlink()
    for delay_s in moments(number, whole_s):
        kill(place, prediction("killed.gpkg"), number, delay_s)
        if (place / "killed.gpkg").exists():  # whole, because it appears at once
            assert features(place / "killed.gpkg") == features(place / "whole.gpkg")
            (place / "killed.gpkg").unlink()
        assert_resumed(place)


@pytest.mark.slow
def test_two_predictions_of_the_same_are_both_right(place: Path) -> None:
    both = [Started(place, *prediction(name)) for name in ("one.gpkg", "two.gpkg")]
    ends = [one.end() for one in both]
    assert [end.code for end in ends] == [0, 0], [end.err for end in ends]
    for name in ("one.gpkg", "two.gpkg"):
        assert features(place / name) == features(place / "whole.gpkg")
        (place / name).unlink()
    assert {path.name for path in place.iterdir()} == {"data", "model", "whole.gpkg"}


# ---- train

TRAIN = ["train", "--channels", "rgb+dem", *SETS, "--set", "training.epochs=4"]


@pytest.fixture(scope="module")
def training(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, float]:
    """The result of an uninterrupted training, and how long it takes, in seconds."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "data").symlink_to(sample_data)
    end, whole_s = run(folder, *TRAIN, "--json", "--name", "whole")
    return json.loads(end.out), whole_s


def settings_in(folder: Path, data: Path) -> Settings:
    return tiny_settings(data, folder / "runs")


def rows_in(folder: Path, data: Path) -> list[RunRow]:
    settings = settings_in(folder, data)
    if not (folder / "runs" / "mlflow.db").exists():
        return []
    with suppress(TrackingError):  # killed before the experiment was there
        return list_runs(settings, limit=1000)
    return []


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("number", SIGNALS)
def test_a_training_killed_at_random_moments_is_resumed(
    training: tuple[dict, float], sample_data: Path, tmp_path: Path, number: signal.Signals
) -> None:
    known, whole_s = training
    (tmp_path / "data").symlink_to(sample_data)
    results = []

    def command() -> list[str]:
        rows = rows_in(tmp_path, sample_data)
        assert {row.status for row in rows} <= {"FINISHED", "KILLED"}
        left = [row.run_id for row in rows if row.is_resumable]
        assert len(left) <= 1
        return [*TRAIN, "--json", *(["--resume", left[0]] if left else ["--name", "killed"])]

    for delay_s in moments(number, whole_s):
        end = kill(tmp_path, command(), number, delay_s)
        if end.code == 0:
            results.append(json.loads(end.out))
    while not results or any(row.is_resumable for row in rows_in(tmp_path, sample_data)):
        results.append(json.loads(run(tmp_path, *command())[0].out))
    for found in results:
        assert found["metrics"] == known["metrics"]
        assert found["epochs"] == known["epochs"]
    rows = rows_in(tmp_path, sample_data)
    finished = [row for row in rows if row.status == "FINISHED"]
    # One that is killed after the end of its run, while it still closes, says nothing.
    assert {found["run_id"] for found in results} <= {row.run_id for row in finished}
    assert len({(row.epochs, row.best_dice, row.test_object_f1) for row in finished}) == 1
    assert {row.status for row in rows} <= {"FINISHED", "KILLED"}
    assert list((tmp_path / "runs" / "unfinished").iterdir()) == []
    assert temporary_files(tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_trainings_in_one_folder_are_both_right(
    training: tuple[dict, float], sample_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    # Arrays in files, which both make; the first start of the store, which both make.
    command = [*TRAIN, "--json", "--set", "chips.max_memory_gb=1e-9"]
    both = [Started(tmp_path, *command, "--name", name) for name in ("one", "two")]
    for started in both:
        end = started.end()
        assert end.code == 0, end.err
        assert json.loads(end.out)["metrics"] == training[0]["metrics"]
    rows = rows_in(tmp_path, sample_data)
    assert sorted((row.name, row.status) for row in rows) == [
        ("one", "FINISHED"),
        ("two", "FINISHED"),
    ]
    assert temporary_files(tmp_path) == []


# ---- hpo


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("workers", [1, 4])
def test_a_study_killed_at_random_moments_goes_on(
    sample_data: Path, tmp_path: Path, workers: int, number: signal.Signals
) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    settings, wanted = settings_in(tmp_path, sample_data), 6
    command = [*STUDY, "--trials", str(wanted), "--epochs", "1", "--workers", str(workers)]
    begin = time.monotonic()
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "data").symlink_to(sample_data)
    run(tmp_path / "first", *command)
    for delay_s in moments(number, time.monotonic() - begin):
        kill(tmp_path, command, number, delay_s)
    end, _ = run(tmp_path, *command)
    check(settings, json.loads(end.out), wanted)
    assert {row.status for row in rows_in(tmp_path, sample_data)} == {"FINISHED"}
    assert temporary_files(tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_processes_on_one_study_end_with_what_was_asked_for(
    sample_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    command = [*STUDY, "--trials", "5", "--epochs", "1"]
    both = [Started(tmp_path, *command) for _ in range(2)]
    for started in both:
        end = started.end()
        assert end.code == 0, end.err
    check(settings_in(tmp_path, sample_data), json.loads(end.out), 5)
    assert temporary_files(tmp_path) == []
