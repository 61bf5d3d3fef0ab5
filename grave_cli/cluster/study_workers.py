"""Workers of a study as tasks of a Ray cluster; Optuna's storage joins them, not Ray."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.cluster.connection import LOCAL, check_cluster, connected
from grave_cli.cluster.nodes import list_nodes, plan_share
from grave_cli.cluster.task import why_unable
from grave_cli.errors import GraveError, SettingsError, TuningError
from grave_cli.progress import Progress
from grave_cli.settings.load import with_values
from grave_cli.settings.mapping import PredictionSettings
from grave_cli.settings.tree import Settings
from grave_cli.tracking.store import tracking_uri
from grave_cli.tuning.processes import Assignment, finished_trials, note_ends, work_alone
from grave_cli.tuning.shared_study import SharedStudy
from grave_cli.tuning.storage import storage_url
from grave_cli.wording import counted

if TYPE_CHECKING:
    from ray import ObjectRef

_TRIES_AGAIN = 3  # of a worker whose node is lost
_LOOK_S = 0.5
_STOP_S = 60.0  # time for a worker to return its trial to the queue

RunWorkers = Callable[[Assignment, int, SharedStudy, Progress], None]


@dataclass(frozen=True)
class _Order:
    assignment: Assignment
    folder: Path
    version: str


def workers_on_cluster(address: str, settings: Settings) -> RunWorkers:
    """Return the function that runs the workers of a study on a Ray cluster.

    Args:
        address: See `connected`.
        settings: Storage of the study and tracking store.

    Raises:
        SettingsError: One of the databases is a file, which several computers cannot share safely,
            or there is no cluster.
    """
    urls = {"hpo.storage": storage_url(settings), "tracking.uri": tracking_uri(settings)}
    for name, url in urls.items():
        if address != LOCAL and url.startswith("sqlite"):
            raise SettingsError(
                f"{name} is a file, which several computers cannot share",
                expected="the URL of a server, such as postgresql+psycopg://HOST/studies",
                remedy=f"set {name}, or use --ray {LOCAL}",
            )
    check_cluster(address)
    return partial(_run_workers, address)


def _run_workers(
    address: str, assignment: Assignment, count: int, shared: SharedStudy, progress: Progress
) -> None:
    """Run workers on a cluster until a study has enough trials; Ctrl-C stops all of them.

    Raises:
        SettingsError: The cluster cannot be used.
        TuningError: Several trials failed in a row, or all workers were lost.
    """
    with connected(address):
        import ray

        from grave_cli import __version__

        nodes = list_nodes()
        share = plan_share(nodes, count, _needs(assignment))
        room = min(count, share.slots(nodes))
        if room < count:
            progress.warn(f"The cluster has room for {counted(room, 'worker')} of {count}")
        settings = with_values(assignment.settings, {"prediction.threads": share.cpus})
        order = _Order(replace(assignment, settings=settings), Path.cwd(), __version__)
        task = ray.remote(_work_here).options(
            name="gravecli hpo", max_retries=_TRIES_AGAIN, **share.task_options
        )
        running = [task.remote(order) for _ in range(count)]
        try:
            _watch(running, shared, progress)
        except BaseException:
            _stop(running)
            raise


def _watch(workers: "list[ObjectRef[str]]", shared: SharedStudy, progress: Progress) -> None:
    """Report trials until all workers have ended."""
    import ray
    from ray.exceptions import RayError

    running, ended, lost = list(workers), finished_trials(shared), 0
    while running:
        done, running = ray.wait(running, num_returns=1, timeout=_LOOK_S)
        note_ends(shared, ended, progress)
        for one in done:
            try:
                error = ray.get(one)
            except RayError as fault:
                lost += 1
                progress.warn(f"a worker died: {str(fault).strip().splitlines()[-1]}")
            else:
                if error:
                    raise TuningError(error)
    if lost == len(workers):
        raise TuningError(
            "all workers died",
            remedy="memory may be too small for so many; run the command again to continue",
        )


def _stop(workers: "list[ObjectRef[str]]") -> None:
    """Interrupt workers as Ctrl-C does, and give them time to return their trials."""
    import ray

    for worker in workers:
        ray.cancel(worker)
    ray.wait(workers, num_returns=len(workers), timeout=_STOP_S)


def _work_here(order: _Order) -> str:
    """Run trials on this node; return the error in one line, or nothing."""
    if fault := why_unable(order.folder, order.version):
        return fault
    try:
        work_alone(order.assignment)
    except GraveError as error:
        return str(error)
    return ""


def _needs(assignment: Assignment) -> PredictionSettings:
    """Return the threads and the device of a worker."""
    settings = assignment.settings
    if assignment.plan.tunes == "decoding":
        return settings.prediction
    return settings.prediction.model_copy(update={"device": settings.training.device})
