"""Model and orthophoto in, probabilities over the whole working grid out, in bounded memory.

The grid is cut into sections of tiles. Threads read some sections ahead while others are computed.
Finished sections go to a shelf; sections found there are not computed again.
"""

from collections.abc import Mapping

from grave_cli.mapping.engine import Engine, StartingEngine
from grave_cli.mapping.probability_map import ProbabilityMap, Shelf
from grave_cli.mapping.read_ahead import reader_count, reading_ahead
from grave_cli.mapping.scene import Scene
from grave_cli.mapping.sections import Section, SectionPlan, plan_sections
from grave_cli.mapping.tile_runner import run_sections
from grave_cli.mapping.tiling import choose_tiling
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.mapping import PredictionSettings
from grave_cli.wording import counted, is_or_are


def plan_scene(
    scene: Scene,
    engine: Engine,
    settings: PredictionSettings,
    speeds: Mapping[int, float] | None = None,
) -> SectionPlan:
    """Cut a scene's grid into tiles and sections that suit the engine and the file.

    Args:
        scene: The scene.
        engine: The engine.
        settings: Tiles, halo, batch.
        speeds: Mpx/s by tile edge; None treats all as equally fast.
    """
    tiling = choose_tiling(scene.grid.shape, engine.batch_mpx, settings, speeds)
    return plan_sections(scene.grid, tiling, whole_rows=scene.orthophoto.is_stored_in_rows)


def map_probabilities(
    scene: Scene,
    engine: Engine,
    settings: PredictionSettings,
    progress: Progress = SILENT,
    *,
    plan: SectionPlan | None = None,
    shelf: Shelf | None = None,
) -> ProbabilityMap:
    """Compute the probabilities of a whole orthophoto.

    Each tile is read with a halo, which gives the network context and is discarded. Empty tiles are
    not computed, and sections of empty tiles are not kept. Tiles outside the area of interest, or
    empty in a coarse overview, are not even read.

    Args:
        scene: The scene.
        engine: The engine.
        settings: Tiles, halo, batch.
        progress: Receives the working pixels done, in Mpx.
        plan: The sections; None calls `plan_scene`.
        shelf: Storage of the sections, perhaps with finished ones; None keeps them in memory.

    Raises:
        RasterReadError: A file is damaged.
        OutOfMemoryError: The memory is too small for a batch.
    """
    plan = plan or plan_scene(scene, engine, settings)
    shelf = {} if shelf is None else shelf
    todo = [section for section in plan.sections if section.index not in shelf]
    if done := len(plan.sections) - len(todo):
        words = f"{done} of {counted(len(plan.sections), 'section')} {is_or_are(done)} computed"
        progress.note(f"Resuming: {words}")
    total = sum(map(_megapixels, plan.sections))
    readers = reader_count(computes_elsewhere=isinstance(engine, StartingEngine))
    with (
        progress.task(f"Mapping {scene.orthophoto.name}", total, "Mpx") as advance,
        reading_ahead(scene, todo, readers) as inputs,
    ):
        advance(total - sum(map(_megapixels, todo)))
        for section, levels in run_sections(inputs, engine, plan.tiling.batch):
            if levels is not None:
                shelf[section.index] = levels
            advance(_megapixels(section))
    return ProbabilityMap(scene.grid, plan.height, plan.width, shelf, plan.tiling.halo)


def _megapixels(section: Section) -> float:
    return float(section.core.width * section.core.height) / 1e6
