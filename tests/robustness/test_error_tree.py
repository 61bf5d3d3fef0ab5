"""Every class of the error tree is raised by a command, or by a test of its own."""

import importlib
import pkgutil
import shlex
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest
from office import ORTHOPHOTO, PREDICT

import grave_cli
from grave_cli.errors import GraveError

# Class -> a command that raises it, in the office of `office.py`.
RAISED = {
    "SettingsError": "train --epochs 0",
    "DatasetError": "dataset-id nowhere",
    "GridError": f"predict-cemetery {ORTHOPHOTO} --crs EPSG:1",
    "RasterReadError": "predict-cemetery none.tif -q",
    "ModelError": "model-info nobody",
    "TrackingError": "runs",
    "StoreError": "runs --set tracking.uri=sqlite:///notes.txt",
    "TuningError": "dashboard",
    "ExportError": f"{PREDICT} --out data",
}
# Class -> the test that raises it, because it needs a training.
ELSEWHERE = {
    "InUseError": "tests/owners/test_claims.py",
    "TrainingError": "tests/robustness/test_failed_training.py",
    "OutOfMemoryError": "tests/robustness/test_failed_training.py",
}


def all_kinds(kind: type[GraveError] = GraveError) -> Iterator[type[GraveError]]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("grave_cli."):
            yield child
            yield from all_kinds(child)


def test_every_class_of_the_tree_is_raised_by_a_test() -> None:
    for module in pkgutil.walk_packages(grave_cli.__path__, "grave_cli."):
        importlib.import_module(module.name)
    assert {kind.__name__ for kind in all_kinds()} == set(RAISED) | set(ELSEWHERE)
    root = Path(__file__).resolve().parents[2]
    for name, file in ELSEWHERE.items():
        assert f"pytest.raises({name}" in (root / file).read_text("utf-8")


@pytest.mark.parametrize("name", RAISED)
def test_a_command_raises_it(office: Path, name: str) -> None:
    from grave_cli.cli.app import app

    with chdir(office), pytest.raises(GraveError) as caught:
        app(shlex.split(RAISED[name]), standalone_mode=False)
    assert type(caught.value).__name__ == name
    assert caught.value.exit_code == 2
