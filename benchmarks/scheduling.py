"""The scheduler of --ray against a queue and shards, with failures: a simulation, and a replay.

    python benchmarks/scheduling.py                   # the simulation
    python benchmarks/scheduling.py --replay          # the simulation against a real Ray cluster

Simulated are cemeteries as in `benchmarks/arithmetic.py`, by four plans: the driver of
`predict-cemetery --ray`, with the rules of the program; a plain queue by name, which repeats lost
cemeteries for ever; and `--shard` with a shard for each core, or four, under a scheduler that
repeats lost shards. A lost cemetery begins again from zero. (Above 25 working Mpx, a computer goes
on with what it has lost itself, so this is the worse case.)

The replay runs the real driver on Ray nodes of this machine, whose tasks sleep instead of mapping;
one node is lost in the middle.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tools.many_cemeteries import Rates, Survey, add_up
from tools.plans import Plan, QueuePlan, RayPlan, ShardPlan
from tools.simulated_cluster import Nodes, Simulated, simulate
from tools.table import print_table

HUGE_HA = 391.0  # Ohlsdorf, Hamburg
NOISE = 0.2  # of the logarithm of the time that a cemetery of a size takes
AGAIN_S = 600.0  # until somebody starts a lost driver again

Found = tuple[Simulated, float]
"""A simulation, and its wall time in units of the least that is possible without a failure."""


@dataclass(frozen=True)
class Case:
    """A case to simulate.

    Args:
        name: For the table.
        nodes: The computers.
        has_huge: One cemetery is as large as that of Hamburg-Ohlsdorf.
        loses_driver: The driver is lost in the middle.
    """

    name: str
    nodes: Nodes
    has_huge: bool = False
    loses_driver: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--replay", action="store_true", help="check against a real Ray cluster")
    parser.add_argument("--cemeteries", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--cores", type=int, default=16, help="cores of each node")
    parser.add_argument("--seeds", type=int, default=10, help="repetitions with other chances")
    parser.add_argument(
        "--mtbf-h", nargs="+", type=float, default=[1128, 10, 1],
        help="hours between failures of a node: 47 days of an 8-GPU node (arXiv:2410.21680), ...",
    )  # fmt: skip
    parser.add_argument("--repair-h", type=float, default=1.0, help="until a node is back")
    parser.add_argument("--notice-s", type=float, default=30.0, help="until a loss is noticed")
    parser.add_argument("--slowdown", type=float, default=3.0, help="of a slow node")
    Survey.add_options(parser.add_argument_group("assumptions"))
    Rates.add_options(parser.add_argument_group("rates"))
    options = parser.parse_args()
    if options.replay:
        compare_with_ray()
        return
    survey, rates = Survey.chosen(options), Rates.chosen(options)
    nodes = Nodes(
        options.nodes, options.cores, repair_h=options.repair_h, notice_s=options.notice_s,
        start_s=rates.start_s,
    )  # fmt: skip
    rows = []
    for case in cases(nodes, options.mtbf_h, options.slowdown):
        for name, found in outcomes(case, options.cemeteries, survey, rates, options.seeds).items():
            rows.append([case.name, name, *columns(found)])
    title = f"{options.cemeteries:,} cemeteries on {nodes.count} nodes of {nodes.slots} cores"
    head = ["", "plan", "min", "times the least", "lost, %", "idle, %", "failures", "given up"]
    print_table(f"{title}, mean ± spread of {options.seeds} seeds", head, rows)


def cases(nodes: Nodes, mtbf_h: list[float], slowdown: float) -> list[Case]:
    """List the cases: nothing fails, nodes fail, one is slow, a huge cemetery, a lost driver."""
    slow = replace(nodes, slow=1, slowdown=slowdown)
    failing = (Case(f"a failure in {hours:g} h", replace(nodes, mtbf_h=hours)) for hours in mtbf_h)
    return [
        Case("nothing fails", nodes),
        *failing,
        Case(f"a node takes {slowdown:g} times as long", slow),
        Case(f"one of {HUGE_HA:g} ha", nodes, has_huge=True),
        Case("the driver is lost once", nodes, loses_driver=True),
        Case("all of it, a failure in 10 h", replace(slow, mtbf_h=10.0), True, True),
    ]


def outcomes(
    case: Case, count: int, survey: Survey, rates: Rates, seeds: int
) -> dict[str, list[Found]]:
    """Simulate a case by each plan, with the same chances."""
    slots = case.nodes.count * case.nodes.slots
    found: dict[str, list[Found]] = {}
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        hectares = survey.draw_hectares(count, seed)
        if case.has_huge:
            hectares[random.integers(count)] = HUGE_HA
        sizes = hectares.tolist()
        work_s = add_up(hectares, survey, rates).core_s * np.exp(
            NOISE * random.standard_normal(count)
        )
        power = slots - case.nodes.slow * case.nodes.slots * (1 - 1 / case.nodes.slowdown)
        least_s = max(float(work_s.sum()) / power, float(work_s.max()))
        middle_s = float(work_s.sum()) / slots / 2
        losses = [(middle_s, middle_s + AGAIN_S)] if case.loses_driver else []
        for name, plan in plans(sizes, slots, rates.driver_s).items():
            result = simulate(
                work_s.tolist(), case.nodes, plan(), seed=seed, driver_losses=losses, mixed=True
            )
            found.setdefault(name, []).append((result, result.makespan_s / least_s))
    return found


def plans(sizes: list[float], slots: int, driver_s: float) -> dict[str, Callable[[], Plan]]:
    """List the plans to compare."""
    count = len(sizes)
    return {
        "--ray": lambda: RayPlan(sizes, slots, driver_s),
        "queue by name": lambda: QueuePlan(count),
        "a shard a core": lambda: ShardPlan(count, slots),
        "4 shards a core": lambda: ShardPlan(count, 4 * slots),
    }


def columns(found: list[Found]) -> list[str]:
    """Write means, and spreads over the seeds."""
    results = [result for result, _ in found]
    times = [times for _, times in found]
    lost, idle = ([100 * one.lost for one in results], [100 * one.idle for one in results])
    return [
        f"{np.mean([one.makespan_s for one in results]) / 60:.0f}",
        f"{np.mean(times):.2f} ± {np.std(times):.2f}",
        f"{np.mean(lost):.2f} ± {np.std(lost):.2f}",
        f"{np.mean(idle):.0f} ± {np.std(idle):.0f}",
        f"{np.mean([one.failures for one in results]):.1f}",
        f"{np.mean([one.given_up for one in results]):.1f}",
    ]


def compare_with_ray() -> None:
    """Hand the same cemeteries to a real cluster and to the simulated one."""
    from tools.ray_replay import real_cluster, replay

    nodes = Nodes(count=3, slots=2, repair_h=None)
    work_s = (6 * np.exp(0.8 * np.random.default_rng(0).standard_normal(48))).tolist()
    with real_cluster(nodes) as cluster, tempfile.TemporaryDirectory() as name:
        empty, _ = replay([0.0] * 300, cluster, Path(name))
        rows = []
        for title, lose_after in (("no failure", None), ("a node is lost", 24)):
            real, lost_s = replay(work_s, cluster, Path(name), lose_after)
            here = replace(nodes, start_s=real.start_s, notice_s=0.0)
            failures = [(lost_s, nodes.count - 1)] if lose_after else []
            plan = RayPlan(work_s, nodes.count * nodes.slots, empty.driver_s)
            simulated = simulate(work_s, here, plan, failures=failures).makespan_s
            ratio = simulated / real.makespan_s
            rows.append([title, real.mapped, real.start_s, real.makespan_s, simulated, ratio])
    head = ["", "mapped", "start, s", "Ray, s", "simulated, s", "ratio"]
    print_table(f"{len(work_s)} cemeteries, {nodes.count} nodes of {nodes.slots}", head, rows)
    print(f"\ncore-seconds of the driver for each of 300 empty cemeteries: {empty.driver_s:.4f}")


if __name__ == "__main__":
    main()
