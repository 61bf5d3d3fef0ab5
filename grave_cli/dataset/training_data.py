"""The data of a training: the parts of each split, read once, and the id of the data set.

A study reads them once and passes them to every trial.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from grave_cli.dataset.array_cache import read_parts
from grave_cli.dataset.cemetery_arrays import CemeteryArrays, memory_bytes
from grave_cli.dataset.deliveries import (
    check_depths,
    delivery_doubts,
    delivery_notes,
    height_notes,
    measure_value_range,
)
from grave_cli.dataset.generated import plan_generated
from grave_cli.dataset.identity.dataset_id import dataset_id
from grave_cli.dataset.manifest import Manifest, manifest_of, unread_notes
from grave_cli.dataset.overlaps import overlap_notes
from grave_cli.dataset.plans import CemeteryPlan, PartPlan, plan_parts
from grave_cli.dataset.splits import Split, assign_parts
from grave_cli.dataset.truth_notes import report_truth
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.bit_depth import ValueRange
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.tree import Settings

_GIGA = 1e9


@dataclass(frozen=True)
class TrainingPlan:
    """The data of a training, planned before any pixel is read.

    Args:
        manifest: The data set.
        dataset_id: The id of the data set.
        parts: All parts of all splits.
    """

    manifest: Manifest
    dataset_id: str
    parts: tuple[PartPlan, ...]

    def split(self, split: Split) -> list[PartPlan]:
        """Return the parts of one split."""
        return [plan for plan in self.parts if plan.part.split == split]

    @property
    def final(self) -> list[PartPlan]:
        """The parts of the final score: test, or validation if there is no test split."""
        return self.split("test") or self.split("val")


@dataclass(frozen=True)
class TrainingData:
    """The training and validation parts of a plan as arrays.

    Args:
        plan: The plan.
        train: Training parts.
        val: Validation parts.
        generated: Generated cemeteries to train on as well; see `chips.generated_share`.
        features: The recipe they were read with; it is not settled how they are normalised.
    """

    plan: TrainingPlan
    train: list[CemeteryArrays]
    val: list[CemeteryArrays]
    generated: list[CemeteryArrays]
    features: InputRecipe


def plan_training(settings: Settings, progress: Progress = SILENT) -> TrainingPlan:
    """Plan the parts of all splits, and report what was repaired or ignored.

    Args:
        settings: Data folder, cemeteries of each split, channels, GSD.
        progress: Receives a note for each finding.

    Raises:
        DatasetError: The data folder cannot be used.
        GridError: No working grid can be laid on an orthophoto.
        RasterReadError: An orthophoto cannot be used.
    """
    manifest = manifest_of(settings.data)
    for note in unread_notes(manifest):
        progress.warn(note)
    parts = list(plan_parts(assign_parts(manifest, settings.data), settings))
    for note in overlap_notes(parts):
        progress.warn(note)
    for whole in {plan.whole.files.name: plan.whole for plan in parts}.values():
        _report_findings(whole, settings.data.channels == "rgb+dem", progress)
    return TrainingPlan(manifest, dataset_id(manifest), tuple(parts))


def read_training_data(
    plan: TrainingPlan,
    settings: Settings,
    progress: Progress = SILENT,
    *,
    in_files: bool = False,
) -> TrainingData:
    """Read the training and validation parts of a plan.

    Args:
        plan: The plan.
        settings: Elevation features, memory, cache.
        progress: Progress listener; it counts parts.
        in_files: Keep all arrays in memory-mapped files, which other processes can open.

    Raises:
        RasterReadError: A raster cannot be used.
    """
    value_range = measure_value_range(part.whole.orthophoto for part in plan.split("train"))
    check_depths((part.whole.orthophoto for part in plan.parts), value_range)
    features = reading_recipe(settings, value_range)
    parts = plan.split("train") + plan.split("val")
    max_bytes = 0 if in_files else settings.chips.max_memory_gb * _GIGA
    cache = settings.work_dir / "cache"
    arrays = read_parts(parts, features, max_bytes=max_bytes, cache=cache, progress=progress)
    generated: list[CemeteryArrays] = []
    if settings.chips.generated_share:
        generated = read_parts(
            plan_generated(settings, progress),
            reading_recipe(settings),  # their values have 8 bits
            max_bytes=max_bytes,
            cache=cache,
            progress=progress,
        )
    count = len(plan.split("train"))
    return TrainingData(plan, arrays[:count], arrays[count:], generated, features)


def select_features(data: TrainingData, settings: Settings) -> TrainingData:
    """Select from arrays that were read for several trainings what one of them would have read.

    Args:
        data: Arrays with at least the elevation features of `settings`.
        settings: Channels and elevation features of the training.
    """
    features = reading_recipe(settings, data.features.value_range)
    if features == data.features:
        return data
    taken = [data.features.features.index(name) for name in features.features]

    def select(arrays: CemeteryArrays) -> CemeteryArrays:
        heights = arrays.elevation
        return replace(arrays, elevation=heights[taken] if taken and heights is not None else None)

    train, val, generated = (
        [select(one) for one in arrays] for arrays in (data.train, data.val, data.generated)
    )
    return TrainingData(data.plan, train, val, generated, features)


def reading_recipe(settings: Settings, value_range: ValueRange | None = None) -> InputRecipe:
    """Return a recipe to read arrays with; its normalisation is a placeholder."""
    return InputRecipe.from_settings(settings, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), value_range)


def arrays_bytes(parts: Sequence[PartPlan], settings: Settings) -> int:
    """Compute the memory that the arrays of some parts take, in bytes."""
    recipe = reading_recipe(settings)
    return sum(memory_bytes(plan, recipe) for plan in parts)


def _report_findings(whole: CemeteryPlan, with_dem: bool, progress: Progress) -> None:
    report_truth(whole, progress)
    rasters = whole.orthophoto, whole.dem if with_dem else None
    for note in height_notes(rasters[1]):
        progress.note(note)
    for note in (*delivery_notes(*rasters), *delivery_doubts(*rasters)):
        progress.warn(note)
