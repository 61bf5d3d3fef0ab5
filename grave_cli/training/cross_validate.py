"""Leave-one-cemetery-out: a model trained on the other cemeteries scores each cemetery once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING

from grave_cli import __version__
from grave_cli.dataset.manifest import manifest_of
from grave_cli.dataset.overlaps import overlap_notes
from grave_cli.dataset.training_data import TrainingPlan, plan_training
from grave_cli.errors import DatasetError
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.dataset_input import DATASET_TAG
from grave_cli.tracking.folds import (
    Fold,
    cross_validation_run,
    find_folds,
    mark_fold,
    scores_of_test,
)
from grave_cli.training.chip_workers import read_for_workers
from grave_cli.training.device import training_device
from grave_cli.training.readiness import check_ready
from grave_cli.wording import counted, is_or_are

if TYPE_CHECKING:
    from grave_cli.tracking.runs import TrackedRun

_DIGITS = 8


@dataclass(frozen=True)
class Spread:
    """Mean and spread of a score over the folds.

    Args:
        mean: Mean of the folds that have the score.
        std: Sample standard deviation (n - 1); 0 for one fold.
        folds: Number of folds that have the score.
    """

    mean: float
    std: float
    folds: int


@dataclass(frozen=True)
class CrossValidation:
    """Scores of models on cemeteries that they have not seen.

    Args:
        identity: Hash of data set, settings and version.
        dataset_id: Id of the data set.
        folds: One per cemetery, sorted by name.
        scores: Mean and spread of each score.
    """

    identity: str
    dataset_id: str
    folds: tuple[Fold, ...]
    scores: dict[str, Spread]


def cross_validate(settings: Settings, progress: Progress = SILENT) -> CrossValidation:
    """Train once per cemetery without it, and score the model on it.

    A second call after an interruption runs the remaining folds. The other cemeteries are split by
    the rules for `data.train` and `data.val`.

    Args:
        settings: Settings of each training. Cemeteries named in `data.train`, `data.val` or
            `data.test` take part; without names all do.
        progress: Receives progress and a note about each fold.

    Raises:
        DatasetError: There are fewer than two cemeteries, or one cannot be used.
        GraveError: Settings, model weights or stores cannot be used.
        TrainingError: A training was aborted.
    """
    training_device(settings)
    folds = _plan_folds(settings, progress)
    dataset_id = next(iter(folds.values()))[1].dataset_id
    identity = _identify(settings, dataset_id)
    known = {fold.cemetery: fold for fold in find_folds(settings, identity)}
    done = {name: known[name] for name in folds if name in known}  # earlier, ground was a fold too
    left = {name: fold for name, fold in folds.items() if name not in done}
    finished = len(folds) - len(left)
    words = f"{finished} of {counted(len(folds), 'fold')} {is_or_are(finished)} finished"
    progress.note(f"cross-validation {identity}: {words}")
    if left:
        check_ready(*next(iter(left.values())), None)
        with cross_validation_run(settings, identity, {DATASET_TAG: dataset_id}) as parent:
            for name, (chosen, plan) in left.items():
                progress.note(f"fold {name}: training without it")
                done[name] = _run_fold(name, chosen, plan, parent, identity, progress)
            result = _sum_up(identity, dataset_id, list(done.values()))
            parent.log_metrics(_metrics(result))
    return _sum_up(identity, dataset_id, list(done.values()))


def _plan_folds(settings: Settings, progress: Progress) -> dict[str, tuple[Settings, TrainingPlan]]:
    """Plan all folds before training the first, so that a fault in the last is reported at once."""
    data = settings.data
    listed = (*data.train, *data.val, *data.test)
    manifest = manifest_of(data)
    ground = {one.name for one in manifest.ground}  # without graves to score: all folds train on it
    cemeteries = tuple(name for name in listed if name not in ground)
    names = cemeteries or tuple(cemetery.name for cemetery in manifest.cemeteries)
    if len(names) < 2:
        raise DatasetError(
            "cross-validation needs at least two cemeteries",
            where=data.root,
            found=counted(len(names), "cemetery"),
            expected="two or more",
            remedy="add one; `gravecli train` scores a single one in a strip",
        )
    folds: dict[str, tuple[Settings, TrainingPlan]] = {}
    for name in sorted(names):
        others = tuple(other for other in listed if other != name)
        chosen = with_values(
            settings,
            {
                "data.test": (name,),
                "data.train": others,
                "data.val": (),
                "tracking.registered_model": "",  # no champion: it has not seen all cemeteries
            },
        )
        folds[name] = chosen, plan_training(chosen, SILENT if folds else progress)
    first, *later = (overlap_notes(plan.parts) for _, plan in folds.values())
    for note in dict.fromkeys(note for notes in later for note in notes if note not in first):
        progress.warn(note)  # each fold leaves out another cemetery
    return folds


def _identify(settings: Settings, dataset_id: str) -> str:
    """Hash everything that decides the scores, but no locations of data and results."""
    deciding = settings.model_dump_json(
        exclude={"work_dir": True, "tracking": True, "hpo": True, "data": {"root"}}
    )
    text = f"{__version__} {dataset_id} {deciding}"
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _run_fold(
    cemetery: str,
    settings: Settings,
    plan: TrainingPlan,
    parent: "TrackedRun",
    identity: str,
    progress: Progress,
) -> Fold:
    from grave_cli.training.trainer import run_training

    result = run_training(
        settings,
        read_for_workers(plan, settings, progress),
        name=f"without-{cemetery}",
        parent_run_id=parent.run_id,
        progress=progress,
    )
    mark_fold(parent, result.run_id, identity, cemetery)
    return Fold(cemetery, result.run_id, scores_of_test(result.metrics))


def _sum_up(identity: str, dataset_id: str, folds: Sequence[Fold]) -> CrossValidation:
    ordered = tuple(sorted(folds, key=lambda fold: fold.cemetery))
    names = dict.fromkeys(name for fold in ordered for name in fold.scores)
    values = {
        name: [fold.scores[name] for fold in ordered if name in fold.scores] for name in names
    }
    return CrossValidation(
        identity,
        dataset_id,
        ordered,
        {
            name: Spread(mean(found), stdev(found) if len(found) > 1 else 0.0, len(found))
            for name, found in values.items()
        },
    )


def _metrics(result: CrossValidation) -> dict[str, float]:
    """Return the means under the metric names of a training, and the deviations as `…_std`."""
    means = {f"test/{name}": score.mean for name, score in result.scores.items()}
    return means | {f"test/{name}_std": score.std for name, score in result.scores.items()}
