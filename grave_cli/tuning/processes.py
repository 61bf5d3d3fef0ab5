"""Worker processes of a study: each with its share of threads and GPUs; watched, and stopped."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from grave_cli.errors import GraveError, TuningError
from grave_cli.interrupts import (
    ctrl_c_blocked,
    held_back,
    interrupt_main,
    none_lost,
    unblock_ctrl_c,
    was_interrupted,
)
from grave_cli.processes import kill_children, usable_cores
from grave_cli.progress import SILENT, Progress
from grave_cli.remote import permit
from grave_cli.settings.load import with_values
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings
from grave_cli.tuning.gpus import gpu_of, gpus_here
from grave_cli.tuning.opening import open_study, seed_sampler
from grave_cli.tuning.search_space import combinations, distributions
from grave_cli.tuning.shared_study import SharedStudy, Slots
from grave_cli.tuning.trials import TrainingTrials, Trials, plan_trials
from grave_cli.tuning.worker import describe, work
from grave_cli.wording import counted

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_POLL_S = 0.5
_STOP_S = 60  # time for a worker to return its trial to the queue

# The numeric libraries read these variables when they are loaded.
_THREAD_NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Assignment:
    """Work for one process.

    Args:
        settings: Settings that trials start from.
        study: Name of the study.
        plan: Search space of the study.
        model: Model whose thresholds are tuned; None for a study of trainings.
        parent_run_id: Run of the study.
        wanted: Finished trials the study should have in all.
        deadline: Time, in seconds since the epoch, after which no trial starts; None for never.
    """

    settings: Settings
    study: str
    plan: Study
    model: str | None
    parent_run_id: str
    wanted: int
    deadline: float | None


def run_workers(
    assignment: Assignment, count: int, shared: SharedStudy, progress: Progress
) -> None:
    """Run worker processes until a study has enough trials; Ctrl-C stops all of them.

    Args:
        assignment: Work for each process.
        count: Number of processes.
        shared: The study, to watch its trials.
        progress: Receives a note for each trial that ends.

    Raises:
        TuningError: Several trials failed in a row, or all workers died.
    """
    threads = max(1, _threads(assignment.settings) // count)
    assignment = _with_threads(assignment, threads)
    trials = plan_trials(assignment.settings, assignment.plan, assignment.model)
    if isinstance(trials, TrainingTrials):
        trials.read(progress)  # into files, once, for all workers to map
    ended = finished_trials(shared)
    gpus = gpus_here()
    if 0 < len(gpus) < count:
        progress.note(f"{counted(count, 'worker')} share {counted(len(gpus), 'GPU')}")
    limits = _environment(dict.fromkeys(_THREAD_NAMES, str(threads)))
    with limits, _processes(assignment, count, gpus) as workers:
        while living := [process.sentinel for process, _ in workers if process.is_alive()]:
            connection.wait(living, _POLL_S)
            note_ends(shared, ended, progress)
            _raise_errors(line for _, line in workers)
        _raise_errors(line for _, line in workers)  # of a worker that ended in between
    died = [process.exitcode for process, _ in workers if process.exitcode]
    for code in died:
        progress.warn(f"a worker died (exit code {code})")
    if len(died) == count:
        raise TuningError(
            "all workers died",
            found=f"exit codes {', '.join(map(str, died))}",
            remedy="memory may be too small for so many; run the command again to continue",
        )


def work_here(
    assignment: Assignment, trials: Trials, shared: SharedStudy, progress: Progress = SILENT
) -> None:
    """Run trials in this process until a study has enough.

    Args:
        assignment: Work for this process.
        trials: Kind of trial.
        shared: The study.
        progress: Receives a note for each trial that ends.

    Raises:
        TuningError: Several trials failed in a row.
    """
    settings, plan = assignment.settings, assignment.plan
    objective = trials.prepare(assignment.parent_run_id, progress)
    seed_sampler(shared, plan, settings.training.seed)
    slots = Slots(
        assignment.wanted,
        distributions(plan, settings),
        combinations(plan) if plan.sampler == "grid" else (),
        assignment.deadline,
    )
    work(shared, slots, objective, progress)


def work_alone(assignment: Assignment) -> None:
    """Run trials in this process, which opens the study itself, until it has enough.

    Args:
        assignment: Work for this process.

    Raises:
        TuningError: Several trials failed in a row, or the storage cannot be used.
    """
    settings, plan = assignment.settings, assignment.plan
    permit(settings.data.allow_remote)
    with open_study(settings, assignment.study, plan) as shared:
        work_here(assignment, plan_trials(settings, plan, assignment.model), shared)


@contextmanager
def _processes(
    assignment: Assignment, count: int, gpus: Sequence[str] = ()
) -> Iterator[list[tuple["SpawnProcess", Connection]]]:
    """Run the workers during the block, and interrupt those still running at its end."""
    context = get_context("spawn")
    workers = []
    try:
        for number in range(count):
            line, far_end = context.Pipe()
            process = context.Process(target=_main, args=(assignment, far_end))
            with held_back():  # Ctrl-C ends only workers that are listed
                with ctrl_c_blocked(), _environment(gpu_of(number, gpus)):
                    process.start()
                workers.append((process, line))
            far_end.close()
        yield workers
    finally:
        for _, line in workers:
            line.close()
        _await_end([process for process, _ in workers])


def _await_end(processes: list["SpawnProcess"]) -> None:
    deadline = time.monotonic() + _STOP_S
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the processes that the block starts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _main(assignment: Assignment, line: Connection) -> None:
    """Run a worker; its parent may end it from the first step to the last."""
    try:
        try:
            with none_lost(_obey_parent(line)):
                work_alone(assignment)
        finally:  # a worker that has ended has nothing to stop
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
    except KeyboardInterrupt:
        pass
    except GraveError as error:
        with suppress(OSError):  # the parent may have gone
            line.send(str(error))
    except Exception as error:
        if not was_interrupted(error):
            raise


def _obey_parent(line: Connection) -> Callable[[], None]:
    """Interrupt this process once its parent closes the line or dies; leave Ctrl-C to the parent.

    The parent sends nothing, so the line becomes readable only when it closes.

    Returns:
        Function that interrupts the main thread.
    """
    is_over = threading.Event()

    def on_signal(*_: object) -> None:
        if is_over.is_set():
            is_over.clear()
            raise KeyboardInterrupt

    def interrupt() -> None:
        is_over.set()
        interrupt_main()

    def listen() -> None:
        connection.wait([line])
        interrupt()
        time.sleep(_STOP_S)
        kill_children()
        os._exit(1)  # the parent, if there is one, has given up as well

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # returns the trial, as Ctrl-C does
    threading.Thread(target=listen, daemon=True).start()
    unblock_ctrl_c()
    return interrupt


def finished_trials(shared: SharedStudy) -> set[int]:
    """Return the numbers of the trials that have ended."""
    return {trial.number for trial in shared.trials() if trial.state.is_finished()}


def note_ends(shared: SharedStudy, ended: set[int], progress: Progress) -> None:
    """Report the trials that have ended since the last call, and remember them in `ended`.

    A storage that is away is looked at again next time: the workers need it only between epochs.
    """
    from optuna.exceptions import StorageInternalError

    with suppress(StorageInternalError):
        for trial in shared.trials():
            if trial.state.is_finished() and trial.number not in ended:
                ended.add(trial.number)
                progress.note(describe(trial))


def _raise_errors(lines: Iterable[Connection]) -> None:
    """Raise the error that a worker has sent, if any."""
    for line in lines:
        with suppress(EOFError, ConnectionError):
            if line.poll():
                raise TuningError(line.recv())


def _threads(settings: Settings) -> int:
    return settings.prediction.threads or usable_cores()


def _with_threads(assignment: Assignment, threads: int) -> Assignment:
    # Arrays in memory-mapped files are read once and shared by all workers.
    values = {"prediction.threads": threads, "chips.max_memory_gb": 1e-9}
    return replace(assignment, settings=with_values(assignment.settings, values))
