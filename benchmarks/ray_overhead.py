"""What a Ray cluster costs: 30 small cemeteries by the folder command, here and on two CPUs of Ray.

Both map the same generated cemeteries by the starter model with two CPUs: the folder command with
two threads, the cluster as it shares them out, and also one cemetery after the other with two
threads each. The goal is a ratio of at most 1.15, without the start of the cluster, which is
printed beside it.

    python benchmarks/ray_overhead.py [--cemeteries 30] [--size-m 25]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from tools.table import print_table

from grave_cli.sample_data.write import write_sample_data

CPUS, GOAL = 2, 1.15
CLI = "import sys; from grave_cli.cli.app import main; sys.argv[0] = 'gravecli'; main()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cemeteries", type=int, default=30)
    parser.add_argument("--size-m", type=float, default=25.0)
    options = parser.parse_args()
    # What gravecli sets for its own process, before Ray is imported here.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_sample_data(folder / "data", cemeteries=options.cemeteries, size_m=options.size_m)
        one_by_one = ["--set", f"prediction.threads={CPUS}"]
        here_s = seconds(folder, "here", *one_by_one)
        begin = perf_counter()
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": CPUS})
        start_s = perf_counter() - begin
        try:
            ray_s = seconds(folder, "ray", "--ray", cluster.address)
            same_s = seconds(folder, "same", "--ray", cluster.address, *one_by_one)
        finally:
            cluster.shutdown()
    rows: list[list[object]] = [
        ["folder command", here_s, 1.0],
        ["on the cluster", ray_s, ray_s / here_s],
        ["on the cluster, one by one", same_s, same_s / here_s],
        ["start and cluster", start_s + ray_s, (start_s + ray_s) / here_s],
    ]
    title = f"{options.cemeteries} cemeteries of {options.size_m:g} m, {CPUS} CPUs; goal {GOAL}"
    print_table(title, ["", "s", "ratio"], rows)


def seconds(folder: Path, out: str, *more: str) -> float:
    """Map the data folder in a process of its own, as a user would."""
    command = [sys.executable, "-c", CLI, "predict-cemetery", "data", "--out", out, *more]
    # Threads are chosen by the command; the limit of this process would reach them.
    environment = {key: text for key, text in os.environ.items() if key != "OMP_NUM_THREADS"}
    begin = perf_counter()
    subprocess.run(
        [*command, "--model", "starter", "--device", "cpu", "-q"],
        cwd=folder,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return perf_counter() - begin


if __name__ == "__main__":
    main()
