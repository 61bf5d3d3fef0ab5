"""The recipes of docs/scale.md: their commands run, as the schedulers would start them."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from terminal import PROGRAM

from grave_cli.model.bundle import Bundle

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scale.md"
SETTINGS = """
[grid]
gsd_m = 0.1
[prediction]
device = "cpu"
tile_px = 128
halo_px = 16
"""


def recipe(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    assert len(found) == 1
    return str(found[0])


def slurm() -> tuple[str, dict[str, str]]:
    task = {"TASK_ID": "2", "TASK_COUNT": "8", "TASK_MIN": "1", "TASK_STEP": "1"}
    variables = {f"SLURM_ARRAY_{key}": value for key, value in task.items()}
    return recipe("bash"), variables | {"SLURM_CPUS_PER_TASK": "1"}


def kubernetes() -> tuple[str, dict[str, str]]:
    pod = yaml.safe_load(recipe("yaml"))["spec"]["template"]["spec"]
    shell, option, command = pod["containers"][0]["command"]
    assert (shell, option) == ("sh", "-c")
    return command, {"JOB_COMPLETION_INDEX": "1"}


def snakemake() -> tuple[str, dict[str, str]]:
    command = re.search(r'shell: "(.*)"', recipe("snakemake"))
    assert command
    return command[1].replace("{threads}", "1").replace("{wildcards.i}", "2"), {}


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", [slurm, kubernetes, snakemake])
def test_a_recipe_maps_its_share(
    scheduler, sample_data: Path, untrained: Bundle, tmp_path: Path
) -> None:
    for kind in ("orthophotos", "dems"):
        shutil.copytree(sample_data / kind, tmp_path / "data" / kind)
    (tmp_path / "gravecli.toml").write_text(SETTINGS, "utf-8")
    program = tmp_path / "bin" / "gravecli"
    program.parent.mkdir()
    more = f'"$@" --model "{untrained.folder}"'
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{PROGRAM}' {more}\n", "utf-8")
    program.chmod(0o755)
    command, variables = scheduler()
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-c", command],
        cwd=tmp_path,
        env={**os.environ, **variables, "PATH": path},
        check=True,
    )
    with (tmp_path / "maps" / "summary-2-of-8.csv").open(encoding="utf-8", newline="") as file:
        assert [(row["cemetery"], row["state"]) for row in csv.DictReader(file)] == [
            ("sample_02", "mapped")
        ]
