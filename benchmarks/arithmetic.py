"""What 1,000 and 100,000 cemeteries cost: pixels, hours, disk, network, and what drives them.

    python benchmarks/arithmetic.py                       # with the measured rates
    python benchmarks/arithmetic.py --measure             # measure the rates here first (minutes)
    python benchmarks/arithmetic.py --median-ha 2 --gsd-m 0.01

The rates were measured; each one's note names its source. How large cemeteries are and how they
are flown are assumptions. Wall times come from the simulated scheduler of --ray
(`benchmarks/scheduling.py`) without failures, on cores like those of which the rates were measured.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tools.many_cemeteries import Bill, Rates, Survey, add_up, sensitivity
from tools.mapping_costs import SCENES, Cost, fit_costs, measure_costs
from tools.plans import RayPlan
from tools.simulated_cluster import Nodes, simulate
from tools.table import print_table

COUNTS = (1000, 100_000)
NODES = (1, 8, 64)
STORE_GBIT_S = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--measure", action="store_true", help="measure the rates of mapping here")
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS, help="cemeteries")
    parser.add_argument("--nodes", nargs="+", type=int, default=NODES, help="sizes of clusters")
    parser.add_argument("--cores", type=int, default=16, help="cores of each node")
    parser.add_argument("--seed", type=int, default=0, help="of the areas")
    Survey.add_options(parser.add_argument_group("assumptions"))
    Rates.add_options(parser.add_argument_group("rates"))
    options = parser.parse_args()
    survey, rates = Survey.chosen(options), Rates.chosen(options)
    if options.measure:
        rates = measured(rates)
    print_table("Assumptions", ["", "value", "meaning"], survey.rows())
    print_table("Rates", ["", "value", "meaning and source"], rates.rows())
    bills = [add_up(survey.draw_hectares(n, options.seed), survey, rates) for n in options.counts]
    print_table("What they cost", ["", *map("{:,}".format, options.counts)], totals(bills))
    for bill, count in zip(bills, options.counts, strict=True):
        rows = [wall_time(bill, rates, nodes, options.cores) for nodes in options.nodes]
        columns = ["nodes", "wall time", "cores busy", "read by a node", "Gbit/s in all", "scratch"]
        print_table(f"{count:,} cemeteries, {options.cores} cores a node, --ray", columns, rows)
    parts = [
        [part, f"{hours:,.1f}", f"{hours / bills[-1].core_h:.0%}"]
        for part, hours in bills[-1].parts_h.items()
    ]
    print_table(f"Core hours of {options.counts[-1]:,}", ["", "core hours", "share"], parts)
    changes = sensitivity(options.counts[-1], survey, rates, options.seed)
    rows = [[name, f"x {hours:.2f}", f"x {read:.2f}"] for name, hours, read in changes]
    print_table("If one assumption changes", ["", "core hours", "bytes read"], rows)
    print("\n" + limits(bills[-1], rates, options.cores))


def measured(rates: Rates) -> Rates:
    """Measure the costs of mapping on this machine, print them, and put them into the rates."""
    costs = measure_costs(SCENES)
    fit = fit_costs(costs, rates.grave_s)
    print_table("Measured here, one thread", list(Cost.__dataclass_fields__), cost_rows(costs))
    print(f"\nlargest deviation of the fitted rates: {fit.error:.0%} of a cemetery's time")
    source_px = sum(cost.source_mpx for cost in costs) * 1e6
    alike = [cost for cost in costs if cost.gsd_m == SCENES[0][1]]  # in graves on a hectare
    maps = np.polyfit([cost.graves for cost in alike], [cost.map_bytes for cost in alike], 1)
    input_bytes = sum(cost.input_bytes for cost in costs)
    print(f"bytes of a pixel of these orthophotos: {input_bytes / source_px:.2f}")
    read_bytes = sum(cost.read_bytes for cost in costs)
    return replace(
        rates,
        cemetery_s=fit.cemetery_s,
        source_mpx_s=fit.source_mpx_s,
        working_mpx_s=fit.working_mpx_s,
        read_share=read_bytes / input_bytes or rates.read_share,
        map_bytes=float(maps[1]),
        grave_bytes=float(maps[0]),
    )


def cost_rows(costs: Sequence[Cost]) -> list[list[object]]:
    return [[getattr(cost, name) for name in Cost.__dataclass_fields__] for cost in costs]


def totals(bills: Sequence[Bill]) -> list[list[object]]:
    """List what all cemeteries cost, a column for each number of them."""

    def row(name: str, value: Any, unit: str = "") -> list[object]:
        return [name, *(f"{rounded(value(bill))}{unit}" for bill in bills)]

    return [
        row("area of the cemeteries", lambda bill: bill.hectares.sum(), " ha"),
        row("orthophoto pixels", lambda bill: bill.source_mpx.sum() / 1e3, " Gpx"),
        row("working pixels", lambda bill: bill.working_mpx.sum() / 1e3, " Gpx"),
        row("of the largest", lambda bill: bill.working_mpx.max(), " Mpx"),
        row("graves", lambda bill: bill.graves.sum() / 1e6, " million"),
        row("core hours", lambda bill: bill.core_h),
        row("core-seconds of the median", lambda bill: np.median(bill.core_s)),
        row("core-seconds of the largest", lambda bill: bill.core_s.max()),
        row("H200 hours of the model alone, at most", Bill.h200_hours_at_most),
        row("input on disk", lambda bill: bill.input_bytes / 1e12, " TB"),
        row("maps on disk", lambda bill: bill.map_bytes / 1e9, " GB"),
        row("over the network", lambda bill: bill.network_bytes / 1e12, " TB"),
    ]


def wall_time(bill: Bill, rates: Rates, nodes: int, cores: int) -> list[object]:
    """Simulate a cluster without failures."""
    cluster = Nodes(nodes, cores, start_s=rates.start_s)
    plan = RayPlan(bill.source_mpx, nodes * cores, rates.driver_s)
    seconds = simulate(bill.core_s, cluster, plan).makespan_s
    return [
        nodes,
        in_words(seconds),
        f"{bill.core_h * 3600 / (seconds * nodes * cores):.0%}",
        f"{bill.read_bytes / nodes / 1e9:,.0f} GB",
        f"{bill.network_bytes * 8 / seconds / 1e9:.2f}",
        f"{bill.scratch_at_once(nodes * cores) / 1e9:.1f} GB",
    ]


def limits(bill: Bill, rates: Rates, cores: int) -> str:
    """Say where one driver, one file server and one large cemetery end the gain."""
    mean_s = float(bill.core_s.mean())
    gbit_s = bill.network_bytes * 8 / (bill.core_h * 3600) * cores / 1e9
    alone = round(bill.core_h * 3600 / bill.core_s.max())
    return (
        f"A node of {cores} cores reads {gbit_s:.2f} Gbit/s: a file server with {STORE_GBIT_S:g} "
        f"Gbit/s serves {STORE_GBIT_S / gbit_s:.0f} of them.\n"
        f"A driver that takes {rates.driver_s * 1e3:.0f} ms for each cemetery keeps "
        f"{mean_s / rates.driver_s:.0f} cores busy; a cemetery takes {mean_s:.0f} core-seconds.\n"
        f"From {alone} cores on, the largest of {len(bill.core_s):,} cemeteries takes longer than "
        "all the others."
    )


def rounded(value: float) -> str:
    """Write a number with three digits, or all of a larger one."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def in_words(seconds: float) -> str:
    """Write a duration in the unit that suits it."""
    for unit, length in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


if __name__ == "__main__":
    main()
