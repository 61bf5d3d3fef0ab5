"""A study: trials until enough are finished; one parent run, one child run a trial."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grave_cli.errors import GraveError, TuningError
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings
from grave_cli.tuning.search_space import check_search_space, find_study, suggest_settings
from grave_cli.tuning.storage import open_storage

if TYPE_CHECKING:
    import optuna
    from optuna.pruners import BasePruner

    from grave_cli.inputs.training_data import TrainingData

_FAILURES_IN_A_ROW = 3


@dataclass(frozen=True)
class StudyResult:
    """How a study stands.

    Args:
        name: Its name in the storage.
        finished: Trials that are complete or pruned.
        pruned: How many of them were pruned.
        best_value: Largest objective; None when no trial is complete.
        best_params: Settings of that trial that were searched.
        best_run_id: MLflow run of that trial.
    """

    name: str
    finished: int
    pruned: int
    best_value: float | None
    best_params: dict[str, Any]
    best_run_id: str


def run_study(
    settings: Settings,
    name: str,
    *,
    preset: str | None = None,
    trials: int | None = None,
    progress: Progress = SILENT,
) -> StudyResult:
    """Run trials until a study has as many finished ones as asked for.

    Running it again after an interruption does the remainder. The objective is the best epoch's
    `training.monitor` (`val/dice`); a trial that fails counts neither as finished nor as 0.

    Args:
        settings: What trials start from.
        name: Study in the storage; made when it is missing.
        preset: Preset that gives search space, trials and pruning; None: the study's name, else
            "default".
        trials: Finished trials in all; None takes the preset's number.
        progress: Is told of each trial.

    Raises:
        TuningError: The preset, search space or storage cannot be used, or trials fail one after
            the other.
        GraveError: Data or settings cannot be used.
    """
    from grave_cli.inputs.training_data import plan_training, read_training_data

    plan = find_study(settings, name, preset)
    check_search_space(plan.search_space, settings)
    wanted = trials or plan.trials
    study = _open_study(settings, name, plan)
    missing = wanted - _finished(study)
    progress.note(f"study {name}: {wanted - missing} of {wanted} trials are finished")
    if missing > 0:
        data = read_training_data(plan_training(settings, progress), settings, progress)
        from grave_cli.tracking.dataset_input import DATASET_TAG, log_dataset
        from grave_cli.tracking.runs import tracked_run

        tags = {DATASET_TAG: data.plan.dataset_id, "gravecli.study": name}
        with tracked_run(settings, name, tags) as parent:
            log_dataset(parent, data.plan)
            _run_trials(study, settings, plan, wanted, data, parent.run_id, progress)
            result = _result(study)
            if result.best_value is not None:
                parent.log_metrics({"best_value": result.best_value})
    return _result(study)


def _run_trials(
    study: "optuna.Study",
    settings: Settings,
    plan: Study,
    wanted: int,
    data: "TrainingData",
    parent_run_id: str,
    progress: Progress,
) -> None:
    failures = 0
    with progress.task(f"Study {study.study_name}", wanted, "trials") as advance:
        advance(_finished(study))
        while _finished(study) < wanted:
            trial = study.ask()
            error = _run_trial(study, trial, settings, plan, data, parent_run_id)
            failures = failures + 1 if error else 0
            _tell(study, trial.number, error, progress)
            if error and failures == _FAILURES_IN_A_ROW:
                raise TuningError(
                    f"{failures} trials failed one after the other, the last with: {error}"
                ) from error
            advance(0 if error else 1)


def _run_trial(
    study: "optuna.Study",
    trial: "optuna.Trial",
    settings: Settings,
    plan: Study,
    data: "TrainingData",
    parent_run_id: str,
) -> Exception | None:
    """Run one trial and report its end to the study; return what made it fail."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    try:
        value = _objective(trial, settings, plan, data, parent_run_id)
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
        return None
    except KeyboardInterrupt:
        study.tell(trial, state=TrialState.FAIL)
        raise
    except (GraveError, RuntimeError, ValueError) as error:
        study.tell(trial, state=TrialState.FAIL)
        return error
    study.tell(trial, value)
    return None


def _objective(
    trial: "optuna.Trial",
    settings: Settings,
    plan: Study,
    data: "TrainingData",
    parent_run_id: str,
) -> float:
    from optuna_integration import PyTorchLightningPruningCallback

    from grave_cli.trainer import run_training

    chosen = suggest_settings(trial, plan.search_space, settings)
    monitor = settings.training.monitor
    result = run_training(
        chosen,
        data,
        [PyTorchLightningPruningCallback(trial, monitor)],
        name=f"{trial.study.study_name}-{trial.number}",
        parent_run_id=parent_run_id,
        finish=False,
    )
    trial.set_user_attr("run_id", result.run_id)
    value = result.metrics.get(monitor)
    if value is None or value != value:
        raise TuningError(f"trial {trial.number} ended without a value of {monitor}")
    return value


def _open_study(settings: Settings, name: str, plan: Study) -> "optuna.Study":
    import optuna

    storage = open_storage(settings)
    existing = {summary.study_name: summary for summary in optuna.get_all_study_summaries(storage)}
    done = existing[name].n_trials if name in existing else 0
    # A sampler made anew with the same seed would draw the study's first trials again.
    sampler = optuna.samplers.TPESampler(seed=settings.training.seed + done)
    return optuna.create_study(
        storage=storage,
        sampler=sampler,
        pruner=_pruner(plan),
        study_name=name,
        direction="maximize",
        load_if_exists=True,
    )


def _pruner(plan: Study) -> "BasePruner":
    from optuna import pruners

    makers: dict[str, Callable[[], BasePruner]] = {
        "median": lambda: pruners.MedianPruner(plan.startup_trials, plan.warmup_epochs),
        "hyperband": pruners.HyperbandPruner,
        "none": pruners.NopPruner,
    }
    return makers[plan.pruner]()


def _finished(study: "optuna.Study") -> int:
    from optuna.trial import TrialState

    return len(study.get_trials(False, (TrialState.COMPLETE, TrialState.PRUNED)))


def _tell(study: "optuna.Study", number: int, error: Exception | None, progress: Progress) -> None:
    trial = next(t for t in study.get_trials(False) if t.number == number)
    params = ", ".join(
        f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in trial.params.items()
    )
    outcome = f"failed: {error}" if error else trial.state.name.lower()
    value = "" if trial.value is None else f" {trial.value:.4f}"
    progress.note(f"trial {number}: {outcome}{value} ({params})")


def _result(study: "optuna.Study") -> StudyResult:
    from optuna.trial import TrialState

    complete = study.get_trials(False, (TrialState.COMPLETE,))
    best = max(complete, key=lambda trial: trial.value or float("-inf"), default=None)
    finished = _finished(study)
    return StudyResult(
        name=study.study_name,
        finished=finished,
        pruned=finished - len(complete),
        best_value=best.value if best else None,
        best_params=dict(best.params) if best else {},
        best_run_id=str(best.user_attrs.get("run_id", "")) if best else "",
    )
