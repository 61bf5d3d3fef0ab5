"""A file or folder that this account may not read or write is one line that names it."""

import os
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support import another_account
from terminal import assert_refused, gravecli

from grave_cli.model.bundle import Bundle

pytestmark = pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")

ORTHOPHOTO = "data/orthophotos/sample_01.tif"
PREDICT = ("predict-cemetery", ORTHOPHOTO, "--model", "model", "--out", "out/new.gpkg")
# What is closed, and commands that are given it.
CASES = {
    "data": [
        ("check", "data"),
        ("dataset-id", "data"),
        ("train", "--data", "data", "--dry-run"),
        ("hpo", "--data", "data", "--study", "one"),
        ("evaluate", "--cross-validate", "--data", "data"),
        PREDICT,
    ],
    "data/orthophotos": [("check", "data"), ("dataset-id", "data"), PREDICT],
    ORTHOPHOTO: [("dataset-id", "data", "--content"), PREDICT],
    "data/dems/sample_01.tif": [PREDICT],
    "graves.gpkg": [
        (*PREDICT, "--truth", "graves.gpkg"),
        (*PREDICT, "--aoi", "graves.gpkg"),
        ("evaluate", "graves.gpkg", "graves.gpkg"),
    ],
    "model": [("model-info", "model"), PREDICT, ("train", "--dry-run", "--init-from", "model")],
    "settings.toml": [("config", "--config", "settings.toml")],
    "runs": [("runs",), ("runs", "--prune"), ("dashboard", "--no-browser"), ("model-info", "tiny")],
    "out": [
        ("sample-data", "out/new"),
        PREDICT,
        ("dataset-id", "data", "--manifest", "out/list.json"),
        ("evaluate", "graves.gpkg", "graves.gpkg", "--report", "out/page.html"),
        ("train", "--dry-run", "--set", "work_dir=out/runs"),
    ],
}
LOADED = (
    *("grave_cli.training.dry_run", "grave_cli.training.cross_validate", "grave_cli.tuning.study"),
    *("grave_cli.tuning.dashboard", "optuna_dashboard", "multiprocessing.queues", "mlflow"),
    *("onnxruntime", "multiprocessing.popen_spawn_posix", "concurrent.futures.process"),
)
COMMANDS = [(closed, command) for closed, commands in CASES.items() for command in commands]


@pytest.fixture(scope="module")
def place(sample_data: Path, untrained: Bundle) -> Iterator[Path]:
    """A folder that another account may read, with one of everything."""
    with TemporaryDirectory() as folder:
        here = Path(folder)
        shutil.copytree(sample_data, here / "data")
        shutil.copytree(untrained.folder, here / "model")
        shutil.copy(here / "data" / "annotations" / "sample_01.gpkg", here / "graves.gpkg")
        (here / "settings.toml").touch()
        for name in ("runs/artifacts", "out"):
            (here / name).mkdir(parents=True)
        for name in ("mlflow.db", "optuna.db"):
            (here / "runs" / name).write_bytes(b"closed")
        for path in (here, *here.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        for module in LOADED:  # the other account may not read the libraries
            import_module(module)
        yield here


@pytest.mark.parametrize(("closed", "command"), COMMANDS)
def test_no_command_ends_with_a_traceback(
    closed: str, command: tuple[str, ...], place: Path
) -> None:
    there = place / closed
    usual = there.stat().st_mode
    there.chmod(0)
    try:
        with another_account():
            result = gravecli(*command, cwd=place)
    finally:
        there.chmod(usual)
    if command[0] == "check":
        assert result.returncode == 2
        said = result.stdout
    else:
        assert_refused(result)
        said = result.stderr.splitlines()[-1]
    assert Path(closed).name in said or "mlflow.db" in said or "optuna.db" in said
    assert "Permission denied" in said or "permission" in said
