"""What ends a training at its start ends a dry run too, in the same line and before any reading."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from image_store import files_below
from terminal import SETS, assert_refused, gravecli

CASES: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "weights that are missing": (
        ["--set", "model.start=gone.safetensors"],
        ["gone.safetensors: no such file of encoder weights"],
    ),
    "weights that are damaged": (
        ["--set", "model.start=damaged.safetensors"],
        ["damaged.safetensors: cannot be read as plain tensors"],
    ),
    "a model that is missing": (["--init-from", "nobody"], ["nobody: no such model"]),
    "an encoder that is unknown": (["--set", "model.encoder=oak"], ["oak: no such encoder"]),
    "a device that is missing": (["--set", "training.device=mps"], ["mps is not available"]),
    "files of runs below a file": (
        ["--set", "tracking.artifacts=damaged.safetensors/x"],
        ["files of runs cannot be written", "is not a folder", "set tracking.artifacts"],
    ),
    "a store that is none": (["--set", "tracking.uri=sqlite:///damaged.safetensors"], ["database"]),
    "a run that is not there": (["--resume", "nobody"], ["no runs are recorded"]),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_dry_run_and_a_training_are_refused_alike(
    kind: str, sample_data: Path, tmp_path: Path
) -> None:
    options, words = CASES[kind]
    (tmp_path / "damaged.safetensors").write_bytes(b"no weights " * 99)
    before = files_below(tmp_path)
    command = ["train", "--data", sample_data, *SETS, *options]
    dry = gravecli(*command, "--dry-run", cwd=tmp_path)
    assert_refused(dry, *words)
    real = gravecli(*command, cwd=tmp_path)
    assert_refused(real, *words)
    assert real.stderr.splitlines()[-1] == dry.stderr.splitlines()[-1]
    assert files_below(tmp_path) == before
