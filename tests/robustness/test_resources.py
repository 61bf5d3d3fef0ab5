"""What a machine may lack: memory, a home, permissions, a wide terminal, an answering server.

Full disks are in `tests/cli/test_full_disk.py`, closed outputs in `tests/cli/test_streams.py`,
silent servers in `tests/tracking/test_broken_stores.py` and `tests/tuning/test_storage.py`.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from office import CHECK, DEM, ORTHOPHOTO, PREDICT, TINY_SETS, TRAIN, content
from ports import unused_port
from support import another_account
from terminal import PROGRAM, assert_refused, gravecli

from grave_cli.errors import OutOfMemoryError, memory_fault
from grave_cli.training.device import memory_named

EVALUATE = "evaluate drawn/prediction.gpkg drawn/truth.gpkg -q"
WITHIN = (
    "import resource, sys\n"
    "limit = int(sys.argv.pop(1)) << 20\n"
    "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
)
IS_UNIX = os.name != "nt"


# Coverage needs memory of its own when a process ends.
UNMEASURED = {"COVERAGE_PROCESS_CONFIG": None, "COVERAGE_PROCESS_START": None}


def run(
    command: str, cwd: Path, *before: object, program: str = PROGRAM, **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own; None removes a variable."""
    variables = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, before), *shlex.split(command)],
        cwd=cwd,
        env={name: value for name, value in variables.items() if value is not None},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=200,
        check=False,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to the limit")
@pytest.mark.parametrize(
    ("command", "limit_mb"),
    [(CHECK, 200), (PREDICT, 300), (EVALUATE, 300)],
    ids=lambda one: str(one)[:8],
)
def test_too_little_memory_is_one_line(office: Path, command: str, limit_mb: int) -> None:
    before = content(office)
    result = run(command, office, limit_mb, program=WITHIN + PROGRAM, **UNMEASURED)
    assert result.returncode == 1, result.stderr
    assert result.stdout == ""
    # Libraries say more when they are loaded, and Python when it ends without memory.
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("gravecli: "))
    assert line.startswith("gravecli: not enough memory: ")
    assert "; close other programs" in line
    assert "Traceback" not in result.stderr
    assert content(office) == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to the limit")
@pytest.mark.parametrize("limit_mb", [150, 300, 500, 800, 1200, 2000])
@pytest.mark.parametrize("command", [CHECK, PREDICT, TRAIN, EVALUATE], ids=lambda text: text[:8])
def test_any_limit_of_memory_is_enough_or_one_line(
    office: Path, command: str, limit_mb: int
) -> None:
    result = run(command, office, limit_mb, program=WITHIN + PROGRAM, **UNMEASURED)
    if result.returncode:
        assert result.returncode == 1, result.stderr
        assert "\ngravecli: not enough memory" in f"\n{result.stderr}"
    assert "Traceback" not in result.stderr


def test_exhausted_memory_is_found_behind_other_errors() -> None:
    last = RuntimeError("the run cannot be closed")
    last.__context__ = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")
    assert "you tried 9 bytes" in (memory_fault(last) or "")
    assert memory_fault(MemoryError()) == "memory is exhausted"
    assert memory_fault(ValueError("wrong")) is None


@pytest.mark.parametrize(
    "words",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8 GiB",
        "HIP out of memory. Tried to allocate 2.00 GiB",
        "CUDA error: out of memory",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "GET was unable to find an engine to execute this computation",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "MPS backend out of memory (MPS allocated: 9.05 GB, other allocations: 1 MB)",
        "Invalid buffer size: 18.00 GB",
        "[enforce fail at alloc_cpu.cpp:80] DefaultCPUAllocator: not enough memory: you tried",
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : bad allocation",
    ],
)
def test_exhausted_memory_is_recognised_on_every_device(words: str) -> None:
    assert memory_fault(RuntimeError(words)) == words
    with pytest.raises(OutOfMemoryError, match=r"batches of 4.*chips\.batch_size"), memory_named(4):
        raise RuntimeError(words)


def test_another_fault_of_a_training_keeps_its_words() -> None:
    with pytest.raises(RuntimeError, match="size mismatch"), memory_named(4):
        raise RuntimeError("size mismatch")


@pytest.mark.parametrize("home", [None, "nowhere", "notes.txt"])
@pytest.mark.parametrize("command", [CHECK, PREDICT], ids=lambda text: text.split()[0])
def test_no_home_is_needed(office: Path, command: str, home: str | None) -> None:
    where = None if home is None else str(office / home)
    names = ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    result = run(command, office, **dict.fromkeys(names, where))
    assert result.returncode == 0, result.stderr
    assert not (office / "nowhere").exists()
    assert (office / "notes.txt").read_text() == "not to be lost"


@pytest.mark.parametrize(
    "command", ["--help", "predict-cemetery --help", CHECK, EVALUATE, "config"]
)
def test_a_narrow_ascii_terminal_shows_everything(office: Path, command: str) -> None:
    narrow = {"COLUMNS": "20", "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "TERM": "dumb"}
    result = run(command, office, **narrow, PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout


@pytest.fixture
def shared(office: Path) -> Iterator[Path]:
    """A copy of the office that other accounts may read; nothing above it keeps them out."""
    with TemporaryDirectory() as folder:
        copy = Path(folder, "office")
        shutil.copytree(office, copy, symlinks=False)
        for path in (Path(folder), copy, *copy.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield copy


# A command -> words of its line.
READ_ONLY = {
    PREDICT: ["anna.gpkg"],
    f"{PREDICT} --out new.gpkg": ["new.gpkg", "Permission denied"],
    f"{PREDICT} --out /tmp/none/x.gpkg --preview new.png": ["new.png", "Permission denied"],
    "sample-data new --cemeteries 1 --size-m 10 -q": ["new", "Permission denied"],
    "config --init": ["gravecli.toml", "Permission denied"],
    f"{EVALUATE} --report new.html": ["new.html", "Permission denied"],
    "dataset-id data --manifest new.json": ["new.json", "Permission denied"],
}


@pytest.mark.skipif(not IS_UNIX, reason="accounts of Unix")
@pytest.mark.parametrize("command", READ_ONLY, ids=lambda text: text.replace(TINY_SETS, "…"))
def test_a_read_only_folder_is_one_line(shared: Path, command: str) -> None:
    before = content(shared)
    with another_account():
        result = gravecli(*shlex.split(command), cwd=shared)
    assert_refused(result, *READ_ONLY[command])
    assert result.stderr.count("\n") == 1
    assert content(shared) == before


UNREADABLE = {
    ORTHOPHOTO: [PREDICT, TRAIN, CHECK],
    DEM: [f"{PREDICT} --dem {DEM}", f"{TRAIN} --channels rgb+dem"],
    "data": [TRAIN, CHECK, "dataset-id data"],
    "data/orthophotos": [TRAIN, CHECK, "dataset-id data"],
    "data/annotations": [TRAIN, CHECK, "dataset-id data"],
    "data/annotations/anna.gpkg": [TRAIN, CHECK],
    "drawn/truth.gpkg": [EVALUATE, f"{PREDICT} --truth drawn/truth.gpkg"],
    "anna.gpkg": ["verify anna.gpkg", "tidy anna.gpkg"],
    "model": ["model-info model", PREDICT],
    "model/model.onnx": [PREDICT],
    "notes.txt": ["config --config notes.txt", "dataset-id data --diff notes.txt"],
}


@pytest.mark.skipif(not IS_UNIX, reason="accounts of Unix")
@pytest.mark.parametrize(
    ("name", "command"),
    [(name, command) for name, commands in UNREADABLE.items() for command in commands],
    ids=lambda text: text.replace(TINY_SETS, "…"),
)
def test_what_may_not_be_read_is_named(shared: Path, name: str, command: str) -> None:
    shared.chmod(0o777)
    (shared / name).chmod(0)
    with another_account():
        result = gravecli(*shlex.split(command), cwd=shared)
    said = result.stdout + result.stderr
    assert result.returncode == 2, said
    assert "Traceback" not in said
    assert Path(name).stem in said
    if not command.startswith("check"):
        assert result.stderr.count("\n") == 1, result.stderr


@pytest.mark.parametrize("scheme", ["http", "postgresql+psycopg"])
@pytest.mark.parametrize("command", ["runs", "model-info nobody", "train --resume a"])
def test_a_refused_store_is_one_line_without_its_password(
    office: Path, command: str, scheme: str
) -> None:
    url = f"{scheme}://anna:s3cret@127.0.0.1:{unused_port()}/x"
    sets = ["--set", f"tracking.uri={url}", "--set", "tracking.wait_s=5"]
    result = gravecli(*shlex.split(command), *sets, cwd=office)
    assert_refused(result, "anna:***@127.0.0.1", "tracking.uri")
    assert "s3cret" not in result.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of Unix")
@pytest.mark.parametrize("command", ["verify", "tidy"])
def test_a_pipe_in_the_place_of_a_map_is_not_waited_for(office: Path, command: str) -> None:
    os.mkfifo(office / "pipe.gpkg")
    assert_refused(gravecli(command, "pipe.gpkg", cwd=office), "pipe.gpkg", "a file")
