"""Workers of a study on a Ray cluster, joined by PostgreSQL."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from postgres import new_database
from terminal import SETS, assert_refused, gravecli

from grave_cli.model.bundle import Bundle

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

SERVER = "postgresql+psycopg://host/studies"


@pytest.mark.slow
def test_workers_on_the_nodes_finish_a_study(
    cluster: "Cluster", postgres: str, sample_data: Path, untrained: Bundle, tmp_path: Path
) -> None:
    store = f"tracking.uri={new_database(postgres, 'ray_runs')}"
    result = gravecli(
        *("hpo", "--study", "decode", "--model", untrained.folder, "--data", sample_data),
        *("--trials", 3, "--workers", 2, "--ray", cluster.address, *SETS, "--set", store),
        *("--storage", new_database(postgres, "ray_studies"), "--json"),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["finished"] == 3
    assert result.stderr.count("complete") == 3


def test_files_are_not_shared_by_several_computers(tmp_path: Path) -> None:
    command = ("hpo", "--study", "a", "--ray", "head:6379")
    assert_refused(gravecli(*command, cwd=tmp_path), "hpo.storage is a file", "postgresql")
    served = gravecli(*command, "--storage", SERVER, cwd=tmp_path)
    assert_refused(served, "tracking.uri is a file")
    assert not list(tmp_path.iterdir())
