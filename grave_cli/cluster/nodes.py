"""The computers of a Ray cluster: their names, and how many cemeteries they can map at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grave_cli.errors import SettingsError
from grave_cli.settings.mapping import PredictionSettings

_ID_LETTERS = 6
_THREAD_NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Node:
    """A computer of a cluster, or one of several nodes on it.

    Args:
        id: Ray's id.
        host: Name of the computer.
        cpus: CPUs for tasks.
        gpus: GPUs for tasks.
        is_alive: It has not been lost.
    """

    id: str
    host: str
    cpus: int
    gpus: int
    is_alive: bool

    @property
    def label(self) -> str:
        """Host and the begin of the id, since a host may have several nodes."""
        return f"{self.host} ({self.id[:_ID_LETTERS]})"


@dataclass(frozen=True)
class Share:
    """What each cemetery gets of a node.

    Args:
        cpus: CPUs, which are also its threads.
        gpus: GPUs, 0 or 1.
    """

    cpus: int
    gpus: int

    @property
    def task_options(self) -> dict[str, Any]:
        """Options of a Ray task that gets this share.

        The variables are those that the numeric libraries read: Ray would set them to one thread.
        """
        variables = dict.fromkeys(_THREAD_NAMES, str(self.cpus))
        return {
            "num_cpus": self.cpus,
            "num_gpus": self.gpus,
            "runtime_env": {"env_vars": variables},
        }

    def slots(self, nodes: Sequence[Node]) -> int:
        """Return how many cemeteries the nodes can map at a time."""
        return sum(self._slots(node) for node in nodes if node.is_alive)

    def _slots(self, node: Node) -> int:
        by_cpu = node.cpus // self.cpus
        return min(by_cpu, node.gpus // self.gpus) if self.gpus else by_cpu


def list_nodes() -> tuple[Node, ...]:
    """List the nodes of the cluster, lost ones included."""
    import ray

    return tuple(
        Node(
            one["NodeID"],
            one["NodeManagerHostname"],
            int(one["Resources"].get("CPU", 0)),
            int(one["Resources"].get("GPU", 0)),
            one["Alive"],
        )
        for one in ray.nodes()  # type: ignore[no-untyped-call]
    )


def plan_share(nodes: Sequence[Node], cemeteries: int, settings: PredictionSettings) -> Share:
    """Choose the CPUs and GPUs of each cemetery.

    Without `prediction.threads`, a cemetery gets one CPU, which maps most cemeteries an hour, and
    more only if CPUs would be idle otherwise.

    Args:
        nodes: The nodes of the cluster.
        cemeteries: Number of cemeteries to map.
        settings: Threads and device.

    Raises:
        SettingsError: No node has so many CPUs, or the GPU that was asked for.
    """
    has_gpu = any(node.is_alive and node.gpus for node in nodes)
    if settings.device == "cuda" and not has_gpu:
        raise SettingsError("the cluster has no node with a GPU", remedy="use --device cpu")
    gpus = int(has_gpu and settings.device in ("auto", "cuda"))
    cpus = [node.cpus for node in nodes if node.is_alive and node.cpus and node.gpus >= gpus]
    if not cpus or settings.threads > max(cpus):
        raise SettingsError(
            "no node of the cluster can map a cemetery",
            found=f"at most {max(cpus, default=0)} CPUs{' with a GPU' * gpus}",
            expected=f"at least {max(1, settings.threads)}",
            remedy="lower prediction.threads (or OMP_NUM_THREADS), or start nodes with more CPUs",
        )
    even = min(sum(cpus) // max(1, cemeteries), min(cpus))
    return Share(settings.threads or max(1, even), gpus)
