"""A full disk is one line, and nothing of the new file is left. Needs Linux's `unshare`."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from deliveries import GRAVES, write
from terminal import PROGRAM, SETS, gravecli
from tidy_scene import delete, edit, grave_id, write_map

from grave_cli.model.bundle import Bundle

NAMESPACE = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
FULL = "cannot be written: No space left on device; free some disk space"
Run = Callable[..., subprocess.CompletedProcess[str]]


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    trial = [*NAMESPACE, "mount -t tmpfs -o size=4k tmpfs /mnt"]
    return subprocess.run(trial, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not can_mount(), reason="no file system can be mounted here")


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Run:
    """Run a command while `small` is a disk of some KB; list what it leaves there on stdout."""
    (tmp_path / "small").mkdir()

    def run(size_kb: int, *arguments: object, prepare: str = "true") -> object:
        program = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
        script = (
            f"mount -t tmpfs -o size={size_kb}k tmpfs small && {prepare}\n"
            '"$@" >/dev/null; code=$?; find small -mindepth 1; exit $code'
        )
        return subprocess.run(
            [*NAMESPACE, script, "sh", *program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run  # type: ignore[return-value]


def assert_one_line(result: subprocess.CompletedProcess[str], path: str) -> None:
    assert result.returncode == 2, result.stderr
    assert result.stderr == f"gravecli: {path}: {FULL}\n"


def test_a_map_and_its_preview(
    on_small_disk: Run, sample_data: Path, untrained: Bundle, tmp_path: Path
) -> None:
    orthophoto = sample_data / "orthophotos" / "sample_01.tif"
    command = ["predict-cemetery", orthophoto, "--model", untrained.folder, "-q", *SETS]
    result = on_small_disk(100, *command, "--out", "small/a.gpkg")
    assert_one_line(result, "small/a.gpkg")
    assert result.stdout == ""
    result = on_small_disk(4, *command, "--out", "a.gpkg", "--preview", "small/a.png")
    assert result.stderr == f"gravecli: small/a.png: {FULL}; the map is in a.gpkg\n"
    assert (tmp_path / "a.gpkg").is_file()


@pytest.mark.parametrize("room", [0.5, 1.05])
def test_a_map_that_is_tidied(on_small_disk: Run, tmp_path: Path, room: float) -> None:
    """The copy, or the layer that is added to it, does not fit."""
    (tmp_path / "anna.tif").write_bytes(b"pixels")
    write_map(tmp_path / "anna.gpkg", tmp_path / "anna.tif")
    edit(tmp_path / "anna.gpkg", delete(grave_id(1, 1)))
    kilobytes = round((tmp_path / "anna.gpkg").stat().st_size / 1024 * (1 + room))
    result = on_small_disk(kilobytes, "tidy", "small/anna.gpkg", prepare="cp anna.gpkg small")
    assert_one_line(result, "small/anna.gpkg")
    assert result.stdout == "small/anna.gpkg\n"


def test_sample_data_and_settings(on_small_disk: Run) -> None:
    command = ["sample-data", "small/d", "--size-m", 10, "--cemeteries", 1, "-q"]
    result = on_small_disk(100, *command)
    assert_one_line(result, "small/d/orthophotos/sample_01.tif")
    assert result.stdout == ""
    assert_one_line(
        on_small_disk(4, "config", "--init", "--config", "small/a.toml"), "small/a.toml"
    )


def test_an_older_report_stays(on_small_disk: Run, tmp_path: Path) -> None:
    write(tmp_path / "a.gpkg", GRAVES)
    write(tmp_path / "b.gpkg", GRAVES)
    command = ["evaluate", "a.gpkg", "b.gpkg", "--report"]
    assert gravecli(*command, "a.html", cwd=tmp_path).returncode == 0
    size_kb = (tmp_path / "a.html").stat().st_size // 1024 + 8
    prepare = "cp a.html small"
    result = on_small_disk(size_kb, *command, "small/a.html", prepare=prepare)
    assert_one_line(result, "small/a.html")
    assert result.stdout == "small/a.html\n"


def test_a_work_folder_that_cannot_be_written(
    on_small_disk: Run, sample_data: Path, untrained: Bundle
) -> None:
    orthophoto = sample_data / "orthophotos" / "sample_01.tif"
    command = ["predict-cemetery", orthophoto, "--model", untrained.folder, "-q", *SETS]
    command += ["--set", "prediction.memory_mpx=0.001", "--set", "work_dir='small/runs'"]
    result = on_small_disk(4, *command, prepare="mount -o remount,ro small")
    assert result.returncode == 2
    assert "predictions: cannot be written: Read-only file system" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("size_kb", [1100, 2500, 5000])
def test_a_training(on_small_disk: Run, sample_data: Path, size_kb: int) -> None:
    command = ["train", "--data", sample_data, "--epochs", 1, "-q", *SETS]
    result = on_small_disk(size_kb, *command, "--set", "work_dir='small/runs'")
    assert result.returncode == 2, result.stderr
    assert "No space left on device; free some disk space" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
