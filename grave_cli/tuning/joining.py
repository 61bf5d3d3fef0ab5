"""How a process joins a study: the study is opened or made, and the same for all who work on it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from grave_cli.dataset.splits import SPLITS
from grave_cli.dataset.training_data import TrainingPlan
from grave_cli.errors import TuningError
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings
from grave_cli.tuning.shared_study import SharedStudy
from grave_cli.tuning.storage import let_others_read, open_storage

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

_WORKERS = "gravecli.workers"
_FOUNDATION = "gravecli.foundation"


@dataclass(frozen=True)
class Foundation:
    """What has to stay the same for the trials of a study to be comparable.

    Args:
        data: Id of the data set.
        split: Which cemeteries train, validate and test.
        channels: What the network sees.
        objective: Metric that is maximised, and of what.
        search_space: What is searched, as JSON.
    """

    data: str
    split: str
    channels: str
    objective: str
    search_space: str


@contextmanager
def open_study(settings: Settings, name: str, plan: Study) -> Iterator[SharedStudy]:
    """Open a study while the block runs; it is made when it is missing.

    Args:
        settings: Where the storage is.
        name: Its name there.
        plan: How hopeless trials are found.

    Raises:
        TuningError: The storage cannot be opened.
    """
    import optuna

    storage = open_storage(settings)
    try:
        let_others_read(storage)
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            pruner=_pruner(plan),
            load_if_exists=True,
        )
        yield SharedStudy(study, storage)
    finally:
        storage.engine.dispose()


def begin_work(shared: SharedStudy, plan: Study, seed: int) -> None:
    """Number this process among all that ever worked on a study, and seed its sampler by that.

    A sampler made anew with the same seed would draw the study's first trials again, and two that
    begin at once the same ones. The first worker's trials can be repeated in another study.

    Args:
        shared: The study.
        plan: How values are chosen.
        seed: Of the settings.
    """
    from numpy.random import SeedSequence

    study = shared.study
    with shared.locked():
        worker = int(study.user_attrs.get(_WORKERS, 0))
        study.set_user_attr(_WORKERS, worker + 1)
        existing = len(shared.trials())
    mixed = int(SeedSequence([seed, worker, existing]).generate_state(1)[0])
    study.sampler = _sampler(plan, mixed)


def check_foundation(shared: SharedStudy, foundation: Foundation, force: bool) -> None:
    """Refuse to mix trials that cannot be compared; remember what the study stands on.

    Args:
        shared: The study.
        foundation: What the trials about to be run stand on.
        force: Go on all the same.

    Raises:
        TuningError: The study's trials stand on something else.
    """
    study, now = shared.study, asdict(foundation)
    with shared.locked():
        before = study.user_attrs.get(_FOUNDATION)
        if before == now:
            return
        if before is None or force:
            study.set_user_attr(_FOUNDATION, now)
            return
    part = next(part for part, value in now.items() if before.get(part) != value)
    raise TuningError(
        f"study {study.study_name} was begun with another {part.replace('_', ' ')}",
        found=now[part],
        expected=before.get(part),
        remedy="give the new one another name, or mix them with --force",
    )


def split_text(data: TrainingPlan) -> str:
    """Write down which cemeteries train, validate and test."""
    names = {split: [part.part.name for part in data.split(split)] for split in SPLITS}
    return "; ".join(f"{split} {', '.join(found)}" for split, found in names.items() if found)


def search_space_text(plan: Study) -> str:
    """Write down what is searched."""
    space = {key: domain.model_dump() for key, domain in plan.search_space.items()}
    return json.dumps({**space, **plan.variants}, sort_keys=True)


def _sampler(plan: Study, seed: int) -> "BaseSampler":
    from optuna import samplers

    if plan.sampler == "tpe":
        return samplers.TPESampler(seed=seed)
    return samplers.RandomSampler(seed=seed)  # a grid's combinations are queued


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
