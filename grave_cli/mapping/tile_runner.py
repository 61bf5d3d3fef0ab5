"""The tile runner: a network over an area, tile by tile, each with its core kept.

Prediction, the maps behind thresholds and scores, and the sample panels of a training all run
through it; only the validation step of an epoch has batches of its own.
"""

import numpy as np

from grave_cli.mapping.engine import Engine
from grave_cli.mapping.probability_map import Levels, mark_valid, to_levels
from grave_cli.mapping.read_ahead import SectionInput
from grave_cli.mapping.sections import place_within


def run_tiles(area: SectionInput, engine: Engine, batch: int) -> Levels:
    """Compute the probabilities of a section.

    Args:
        area: Network input of the section and the tiles that show something.
        engine: Runs the network.
        batch: Tiles per call of the engine.

    Returns:
        Probabilities times 255; 0 where the orthophoto has no pixels, and at least 1 in the body
        elsewhere.

    Shapes:
        returns: (3, H, W) over the section's core
    """
    core = area.section.core
    levels = np.zeros((3, int(core.height), int(core.width)), np.uint8)
    for start in range(0, len(area.tiles), batch):
        tiles = area.tiles[start : start + batch]
        results = engine.probabilities(np.stack([area.tile_input(tile) for tile in tiles]))
        for tile, result in zip(tiles, results, strict=True):
            kept = to_levels(result[:, *tile.core_in_tile])
            levels[:, *place_within(core, tile.core)] = mark_valid(kept, area.core_valid(tile))
    return levels
