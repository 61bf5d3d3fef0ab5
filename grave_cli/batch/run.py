"""Maps cemeteries one after the other; a failure is recorded, and the others are mapped."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter

from grave_cli.batch.jobs import Job
from grave_cli.batch.outcomes import Outcome, State
from grave_cli.delivery.geopackage_seal import MapCounts
from grave_cli.errors import GraveError
from grave_cli.interrupts import was_interrupted
from grave_cli.outputs import written_alone
from grave_cli.progress import SILENT, Progress

MapOne = Callable[[Job], MapCounts]
"""Maps a cemetery; returns what its map holds."""

_WAITING = "waiting for another process, which is mapping it"


def map_jobs(
    jobs: Sequence[Job], outcome_of: Callable[[Job], Outcome], progress: Progress = SILENT
) -> Iterator[Outcome]:
    """Map cemeteries and yield what became of each.

    Args:
        jobs: The cemeteries.
        outcome_of: Maps a cemetery.
        progress: Receives the cemeteries done, and a note for each that failed.
    """
    with progress.task("Cemeteries", total=len(jobs), unit="cemeteries") as advance:
        for job in jobs:
            outcome = outcome_of(job)
            if outcome.error:
                progress.warn(f"{job.cemetery} failed: {outcome.error}")
            advance(1)
            yield outcome


def map_job(
    job: Job,
    find_finished: Callable[[Job], MapCounts | None],
    map_one: MapOne,
    progress: Progress = SILENT,
) -> Outcome:
    """Map a cemetery unless it is mapped already; a failure is part of the outcome.

    If another process is mapping it, wait for its map, or for its death.

    Args:
        job: The cemetery.
        find_finished: Returns the counts of a map that is there already; None maps the cemetery.
        map_one: Maps a cemetery.
        progress: Receives a note of the wait.
    """
    start = perf_counter()
    counts: MapCounts | None = None
    state: State = "failed"
    error = ""
    try:
        say_wait = partial(progress.note, f"{job.cemetery}: {_WAITING}")
        with written_alone(job.out, wait_s=math.inf, on_wait=say_wait):
            if (counts := find_finished(job)) is not None:
                state = "already mapped"
            else:
                counts = map_one(job)
                state = "mapped"
    except (GraveError, MemoryError, OSError) as fault:
        if was_interrupted(fault):
            raise KeyboardInterrupt from fault
        error = _in_words(fault, job)
    return describe(job, state, perf_counter() - start, counts, error)


def describe(
    job: Job, state: State, seconds: float, counts: MapCounts | None = None, error: str = ""
) -> Outcome:
    """Return what became of a cemetery as a row of the summary."""
    return Outcome(
        cemetery=job.cemetery,
        state=state,
        graves=counts.graves if counts else None,
        to_review=counts.to_review if counts else None,
        candidates=counts.candidates if counts else None,
        seconds=round(seconds, 1),
        orthophoto=str(job.orthophoto),
        dem=str(job.dem or ""),
        map=str(job.out),
        error=error,
        dtm=str(job.heights.dtm or ""),
    )


def _in_words(fault: Exception, job: Job) -> str:
    if isinstance(fault, MemoryError):
        return f"{job.orthophoto}: the memory is too small; lower prediction.memory_mpx"
    if isinstance(fault, OSError):
        return f"{fault.filename or job.out}: {fault.strerror or fault}"
    return str(fault)
