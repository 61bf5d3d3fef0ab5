"""What a training is given: the parts of each split, read once, and the identity of the data set.

A study prepares it once and hands it to every trial.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from grave_cli.dataset.cemetery_arrays import (
    CemeteryArrays,
    PartPlan,
    memory_bytes,
    plan_part,
    read_parts,
)
from grave_cli.dataset.deliveries import check_depths, delivery_notes, measure_value_range
from grave_cli.dataset.identity.dataset_id import dataset_id
from grave_cli.dataset.manifest import Manifest, manifest_of
from grave_cli.dataset.splits import Split, assign_parts
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.bit_depth import ValueRange
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.tree import Settings

_GIGA = 1e9


@dataclass(frozen=True)
class TrainingPlan:
    """What will be trained on, known before any pixel is read.

    Args:
        manifest: The data set.
        dataset_id: Its fingerprint.
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
        """The parts that give the final score: test, else validation."""
        return self.split("test") or self.split("val")


@dataclass(frozen=True)
class TrainingData:
    """A plan whose training and validation parts have been read.

    Args:
        plan: The plan.
        train: Arrays to train on.
        val: Arrays to validate on.
        features: The elevation settings and GSD they were read with, as a recipe.
    """

    plan: TrainingPlan
    train: list[CemeteryArrays]
    val: list[CemeteryArrays]
    features: InputRecipe


def plan_training(settings: Settings, progress: Progress = SILENT) -> TrainingPlan:
    """Find out what there is to train on.

    Args:
        settings: Data folder, lists, channels, GSD.
        progress: Is told of what was mended or left out.

    Raises:
        DatasetError: The data folder cannot be used.
        GridError: No working grid can be laid on an orthophoto.
        RasterReadError: An orthophoto cannot be used.
    """
    manifest = manifest_of(settings.data)
    parts = [plan_part(part, settings) for part in assign_parts(manifest, settings.data)]
    for plan in {plan.part.cemetery.name: plan for plan in parts}.values():
        _tell_findings(plan, settings.data.channels == "rgb+dem", progress)
    return TrainingPlan(manifest, dataset_id(manifest), tuple(parts))


def read_training_data(
    plan: TrainingPlan, settings: Settings, progress: Progress = SILENT
) -> TrainingData:
    """Read the training and validation parts of a plan.

    Args:
        plan: What to read.
        settings: Elevation features, memory, cache.
        progress: Is told of each part.

    Raises:
        RasterReadError: A raster cannot be used.
    """
    trained_on = [part.part.cemetery.orthophoto for part in plan.split("train")]
    value_range = measure_value_range(trained_on)
    check_depths((part.part.cemetery.orthophoto for part in plan.parts), value_range)
    features = reading_recipe(settings, value_range)
    parts = plan.split("train") + plan.split("val")
    arrays = read_parts(
        parts,
        features,
        max_bytes=settings.chips.max_memory_gb * _GIGA,
        cache=settings.work_dir / "cache",
        progress=progress,
    )
    count = len(plan.split("train"))
    return TrainingData(plan, arrays[:count], arrays[count:], features)


def select_features(data: TrainingData, settings: Settings) -> TrainingData:
    """Take of arrays that were read for several trainings what this one would have read.

    Args:
        data: Read with at least the elevation features of `settings`.
        settings: Channels and elevation features of the training.
    """
    features = reading_recipe(settings, data.features.value_range)
    if features == data.features:
        return data
    taken = [data.features.features.index(name) for name in features.features]

    def select(arrays: CemeteryArrays) -> CemeteryArrays:
        heights = arrays.elevation
        return replace(arrays, elevation=heights[taken] if taken and heights is not None else None)

    train, val = ([select(one) for one in arrays] for arrays in (data.train, data.val))
    return TrainingData(data.plan, train, val, features)


def reading_recipe(settings: Settings, value_range: ValueRange | None = None) -> InputRecipe:
    """Return a recipe good for reading: what it normalises by is not settled yet."""
    return InputRecipe.from_settings(settings, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), value_range)


def arrays_bytes(parts: Sequence[PartPlan], settings: Settings) -> int:
    """Say how much memory the arrays of some parts take, in bytes."""
    recipe = reading_recipe(settings)
    return sum(memory_bytes(plan, recipe) for plan in parts)


def _tell_findings(plan: PartPlan, with_dem: bool, progress: Progress) -> None:
    cemetery = plan.part.cemetery
    for sentence in plan.found.findings.sentences():
        progress.note(f"{cemetery.labels}: {sentence}")
    for note in delivery_notes(cemetery.orthophoto, cemetery.dem if with_dem else None):
        progress.note(note)
