"""How the CPUs and GPUs of a cluster are shared out."""

import pytest

from grave_cli.cluster.nodes import Node, Share, plan_share
from grave_cli.errors import SettingsError
from grave_cli.settings.mapping import PredictionSettings

HEAD = Node("h" * 40, "head", 0, 0, True)
SMALL = Node("s" * 40, "small", 4, 0, True)
LARGE = Node("l" * 40, "large", 16, 2, True)
LOST = Node("x" * 40, "lost", 64, 8, False)


def plan(*nodes: Node, cemeteries: int, **settings: object) -> Share:
    return plan_share(nodes, cemeteries, PredictionSettings(**settings))


def test_many_cemeteries_get_a_cpu_each_and_few_share_all() -> None:
    nodes = (HEAD, SMALL, LARGE, LOST)
    assert plan(*nodes, cemeteries=100, device="cpu") == Share(1, 0)
    assert plan(*nodes, cemeteries=10, device="cpu") == Share(2, 0)
    assert plan(*nodes, cemeteries=1, device="cpu") == Share(4, 0)  # the small node can map it, too
    assert plan(*nodes, cemeteries=100, device="cpu", threads=8) == Share(8, 0)


def test_slots_count_whole_shares_of_living_nodes() -> None:
    nodes = (HEAD, SMALL, LARGE, LOST)
    assert Share(3, 0).slots(nodes) == 1 + 5
    assert Share(1, 1).slots(nodes) == 2


def test_each_cemetery_gets_a_gpu_where_there_are_gpus() -> None:
    assert plan(HEAD, LARGE, cemeteries=100, device="auto") == Share(1, 1)
    assert plan(HEAD, LARGE, cemeteries=100, device="cpu").gpus == 0
    assert plan(HEAD, SMALL, cemeteries=100, device="auto").gpus == 0
    with pytest.raises(SettingsError, match="no node with a GPU"):
        plan(SMALL, LOST, cemeteries=1, device="cuda")


def test_a_cluster_that_is_too_small_is_refused() -> None:
    with pytest.raises(SettingsError, match="at most 4 CPUs, expected at least 8"):
        plan(HEAD, SMALL, cemeteries=1, threads=8)
    with pytest.raises(SettingsError, match="at most 0 CPUs"):
        plan(HEAD, LOST, cemeteries=1)
