"""Run a study until it has enough trials: one parent run, and one child run per trial."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from grave_cli.errors import TuningError
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings
from grave_cli.tracking.dataset_input import log_dataset
from grave_cli.tracking.run_files import check_places
from grave_cli.tracking.runs import TrackedRun
from grave_cli.tracking.studies import fetch_artifact, study_run
from grave_cli.tuning.encoders import keep_loadable
from grave_cli.tuning.opening import check_basis, name_objective, open_study
from grave_cli.tuning.processes import Assignment, run_workers, work_here
from grave_cli.tuning.result import StudyResult, StudyWatch, best_trial, result_of
from grave_cli.tuning.search_space import check_search_space, combinations, preset_name
from grave_cli.tuning.shared_study import SharedStudy
from grave_cli.tuning.summary import BEST_FILE, has_summary, log_summary
from grave_cli.tuning.trials import Trials, plan_trials
from grave_cli.wording import counted, is_or_are

_RUN_ID = "gravecli.run_id"


@dataclass(frozen=True)
class StudyRequest:
    """Study to run, and how far.

    Args:
        name: Name of the study in the storage; created if it is missing.
        preset: Preset with search space, number of trials and pruning; None takes the one with the
            study's name, else "default".
        trials: Finished trials the study should have in all; None takes the preset's number.
        workers: Number of processes on this machine.
        timeout_s: Seconds after which no trial starts; None for no limit.
        model: Model to tune if the preset tunes decoding; None takes the newest that fits.
        force: Continue a study that began with other data, channels or search space.
        run_elsewhere: Runs the workers on other computers; None runs them on this one.
    """

    name: str
    preset: str | None = None
    trials: int | None = None
    workers: int = 1
    timeout_s: float | None = None
    model: str | None = None
    force: bool = False
    run_elsewhere: Callable[[Assignment, int, SharedStudy, Progress], None] | None = None


def run_study(
    settings: Settings,
    request: StudyRequest,
    progress: Progress = SILENT,
    watch: StudyWatch | None = None,
) -> StudyResult:
    """Run trials until a study has the requested number of finished ones.

    Run it again after an interruption to continue in the same parent run. The objective is
    `training.monitor` at the best epoch. A failed trial has no value and does not count as
    finished.

    Args:
        settings: Settings that trials start from.
        request: The study.
        progress: Receives a note for each trial.
        watch: Watches the study while it runs.

    Raises:
        TuningError: The preset, search space or storage cannot be used, the study began with other
            data, or several trials failed in a row.
        GraveError: Data or settings cannot be used.
    """
    plan = settings.hpo.studies[preset_name(settings, request.name, request.preset)]
    check_search_space(plan, settings)
    wanted = _wanted(request, plan)
    trials = plan_trials(settings, plan, request.model, progress)
    check_places(settings)
    with ExitStack() as stack:
        shared = stack.enter_context(open_study(settings, request.name, plan))
        if watch is not None:
            stack.enter_context(watch.over(shared, wanted))
        check_basis(shared, trials.basis, request.force)
        name_objective(shared, trials.metric)
        shared.fail_abandoned()
        plan = keep_loadable(shared, plan, settings, progress)
        done = len(shared.finished())
        words = f"{done} of {counted(wanted, 'trial')} {is_or_are(done)} finished"
        progress.note(f"study {request.name}: {words}")
        if done < wanted or shared.trials("RUNNING") or not _is_recorded(settings, shared):
            _work(settings, request, plan, wanted, trials, shared, progress)
        config = _best_file(settings, shared)
        return result_of(shared, plan.tunes, trials.metric, config, trials.model_name)


def _work(
    settings: Settings,
    request: StudyRequest,
    plan: Study,
    wanted: int,
    trials: Trials,
    shared: SharedStudy,
    progress: Progress,
) -> None:
    """Run the remaining trials in the study's parent run."""
    deadline = None if request.timeout_s is None else time.time() + request.timeout_s
    with ExitStack() as stack:
        with shared.locked():  # processes that start a study at once share its parent run
            parent = stack.enter_context(_parent_run(trials.settings, shared, trials))
        assignment = Assignment(
            settings=settings,
            study=request.name,
            plan=plan,
            model=trials.model_name or None,  # the newest may be another one by then
            parent_run_id=parent.run_id,
            wanted=wanted,
            deadline=deadline,
        )
        if request.run_elsewhere:
            request.run_elsewhere(assignment, request.workers, shared, progress)
        elif request.workers == 1:
            work_here(assignment, trials, shared, progress)
        else:
            run_workers(assignment, request.workers, shared, progress)
        log_summary(parent, shared, plan, trials.settings)


def _best_file(settings: Settings, shared: SharedStudy) -> Path | None:
    return fetch_artifact(settings, shared.study.user_attrs.get(_RUN_ID, ""), BEST_FILE)


def _is_recorded(settings: Settings, shared: SharedStudy) -> bool:
    """Report whether the summary is the newest, and not lost with the run or store that had it."""
    is_there = best_trial(shared) is None or _best_file(settings, shared) is not None
    return has_summary(shared) and is_there


def _wanted(request: StudyRequest, plan: Study) -> int:
    wanted = request.trials or plan.trials
    if plan.sampler == "grid" and wanted > len(combinations(plan)):
        raise TuningError(
            "the grid has fewer combinations than trials",
            found=counted(wanted, "trial"),
            expected=f"{len(combinations(plan))} at most",
        )
    return wanted


@contextmanager
def _parent_run(settings: Settings, shared: SharedStudy, trials: Trials) -> Iterator[TrackedRun]:
    """Open the run of a study and record its id in the study, so that later calls continue it."""
    known = shared.study.user_attrs.get(_RUN_ID)
    with study_run(settings, shared.study.study_name, known, trials.tags) as parent:
        if parent.run_id != known:
            shared.study.set_user_attr(_RUN_ID, parent.run_id)
            log_dataset(parent, trials.data)
        for name, value in trials.tags.items():  # a study that began with an earlier version
            parent.tag(name, value)
        yield parent
