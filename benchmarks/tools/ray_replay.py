"""The real scheduler on a real Ray cluster of this machine, with cemeteries that only take time.

A task sleeps for as long as its cemetery would take, so that many nodes fit on a few cores. All
else is what `predict-cemetery --ray` runs.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import TYPE_CHECKING

from tools.simulated_cluster import Nodes

from grave_cli.batch.jobs import Job
from grave_cli.batch.mapper import ChosenModel, Engines, Mapper
from grave_cli.batch.outcomes import Outcome
from grave_cli.batch.run import describe
from grave_cli.cluster.map_jobs import map_jobs_on_cluster
from grave_cli.dataset.named_files import HeightFiles
from grave_cli.model.shipped import starter_model
from grave_cli.progress import SILENT, Progress, Silent
from grave_cli.settings.load import load_settings

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

_FILE_BYTES = 1000  # of an orthophoto for each second, by which the driver orders them


@dataclass(frozen=True)
class Sleeper(Mapper):
    """Takes time instead of mapping.

    Args:
        seconds: For each cemetery.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)

    def outcome(self, job: Job, engines: Engines, progress: Progress = SILENT) -> Outcome:
        sleep(self.seconds[job.cemetery])
        return describe(job, "mapped", self.seconds[job.cemetery])


@dataclass(frozen=True)
class Replayed:
    """How a replay went.

    Args:
        makespan_s: From the first cemetery that is handed over to the last that ends.
        start_s: Until the first processes slept: the first end, less its time.
        driver_s: Core-seconds of the driver for each cemetery.
        mapped: Cemeteries that ended well.
    """

    makespan_s: float
    start_s: float
    driver_s: float
    mapped: int


@contextmanager
def real_cluster(nodes: Nodes) -> Iterator["Cluster"]:
    """Start a head without CPUs, and nodes with a CPU for each slot."""
    # What gravecli sets for its own process, before Ray is imported here.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for _ in range(nodes.count):
            cluster.add_node(num_cpus=nodes.slots)
        yield cluster
    finally:
        cluster.shutdown()


def replay(
    work_s: Sequence[float], cluster: "Cluster", folder: Path, lose_after: int | None = None
) -> tuple[Replayed, float]:
    """Hand cemeteries to a cluster.

    Args:
        work_s: Seconds that each of them takes.
        cluster: The cluster.
        folder: Receives empty orthophotos.
        lose_after: Lose a node when so many cemeteries have ended.

    Returns:
        How it went, and the second at which the node was lost (infinity: none was).
    """
    jobs = [_job(folder, number, seconds) for number, seconds in enumerate(work_s)]
    model = ChosenModel(starter_model(), starter_model().card.decoding)
    options = {"prediction.threads": 1, "prediction.device": "cpu"}
    settings = load_settings(options=options, environ={}).settings
    seconds = dict(zip((job.cemetery for job in jobs), work_s, strict=True))
    clock = _Clock()
    ends: list[tuple[float, Outcome]] = []
    lost_s, killer = float("inf"), None
    for outcome in map_jobs_on_cluster(
        jobs, Sleeper({False: model}, settings, seconds=seconds), cluster.address, clock
    ):
        ends.append((perf_counter() - clock.begin_s, outcome))
        if len(ends) == lose_after:
            lost_s = ends[-1][0]
            node = cluster.list_all_nodes()[-1]
            # In a thread, because the driver must not wait until Ray has ended the node.
            killer = threading.Thread(
                target=cluster.remove_node, args=(node,), kwargs={"allow_graceful": False}
            )
            killer.start()
    if killer:
        killer.join()
    first_s, first = ends[0]
    found = Replayed(
        ends[-1][0],
        first_s - seconds[first.cemetery],
        (process_time() - clock.begin_core_s) / len(jobs),
        sum(outcome.state == "mapped" for _, outcome in ends),
    )
    return found, lost_s


class _Clock(Silent):
    """Takes the time of the driver's first note, after which it hands over the first cemetery."""

    begin_s = begin_core_s = 0.0

    def note(self, message: str) -> None:
        if not self.begin_s:
            self.begin_s, self.begin_core_s = perf_counter(), process_time()


def _job(folder: Path, number: int, seconds: float) -> Job:
    orthophoto = folder / f"c_{number:05}.tif"
    with orthophoto.open("wb") as file:
        file.truncate(round(seconds * _FILE_BYTES))
    return Job(orthophoto.stem, orthophoto, HeightFiles(), folder / f"{orthophoto.stem}.gpkg")
