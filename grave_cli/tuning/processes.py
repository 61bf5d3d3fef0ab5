"""Several processes on one study: started with their share of the threads, watched, and stopped."""

import _thread
import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from grave_cli.errors import GraveError, TuningError
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.load import with_values
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings
from grave_cli.tuning.joining import begin_work, open_study
from grave_cli.tuning.search_space import combinations, distributions
from grave_cli.tuning.shared_study import SharedStudy, Slots
from grave_cli.tuning.trials import Trials, plan_trials
from grave_cli.tuning.worker import describe, work

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_POLL_S = 0.5
_STOP_S = 60  # how long a worker may take to give its trial back

# What the numeric libraries read when they are loaded.
_THREAD_NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Assignment:
    """What a worker process is told.

    Args:
        settings: What trials start from.
        study: Its name.
        plan: What is searched.
        model: Whose thresholds are sought; None where trainings are.
        parent_run_id: Run of the study.
        wanted: Finished trials in all.
        deadline: Seconds since the epoch from which no trial begins.
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
    """Let processes work on a study until it has enough trials; Ctrl-C stops all of them.

    Args:
        assignment: What each is told.
        count: How many.
        shared: The study, to look at.
        progress: Is told of each trial's end.

    Raises:
        TuningError: Trials fail one after the other, or all processes have died.
    """
    threads = max(1, _threads(assignment.settings) // count)
    assignment = _with_threads(assignment, threads)
    # Into files, once; the workers find them there.
    plan_trials(assignment.settings, assignment.plan, assignment.model).read(progress)
    ended = {trial.number for trial in shared.trials() if trial.state.is_finished()}
    with _limited_threads(threads), _processes(assignment, count) as workers:
        while living := [process.sentinel for process, _ in workers if process.is_alive()]:
            connection.wait(living, _POLL_S)
            _tell_ends(shared, ended, progress)
            _raise_faults(line for _, line in workers)
        _raise_faults(line for _, line in workers)  # of one that ended between the two
    died = [process.exitcode for process, _ in workers if process.exitcode]
    for code in died:
        progress.note(f"a worker has died (exit code {code})")
    if len(died) == count:
        raise TuningError(
            "all workers have died",
            found=f"exit codes {', '.join(map(str, died))}",
            remedy="memory may not suffice for so many; the same command does what is left",
        )


def work_in_process(
    assignment: Assignment, trials: Trials, shared: SharedStudy, progress: Progress = SILENT
) -> None:
    """Work on a study in this process until it has enough trials.

    Args:
        assignment: What to do.
        trials: What a trial does.
        shared: The study.
        progress: Is told of each trial's end.

    Raises:
        TuningError: Trials fail one after the other.
    """
    settings, plan = assignment.settings, assignment.plan
    objective = trials.prepare(assignment.parent_run_id, progress)
    begin_work(shared, plan, settings.training.seed)
    slots = Slots(
        assignment.wanted,
        distributions(plan, settings),
        combinations(plan) if plan.sampler == "grid" else (),
        assignment.deadline,
    )
    work(shared, slots, objective, progress)


@contextmanager
def _processes(
    assignment: Assignment, count: int
) -> Iterator[list[tuple["SpawnProcess", Connection]]]:
    """Run the workers while the block does; those still there at its end are interrupted."""
    context = get_context("spawn")
    workers = []
    try:
        for _ in range(count):
            line, far_end = context.Pipe()
            process = context.Process(target=_main, args=(assignment, far_end))
            process.start()
            far_end.close()
            workers.append((process, line))
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
def _limited_threads(threads: int) -> Iterator[None]:
    """Let processes that are started in the block compute with so many threads each."""
    before = {name: os.environ.get(name) for name in _THREAD_NAMES}
    os.environ.update(dict.fromkeys(_THREAD_NAMES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _main(assignment: Assignment, line: Connection) -> None:
    """Be a worker."""
    _obey(line)
    settings, plan = assignment.settings, assignment.plan
    try:
        with open_study(settings, assignment.study, plan) as shared:
            work_in_process(assignment, plan_trials(settings, plan, assignment.model), shared)
    except KeyboardInterrupt:
        pass
    except GraveError as error:
        line.send(str(error))


def _obey(line: Connection) -> None:
    """Be interrupted, once, when the parent closes the line or is gone; Ctrl-C is for the parent.

    The parent never speaks: the line has something to tell only when it ends.
    """
    told = threading.Event()

    def interrupt(*_: object) -> None:
        if told.is_set():
            told.clear()
            raise KeyboardInterrupt

    def listen() -> None:
        connection.wait([line])
        told.set()
        _thread.interrupt_main()

    signal.signal(signal.SIGINT, interrupt)
    threading.Thread(target=listen, daemon=True).start()


def _tell_ends(shared: SharedStudy, ended: set[int], progress: Progress) -> None:
    for trial in shared.trials():
        if trial.state.is_finished() and trial.number not in ended:
            ended.add(trial.number)
            progress.note(describe(trial))


def _raise_faults(lines: Iterable[Connection]) -> None:
    """Raise what a worker has said; most end without a word."""
    for line in lines:
        with suppress(EOFError, ConnectionError):
            if line.poll():
                raise TuningError(line.recv())


def _threads(settings: Settings) -> int:
    return settings.prediction.threads or os.cpu_count() or 1


def _with_threads(assignment: Assignment, threads: int) -> Assignment:
    # Arrays in memory-mapped files are read once and shared by all.
    values = {"prediction.threads": threads, "chips.max_memory_gb": 1e-9}
    return replace(assignment, settings=with_values(assignment.settings, values))
