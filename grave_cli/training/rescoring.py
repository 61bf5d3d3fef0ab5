"""How good any model is on the validation data of a training."""

from grave_cli.dataset.cemetery_arrays import CemeteryArrays, read_parts
from grave_cli.dataset.plans import plan_parts
from grave_cli.dataset.training_data import TrainingData
from grave_cli.model.bundle import Bundle
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings


def score_on_validation(
    bundle: Bundle, data: TrainingData, settings: Settings, progress: Progress = SILENT
) -> dict[str, float]:
    """Run a model over the validation parts, read at its own GSD and with its own recipe.

    Args:
        bundle: The model.
        data: Whose validation parts are taken; they have DEMs if the model wants heights.
        settings: Device, batches, memory.
        progress: Is told how far it is.

    Returns:
        The `val/…` scores that a training logs after an epoch.

    Raises:
        GraveError: The model cannot be run on this data.
    """
    from grave_cli.learning.datamodule import TileDataset
    from grave_cli.learning.metrics import TileScores
    from grave_cli.mapping.engine import open_engine

    recipe = bundle.card.recipe
    tiles = TileDataset(validation_parts(recipe, data, settings, progress), recipe, settings)
    plain = with_values(settings, {"prediction.tta": 1}).prediction  # as after an epoch
    engine = open_engine(bundle, plain, progress)
    scores = TileScores(recipe.gsd_m, bundle.card.decoding)
    with progress.task(f"Scoring {bundle.card.name}", len(tiles), "tiles") as advance:
        for batch in tiles.batches(settings.chips.batch_size):
            scores.add(engine.probabilities(batch["input"].numpy()), batch)
            advance(len(batch["input"]))
    return scores.take()


def validation_parts(
    recipe: InputRecipe, data: TrainingData, settings: Settings, progress: Progress
) -> list[CemeteryArrays]:
    """Take the validation parts as they were read, unless the recipe wants them otherwise.

    Args:
        recipe: How a model wants them.
        data: Whose parts they are.
        settings: Memory, cache.
        progress: Is told of each part that is read again.

    Raises:
        RasterReadError: A raster cannot be used.
    """
    normalisation = {"mean": data.features.mean, "std": data.features.std}
    if recipe.model_copy(update=normalisation) == data.features:
        return data.val
    at_its_gsd = with_values(settings, {"grid.gsd_m": recipe.gsd_m})
    return read_parts(
        list(plan_parts((plan.part for plan in data.plan.split("val")), at_its_gsd)),
        recipe,
        max_bytes=settings.chips.max_memory_gb * 1e9,
        cache=settings.work_dir / "cache",
        progress=progress,
    )
