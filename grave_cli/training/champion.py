"""Registration of a finished model, and the decision whether it becomes the champion."""

from collections.abc import Mapping
from dataclasses import dataclass

from grave_cli.dataset.training_data import TrainingPlan
from grave_cli.errors import GraveError, ModelError
from grave_cli.model.bundle import Bundle
from grave_cli.progress import SILENT, Progress
from grave_cli.tracking.registry import Champion, add_version, champion_model, find_champion
from grave_cli.tracking.runs import TrackedRun
from grave_cli.training.rescoring import map_validation, score_maps
from grave_cli.training.start import parts_known_to


@dataclass(frozen=True)
class Verdict:
    """Whether a new model becomes champion.

    Args:
        wins: True if it does.
        reason: The reason, as a clause.
    """

    wins: bool
    reason: str


def register_model(
    run: TrackedRun,
    bundle: Bundle,
    plan: TrainingPlan,
    scores: Mapping[str, float],
    progress: Progress = SILENT,
) -> None:
    """Register the logged model of a run as a new version, and as champion if it is better.

    The reason becomes the version's description, a tag of the run and a note. If the settings name
    no registered model, nothing happens.

    Args:
        run: A run whose bundle is logged.
        bundle: The same bundle.
        plan: Data of the training.
        scores: `val/…` scores of the model over whole validation parts.
        progress: Receives the verdict as a note.
    """
    name = run.settings.tracking.registered_model
    if not name:
        return
    champion = find_champion(run)
    verdict = _judge(champion, run, bundle, plan, scores, progress)
    while (newer := find_champion(run)) != champion:  # of a training that ended meanwhile
        champion = newer
        verdict = _judge(champion, run, bundle, plan, scores, progress)
    version = add_version(run, plan, verdict.reason, wins=verdict.wins)
    outcome = "is champion" if verdict.wins else "is not champion"
    run.tag("gravecli.model_version", f"{name}/{version}")
    run.tag("gravecli.verdict", f"{outcome}: {verdict.reason}")
    progress.note(f"{name} version {version} {outcome}: {verdict.reason}")


def _judge(
    champion: Champion | None,
    run: TrackedRun,
    bundle: Bundle,
    plan: TrainingPlan,
    scores: Mapping[str, float],
    progress: Progress,
) -> Verdict:
    """Compare both models on the same validation data; without a comparison the champion stays."""
    if champion is None:
        return Verdict(True, "there was none")
    monitor, label = run.settings.training.monitor, f"version {champion.version}"
    try:
        other = champion_model(run, champion)
    except ModelError as error:
        return Verdict(True, f"{label} cannot be read ({error})")
    if champion.has_seen(plan) and monitor in other.card.metrics:
        mine, theirs = bundle.card.metrics[monitor], other.card.metrics[monitor]
        how = "on the same validation data"
    elif not run.settings.tracking.rescore_champion:
        return Verdict(False, f"{label} was trained on other data, and is not scored again")
    elif other.card.recipe.elevation and not _has_dems(plan):
        return Verdict(False, f"{label} needs a DEM, which this validation data lacks")
    else:
        try:
            maps = map_validation(other, plan, run.settings, progress)
        except GraveError as error:
            return Verdict(False, f"{label} cannot be scored on this data ({error})")
        mine, theirs = scores[monitor], score_maps(maps, other.card.decoding)[monitor]
        how = "both on the new validation data"
        if known := parts_known_to(other, [one.part for one in plan.split("val")]):
            how += f"; {label} was trained on {', '.join(known)}, which makes its score too good"
    contrast = f"{monitor} {mine:.4f} against {theirs:.4f} of {label}, {how}"
    return Verdict(mine > theirs, contrast)


def _has_dems(plan: TrainingPlan) -> bool:
    return all(part.part.cemetery.dem is not None for part in plan.split("val"))
