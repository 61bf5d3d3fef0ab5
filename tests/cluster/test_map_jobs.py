"""Many cemeteries on a real Ray cluster of several nodes on this machine."""

import json
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fiona
import pytest
from ports import unused_port
from terminal import SETS, assert_refused, gravecli

from grave_cli.cluster.connection import connected
from grave_cli.cluster.nodes import Share
from grave_cli.model.bundle import Bundle

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

COPIES = 3  # of each of the three sample cemeteries
DAMAGED = "damaged"
LIMIT_S = 120


@pytest.fixture
def here(sample_data: Path, untrained: Bundle, tmp_path: Path) -> Path:
    """A folder with a model, nine cemeteries, and one that cannot be read."""
    for kind in ("orthophotos", "dems"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        for number in range(COPIES):
            for path in (sample_data / kind).iterdir():
                shutil.copy(path, tmp_path / "data" / kind / f"copy_{number}_{path.name}")
    (tmp_path / "data" / "orthophotos" / f"{DAMAGED}.tif").write_bytes(b"no picture")
    (tmp_path / "model").symlink_to(untrained.folder)
    return tmp_path


def predict(here: Path, out: str, *more: object):
    arguments = ["data", "--out", out, "--model", "model", "--set", "prediction.threads=1", *more]
    return gravecli("predict-cemetery", *arguments, *SETS, "--json", cwd=here)


def content(path: Path) -> dict[str, list[Any]]:
    """The features of all layers of a map but its provenance, which has the time."""
    found = {}
    for layer in ("graves", "graves_raw", "candidates", "coverage"):
        with fiona.open(path, layer=layer) as features:
            found[layer] = [(one.geometry, dict(one.properties)) for one in features]
    return found


@pytest.mark.slow
def test_a_lost_node_costs_no_cemetery_and_changes_no_map(cluster: "Cluster", here: Path) -> None:
    victim = cluster.add_node(num_cpus=1)

    def kill_when_it_has_mapped_one() -> None:
        summary, deadline = here / "spread" / "summary.csv", time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            if summary.exists() and victim.node_id[:6] in summary.read_text("utf-8"):
                break
            time.sleep(0.05)
        cluster.remove_node(victim, allow_graceful=False)

    killer = threading.Thread(target=kill_when_it_has_mapped_one)
    killer.start()
    spread = predict(here, "spread", "--ray", cluster.address)
    killer.join()
    alone = predict(here, "alone")
    assert (spread.returncode, alone.returncode) == (1, 1), spread.stderr

    found, expected = json.loads(spread.stdout), json.loads(alone.stdout)
    names = [one["cemetery"] for one in expected["cemeteries"]]
    assert [one["cemetery"] for one in found["cemeteries"]] == names
    assert len(names) == len(set(names)) == 3 * COPIES + 1
    for key in ("failed", "graves", "to_review", "candidates"):
        assert found[key] == expected[key]
    for name in set(names) - {DAMAGED}:
        assert content(here / "spread" / f"{name}.gpkg") == content(here / "alone" / f"{name}.gpkg")
    files = sorted(path.name for path in (here / "spread").glob("*") if path.is_file())
    temporary = [name for name in files if name.startswith(".gravecli-")]  # of the killed node
    assert set(files) - set(temporary) == {path.name for path in (here / "alone").iterdir()}

    error = "data/orthophotos/damaged.tif: cannot be opened"
    assert f"{DAMAGED} failed on " in spread.stderr
    assert error in next(o["error"] for o in found["cemeteries"] if o["cemetery"] == DAMAGED)
    nodes = found["nodes"]
    assert any(victim.node_id[:6] in node["node"] for node in nodes)
    assert sum(node["mapped"] + node["already_mapped"] for node in nodes) == 3 * COPIES
    assert sum(node["failed"] for node in nodes) == 1
    assert expected["nodes"] == []


@pytest.mark.slow
def test_a_task_computes_with_as_many_threads_as_it_was_given(
    cluster: "Cluster", untrained: Bundle
) -> None:
    def engine_threads(model: Bundle) -> int:
        import psutil

        from grave_cli.mapping.engine import open_engine
        from grave_cli.settings.load import load_settings

        settings = load_settings(options={"prediction.device": "cpu"}).settings.prediction
        before = psutil.Process().num_threads()
        engine = open_engine(model, settings)
        opened = psutil.Process().num_threads() - before
        assert engine.name
        return settings.threads if opened == settings.threads - 1 else -opened

    with connected(cluster.address):
        import ray

        for cpus in (1, 2):
            task = ray.remote(engine_threads).options(**Share(cpus, 0).task_options)
            assert ray.get(task.remote(untrained)) == cpus


def test_ray_that_is_not_installed_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = predict(here, "maps", "--ray", "local")
    assert_refused(result, "--ray needs Ray", "pip install 'gravemapper[cluster]'")


def test_addresses_that_do_not_work_are_refused(here: Path) -> None:
    for address in ("ray://head:10001", "", "head", "head:99999", "head:port"):
        refused = predict(here, "maps", "--ray", address)
        assert_refused(refused, f"--ray {address}", "an address of another kind", "HOST:PORT")
        assert not (here / "maps").exists()
    assert_refused(predict(here, "maps", "--ray", f"127.0.0.1:{unused_port()}"), "no answer")
