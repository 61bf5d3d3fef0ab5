"""The simulated cluster, against cases worked out by hand."""

import pytest
from tools.plans import QueuePlan, RayPlan, ShardPlan
from tools.simulated_cluster import Nodes, Simulated, simulate

FOUR_SMALL_AND_A_LARGE = [1.0, 1.0, 1.0, 1.0, 4.0]
TWO_SLOTS = Nodes(count=1, slots=2)
TWO_NODES = Nodes(count=2, slots=1, repair_h=None, notice_s=0.5)


def ray(work_s: list[float], nodes: Nodes, driver_s: float = 0.0) -> RayPlan:
    return RayPlan(work_s, nodes.count * nodes.slots, driver_s)


def test_the_largest_first_end_together_and_the_other_orders_leave_it_over() -> None:
    work_s = FOUR_SMALL_AND_A_LARGE
    # slot 1: 4; slot 2: 1 1 1 1
    assert simulate(work_s, TWO_SLOTS, ray(work_s, TWO_SLOTS)).makespan_s == 4
    # slot 1: 1 1 4; slot 2: 1 1
    assert simulate(work_s, TWO_SLOTS, QueuePlan(5)).makespan_s == 6
    # shard 1: 1 1 4; shard 2: 1 1; the node idles 4 of its 12 slot-seconds
    found = simulate(work_s, TWO_SLOTS, ShardPlan(5, 2))
    assert (found.makespan_s, found.lost, found.failures) == (6, 0, 0)
    assert found.idle == pytest.approx(4 / 12)


def test_more_shards_than_slots_share_the_work_more_evenly() -> None:
    work_s = [1.0, 1.0, 1.0, 5.0, 1.0, 5.0, 1.0, 1.0]
    # 2 shards: 1 1 1 1 | 1 5 5 1. 4 shards: 1 1 | 1 5 | 1 1 | 5 1; a slot takes all but the second.
    assert simulate(work_s, TWO_SLOTS, ShardPlan(8, 2)).makespan_s == 12
    assert simulate(work_s, TWO_SLOTS, ShardPlan(8, 4)).makespan_s == 10


def test_slow_nodes_and_new_processes_take_longer() -> None:
    nodes = Nodes(count=2, slots=1, slow=1, slowdown=3.0, start_s=0.5)
    work_s = [2.0, 2.0, 2.0]
    # the slow node: 0.5 + 6; the other: 0.5 + 2 + 2
    found = simulate(work_s, nodes, ray(work_s, nodes))
    assert found.makespan_s == 6.5
    assert found.idle == pytest.approx(2 / 6.5)
    # shard 1 has two cemeteries and lands on the slow node: 0.5 + 6 + 6
    assert simulate(work_s, nodes, ShardPlan(3, 2)).makespan_s == 12.5


def test_what_a_lost_node_was_mapping_is_mapped_again_after_the_others() -> None:
    work_s = [4.0, 2.0, 2.0]
    # Node 0 maps the 4 and is lost after 1 s; node 1 maps 2, 2, 4.
    found = simulate(work_s, TWO_NODES, ray(work_s, TWO_NODES), failures=[(1.0, 0)])
    assert found == Simulated(makespan_s=8.0, lost=1 / 9, idle=0.0, failures=1, given_up=0)
    # With shards, node 1 maps its 2, waits for nothing, and takes the lost shard: 4, 2.
    found = simulate(work_s, TWO_NODES, ShardPlan(3, 2), failures=[(1.0, 0)])
    assert found == Simulated(makespan_s=8.0, lost=1 / 9, idle=0.0, failures=1, given_up=0)


def test_a_loss_is_noticed_late_and_the_node_comes_back() -> None:
    nodes = Nodes(count=1, slots=1, repair_h=10 / 3600, notice_s=2.0)
    work_s = [3.0, 1.0]
    # 2 s lost, 10 s down; then 1, which waited longer, and 3
    found = simulate(work_s, nodes, ray(work_s, nodes), failures=[(2.0, 0)])
    assert found.makespan_s == 16
    assert found.idle == 0  # while it was alive
    assert found.lost == pytest.approx(2 / 6)


def test_a_cemetery_is_given_up_after_four_losses_and_a_plain_queue_never_gives_up() -> None:
    nodes = Nodes(count=1, slots=1, repair_h=1 / 3600, notice_s=0.5)
    failures = [(1.0, 0), (3.0, 0), (5.0, 0), (7.0, 0)]
    found = simulate([1.5], nodes, ray([1.5], nodes), failures=failures)
    assert (found.makespan_s, found.given_up, found.failures) == (7.5, 1, 4)
    found = simulate([1.5], nodes, QueuePlan(1), failures=failures)
    assert (found.makespan_s, found.given_up) == (9.5, 0)


def test_a_lost_driver_loses_what_runs_and_a_scheduler_of_shards_has_none() -> None:
    work_s = [4.0, 1.0, 1.0]
    losses = [(2.5, 10.0)]  # the two small ones are mapped, the large one is not
    found = simulate(work_s, TWO_SLOTS, ray(work_s, TWO_SLOTS), driver_losses=losses)
    assert found.makespan_s == 14
    assert found.lost == pytest.approx(2.5 / 8.5)
    assert simulate(work_s, TWO_SLOTS, ShardPlan(3, 2), driver_losses=losses).makespan_s == 5


def test_a_busy_driver_keeps_nodes_waiting() -> None:
    work_s = [1.0] * 6
    # Two in flight for a slot. The driver takes 3 s for each that ends, so from the third on a
    # cemetery starts when it has taken note of one: 0, 1, then 4, 7, 10 and 13.
    nodes = Nodes(count=1, slots=1)
    assert simulate(work_s, nodes, ray(work_s, nodes, driver_s=3.0)).makespan_s == 14
    assert simulate(work_s, nodes, ray(work_s, nodes, driver_s=0.1)).makespan_s == 6


@pytest.mark.parametrize("plan", ["ray", "queue", "shards"])
def test_every_cemetery_is_mapped_whatever_fails(plan: str) -> None:
    nodes = Nodes(count=3, slots=2, mtbf_h=0.01, repair_h=0.01, notice_s=5.0, start_s=1.0)
    work_s = [5.0 + number % 7 for number in range(200)]
    plans = {"ray": ray(work_s, nodes), "queue": QueuePlan(200), "shards": ShardPlan(200, 12)}
    found = simulate(work_s, nodes, plans[plan], seed=3)
    assert found.failures > 10
    assert found.lost > 0
    assert 0 <= found.idle < 1
    assert found.makespan_s > sum(work_s) / 6
    again = {"ray": ray(work_s, nodes), "queue": QueuePlan(200), "shards": ShardPlan(200, 12)}
    assert simulate(work_s, nodes, again[plan], seed=3) == found


def test_a_node_that_is_back_before_its_loss_is_noticed_is_refused() -> None:
    with pytest.raises(ValueError, match="notice"):
        Nodes(count=1, slots=1, repair_h=0.001, notice_s=30.0)
