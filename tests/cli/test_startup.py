"""Commands do not wait for libraries that they do not need."""

import subprocess
import sys
from pathlib import Path

import pytest

from grave_cli.model.bundle import Bundle
from grave_cli.settings.tree import Settings

SLOW = ("torch", "lightning", "mlflow", "optuna", "matplotlib", "pandas")
PROGRAM = f"""
import sys
from grave_cli.cli.app import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(sorted({set(SLOW)!r} & set(sys.modules)))
"""


def loaded_by(folder: Path, *arguments: object) -> str:
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    answer = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=250
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()[-1]


@pytest.mark.parametrize("command", ["dataset-id", "check"])
def test_looking_at_data_needs_no_learning(command: str, sample_data: Path, tmp_path: Path) -> None:
    assert loaded_by(tmp_path, command, sample_data) == "[]"


def test_mapping_with_a_model_folder_on_a_cpu_needs_no_torch_and_no_tracking(
    untrained: Bundle, sample_data: Path, tmp_path: Path
) -> None:
    orthophoto = sample_data / "orthophotos" / "sample_01.tif"
    arguments = ["predict-cemetery", orthophoto, "--model", untrained.folder, "--device", "cpu"]
    assert loaded_by(tmp_path, *arguments) == "[]"
    assert (tmp_path / "sample_01.gpkg").is_file()


def test_exporting_a_model_needs_no_learning(tmp_path: Path) -> None:
    assert loaded_by(tmp_path, "export", "starter", "--deepness", "graves.onnx") == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs"],
        ["model-info", "tiny"],
        ["model-info", "models:/graves@champion"],
        ["model-info", "starter"],
    ],
)
def test_looking_at_runs_and_models_needs_no_mlflow(
    arguments: list[str], trained: Settings
) -> None:
    assert loaded_by(trained.work_dir.parent, *arguments) == "[]"


def test_mapping_with_the_model_of_a_run_needs_no_mlflow(
    trained: Settings, sample_data: Path, tmp_path: Path
) -> None:
    orthophoto = sample_data / "orthophotos" / "sample_01.tif"
    place = ["--set", f"work_dir={str(trained.work_dir)!r}", "--device", "cpu"]
    arguments = ["predict-cemetery", orthophoto, "--model", "tiny", *place]
    assert loaded_by(tmp_path, *arguments) == "[]"
    assert loaded_by(tmp_path, "predict-cemetery", orthophoto, *place) == "[]"
