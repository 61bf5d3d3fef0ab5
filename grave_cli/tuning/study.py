"""A study: trials until enough are finished; one parent run, one child run a trial."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from grave_cli.errors import TuningError
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings
from grave_cli.tracking.dataset_input import DATASET_TAG, log_dataset
from grave_cli.tracking.runs import TrackedRun
from grave_cli.tracking.studies import fetch_artifact, study_run
from grave_cli.tuning.conclusion import BEST_FILE, conclude, is_concluded
from grave_cli.tuning.encoders import keep_loadable
from grave_cli.tuning.joining import check_foundation, open_study
from grave_cli.tuning.processes import Assignment, run_workers, work_in_process
from grave_cli.tuning.result import StudyResult, StudyWatch, result_of
from grave_cli.tuning.search_space import check_search_space, combinations, preset_name
from grave_cli.tuning.shared_study import SharedStudy
from grave_cli.tuning.trials import Trials, plan_trials

_RUN_ID = "gravecli.run_id"


@dataclass(frozen=True)
class StudyRequest:
    """Which study is to have how many trials.

    Args:
        name: Study in the storage; made when it is missing.
        preset: Preset that gives search space, trials and pruning; None: the study's name, else
            "default".
        trials: Finished trials in all; None takes the preset's number.
        workers: Processes on this machine.
        timeout_s: Seconds from which no trial begins; None for no limit.
        model: Whose thresholds are sought, where the preset tunes decoding; None: the newest that
            fits.
        force: Go on with a study that was begun with other data, channels or search space.
    """

    name: str
    preset: str | None = None
    trials: int | None = None
    workers: int = 1
    timeout_s: float | None = None
    model: str | None = None
    force: bool = False


def run_study(
    settings: Settings,
    request: StudyRequest,
    progress: Progress = SILENT,
    watch: StudyWatch | None = None,
) -> StudyResult:
    """Run trials until a study has as many finished ones as asked for.

    Running it again after an interruption does the remainder, in the same parent run. The objective
    is `training.monitor` of the epoch kept; a trial that fails counts neither as finished nor as 0.

    Args:
        settings: What trials start from.
        request: The study.
        progress: Is told of each trial.
        watch: Looks at the study meanwhile.

    Raises:
        TuningError: The preset, search space or storage cannot be used, the study stands on other
            data, or trials fail one after the other.
        GraveError: Data or settings cannot be used.
    """
    plan = settings.hpo.studies[preset_name(settings, request.name, request.preset)]
    check_search_space(plan, settings)
    wanted = _wanted(request, plan)
    trials = plan_trials(settings, plan, request.model, progress)
    with ExitStack() as stack:
        shared = stack.enter_context(open_study(settings, request.name, plan))
        if watch is not None:
            stack.enter_context(watch.over(shared, wanted))
        check_foundation(shared, trials.foundation, request.force)
        plan = keep_loadable(shared, plan, settings, progress)
        done = len(shared.finished())
        progress.note(f"study {request.name}: {done} of {wanted} trials are finished")
        if done < wanted or shared.trials("RUNNING") or not is_concluded(shared):
            _work(settings, request, plan, wanted, trials, shared, progress)
        run_id = shared.study.user_attrs.get(_RUN_ID, "")
        config = fetch_artifact(settings, run_id, BEST_FILE)
        return result_of(shared, plan.tunes, trials.metric, config)


def _work(
    settings: Settings,
    request: StudyRequest,
    plan: Study,
    wanted: int,
    trials: Trials,
    shared: SharedStudy,
    progress: Progress,
) -> None:
    """Run what is left, in the study's parent run."""
    deadline = None if request.timeout_s is None else time.time() + request.timeout_s
    with ExitStack() as stack:
        with shared.locked():  # two that begin a study at once share its parent run
            parent = stack.enter_context(_parent_run(settings, shared, trials))
        assignment = Assignment(
            settings=settings,
            study=request.name,
            plan=plan,
            model=request.model,
            parent_run_id=parent.run_id,
            wanted=wanted,
            deadline=deadline,
        )
        if request.workers == 1:
            work_in_process(assignment, trials, shared, progress)
        else:
            run_workers(assignment, request.workers, shared, progress)
        conclude(parent, shared, plan, trials.settings)


def _wanted(request: StudyRequest, plan: Study) -> int:
    wanted = request.trials or plan.trials
    if plan.sampler == "grid" and wanted > len(combinations(plan)):
        raise TuningError(
            "there are not as many combinations to try",
            found=f"{wanted} trials",
            expected=f"{len(combinations(plan))} at most",
        )
    return wanted


@contextmanager
def _parent_run(settings: Settings, shared: SharedStudy, trials: Trials) -> Iterator[TrackedRun]:
    """Open the run of a study, and tie the two together, so that the study goes on in it."""
    tags = {DATASET_TAG: trials.data.dataset_id}
    known = shared.study.user_attrs.get(_RUN_ID)
    with study_run(settings, shared.study.study_name, known, tags) as parent:
        if parent.run_id != known:
            shared.study.set_user_attr(_RUN_ID, parent.run_id)
            log_dataset(parent, trials.data)
        yield parent
