"""Open or create a study, seed its sampler, and refuse trials that cannot be compared."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from grave_cli.dataset.splits import SPLITS
from grave_cli.dataset.training_data import TrainingPlan
from grave_cli.errors import TuningError
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings
from grave_cli.tuning.shared_study import SharedStudy
from grave_cli.tuning.storage import enable_wal, one_machine, open_storage, storage_errors

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

_WORKERS = "gravecli.workers"
_BASIS = "gravecli.foundation"


@dataclass(frozen=True)
class StudyBasis:
    """Conditions that all trials of a study share, or they could not be compared.

    Args:
        data: Id of the data set.
        split: Cemeteries for training, validation and test.
        channels: Input channels of the network.
        objective: Metric that is maximised and, for decoding, its model.
        search_space: Search space as JSON.
    """

    data: str
    split: str
    channels: str
    objective: str
    search_space: str


@contextmanager
def open_study(settings: Settings, name: str, plan: Study) -> Iterator[SharedStudy]:
    """Open a study while the block runs; create it if it is missing.

    Args:
        settings: Location of the storage.
        name: Name of the study in the storage.
        plan: Pruner of the study.

    Raises:
        TuningError: The storage cannot be opened, or it fails or the study is deleted while the
            block runs.
        InUseError: It is a file, and a process of another machine uses it.
    """
    import optuna

    with ExitStack() as stack:
        stack.enter_context(one_machine(settings))
        storage = open_storage(settings)
        stack.callback(storage.engine.dispose)
        with storage_errors(settings):
            enable_wal(storage)
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                direction="maximize",
                pruner=_pruner(plan),
                load_if_exists=True,
            )
            try:
                yield SharedStudy(study, storage)
            except KeyError:
                if name in optuna.get_all_study_names(storage):
                    raise
                raise TuningError(f"study {name} has been deleted meanwhile") from None


def name_objective(shared: SharedStudy, metric: str) -> None:
    """Name the objective of a study, for Optuna's pages; studies of older versions have no name.

    Args:
        shared: The study.
        metric: Metric that is maximised.
    """
    if shared.study.metric_names == [metric]:
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is experimental")
        shared.study.set_metric_names([metric])


def seed_sampler(shared: SharedStudy, plan: Study, seed: int) -> None:
    """Give this process a sampler with a seed of its own.

    With one seed for all, a resumed study would repeat its first trials, and parallel workers would
    draw the same ones. The seed depends on the number of workers and trials before this process, so
    the first worker's trials are reproducible.

    Args:
        shared: The study.
        plan: Sampler of the study.
        seed: Seed from the settings.
    """
    from numpy.random import SeedSequence

    study = shared.study
    with shared.locked():
        worker = int(study.user_attrs.get(_WORKERS, 0))
        study.set_user_attr(_WORKERS, worker + 1)
        existing = len(shared.trials())
    mixed = int(SeedSequence([seed, worker, existing]).generate_state(1)[0])
    study.sampler = _sampler(plan, mixed)


def check_basis(shared: SharedStudy, basis: StudyBasis, force: bool) -> None:
    """Refuse trials that cannot be compared with those of the study; record the basis of a new one.

    Args:
        shared: The study.
        basis: Basis of the trials to run.
        force: Mix the trials and record the new basis.

    Raises:
        TuningError: The study began on another basis.
    """
    study, now = shared.study, asdict(basis)
    with shared.locked():
        before = study.user_attrs.get(_BASIS)
        if before == now:
            return
        if before is None or force:
            study.set_user_attr(_BASIS, now)
            return
    part = next(part for part, value in now.items() if before.get(part) != value)
    raise TuningError(
        f"study {study.study_name} cannot continue after a change of {part.replace('_', ' ')}",
        found=now[part],
        expected=before.get(part),
        remedy="choose another study name, or mix the trials with --force",
    )


def is_own(attributes: Mapping[str, Any]) -> bool:
    """Tell from the attributes of a study whether gravecli runs it."""
    return _BASIS in attributes or _WORKERS in attributes


def split_text(data: TrainingPlan) -> str:
    """Return the cemeteries of each split as text."""
    names = {split: [part.part.name for part in data.split(split)] for split in SPLITS}
    return "; ".join(f"{split} {', '.join(found)}" for split, found in names.items() if found)


def search_space_text(plan: Study) -> str:
    """Return the search space and the variants as JSON."""
    space = {key: domain.model_dump() for key, domain in plan.search_space.items()}
    return json.dumps({**space, **plan.variants}, sort_keys=True)


def _sampler(plan: Study, seed: int) -> "BaseSampler":
    from optuna import samplers

    if plan.sampler == "tpe":
        return samplers.TPESampler(seed=seed)
    return samplers.RandomSampler(seed=seed)  # the combinations of a grid are queued


def _pruner(plan: Study) -> "BasePruner":
    from optuna import pruners

    makers: dict[str, Callable[[], BasePruner]] = {
        "median": lambda: pruners.MedianPruner(
            plan.startup_trials, plan.warmup_epochs, plan.prune_every
        ),
        "hyperband": pruners.HyperbandPruner,
        "none": pruners.NopPruner,
    }
    return makers[plan.pruner]()
