"""Maps cemeteries as tasks of a Ray cluster: bounded in number, repeated when a node is lost."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.batch.jobs import Job
from grave_cli.batch.mapper import Mapper
from grave_cli.batch.outcomes import Outcome, by_node
from grave_cli.batch.run import describe
from grave_cli.cluster.connection import connected
from grave_cli.cluster.nodes import Node, Share, list_nodes, plan_share
from grave_cli.cluster.task import Order, map_here
from grave_cli.cluster.waiting import TRIES_AGAIN, Waiting
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.load import with_values
from grave_cli.wording import counted

if TYPE_CHECKING:
    from ray import ObjectRef

_LOOK_S = 2.0  # between two looks at the nodes


def map_jobs_on_cluster(
    jobs: Sequence[Job], mapper: Mapper, address: str, progress: Progress = SILENT
) -> Iterator[Outcome]:
    """Map cemeteries on the nodes of a Ray cluster and yield what became of each, as they finish.

    All nodes see the files under the same paths. The largest cemeteries start first, so that none
    of them is left over at the end.

    Args:
        jobs: The cemeteries.
        mapper: Models, settings and options.
        address: See `connected`.
        progress: Receives the cemeteries done, failures, and nodes that are lost.

    Raises:
        SettingsError: The cluster cannot be used, or no node of it can map a cemetery.
    """
    with connected(address):
        nodes = list_nodes()
        share = plan_share(nodes, len(jobs), mapper.settings.prediction)
        settings = with_values(mapper.settings, {"prediction.threads": share.cpus})
        tasks = _Tasks(Order(replace(mapper, settings=settings), Path.cwd()), share)
        watch = _Watch(progress)
        progress.note(_plan(nodes, share))
        waiting = Waiting(jobs, _size)
        outcomes: list[Outcome] = []
        with progress.task("Cemeteries", total=len(jobs), unit="cemeteries") as advance:
            while waiting or tasks.running:
                nodes = watch.look()
                for job in waiting.take(len(tasks.running), share.slots(nodes)):
                    tasks.start(job)
                for ended in tasks.ended():
                    outcome = replace(ended, node=watch.label(ended.node))
                    if outcome.error:
                        place = f" on {outcome.node}" if outcome.node else ""
                        progress.warn(f"{outcome.cemetery} failed{place}: {outcome.error}")
                    advance(1)
                    outcomes.append(outcome)
                    yield outcome
        _report(outcomes, progress)


@dataclass
class _Tasks:
    """The cemeteries in flight.

    Args:
        order: Models and options.
        share: CPUs and GPUs of each.
    """

    order: Order
    share: Share
    running: "dict[ObjectRef[Outcome], Job]" = field(default_factory=dict)

    def __post_init__(self) -> None:
        import ray

        self._order = ray.put(self.order)  # once, not with each cemetery
        self._map = ray.remote(map_here).options(
            name="gravecli predict-cemetery",
            max_retries=TRIES_AGAIN,
            **self.share.task_options,
        )

    def start(self, job: Job) -> None:
        """Hand a cemetery to the cluster."""
        self.running[self._map.remote(self._order, job)] = job

    def ended(self) -> Iterator[Outcome]:
        """Wait a moment, and yield the outcomes of the cemeteries that ended."""
        import ray

        done, _ = ray.wait(list(self.running), num_returns=1, timeout=_LOOK_S)
        for reference in done:
            yield _outcome(reference, self.running.pop(reference))


class _Watch:
    """Reports nodes that are lost.

    Args:
        progress: Receives a warning for each.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._nodes: dict[str, Node] = {}

    def look(self) -> tuple[Node, ...]:
        """List the nodes, and warn of each that was lost since the last look."""
        nodes = list_nodes()
        for node in nodes:
            before = self._nodes.get(node.id)
            if before and before.is_alive and not node.is_alive:
                self._progress.warn(f"Node {node.label} is lost; others map its cemeteries")
            # The list no longer tells the resources and the host of a lost node.
            self._nodes[node.id] = replace(before, is_alive=node.is_alive) if before else node
        return nodes

    def label(self, node_id: str) -> str:
        """Return the name of a node for its user."""
        if node_id and node_id not in self._nodes:
            self.look()
        return self._nodes[node_id].label if node_id in self._nodes else node_id


def _outcome(reference: "ObjectRef[Outcome]", job: Job) -> Outcome:
    """Return what became of a cemetery, also if its task was lost too often."""
    import ray
    from ray.exceptions import OutOfMemoryError, RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        words = f"{type(error.cause).__name__}: {error.cause}"
    except OutOfMemoryError:
        words = "the memory of its node is too small; lower prediction.memory_mpx"
    except RayError as error:
        words = f"given up after {counted(TRIES_AGAIN + 1, 'try')}: {error}"
    return describe(job, "failed", 0.0, error=" ".join(words.split()))


def _size(job: Job) -> int:
    with suppress(OSError):
        return job.orthophoto.stat().st_size
    return 0


def _plan(nodes: Sequence[Node], share: Share) -> str:
    useful = sum(share.slots([node]) > 0 for node in nodes)
    each = counted(share.cpus, "CPU") + (" and a GPU" if share.gpus else "")
    return (
        f"Cluster: {counted(useful, 'node')}, {counted(share.slots(nodes), 'cemetery')} at a time, "
        f"each with {each}"
    )


def _report(outcomes: Sequence[Outcome], progress: Progress) -> None:
    """Say what each node has done; a node on which all fail is likely to lack files."""
    for node in by_node(outcomes):
        done = node.mapped + node.already_mapped
        progress.note(f"{node.node}: {done} mapped, {node.failed} failed")
        if node.failed > 1 and not done:
            progress.warn(f"{node.node} mapped none: check that it sees the files and has gravecli")
