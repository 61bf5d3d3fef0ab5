"""Validation cemeteries and a model in, cached probabilities next to the truth out.

Everything that is settled after a training (thresholds, calibration) looks at these, so that the
network runs over the validation cemeteries once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.evaluation.score import ObjectScore, add_scores, score_labels
from grave_cli.graves.instances import decode, owned_labels
from grave_cli.learning.cutting import cut_chip
from grave_cli.mapping.engine import Engine
from grave_cli.mapping.sections import plan_sections
from grave_cli.mapping.tiling import choose_tiling
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.grid import Tile
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.mapping import DecodingSettings, PredictionSettings

_LEVELS = 255


@dataclass(frozen=True)
class ValidationMap:
    """Probabilities over a validation part, and what is true there.

    Args:
        levels: Probabilities of body, border and contact, times 255.
        truth: Grave ids from 1.
        scored: Where the truth is known.
        valid: Where the orthophoto shows something.
        gsd_m: Edge of a pixel in metres.

    Shapes:
        levels: (3, H, W) uint8; the others: (H, W)
    """

    levels: NDArray[np.uint8]
    truth: NDArray[np.int32]
    scored: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    gsd_m: float

    def probabilities(self) -> NDArray[np.float32]:
        """Return the probabilities as numbers in [0, 1], (3, H, W)."""
        return np.divide(self.levels, np.float32(_LEVELS), dtype=np.float32)


def map_validation(
    parts: Sequence[CemeteryArrays],
    engine: Engine,
    recipe: InputRecipe,
    settings: PredictionSettings,
    progress: Progress = SILENT,
) -> list[ValidationMap]:
    """Compute the probabilities of validation parts.

    Args:
        parts: What to compute.
        engine: Runs the model.
        recipe: How arrays become input.
        settings: Tiles, halo, batch.
        progress: Is told of the working pixels done, in Mpx.
    """
    total = sum(part.valid.size for part in parts) / 1e6
    with progress.task("Mapping validation cemeteries", total, "Mpx") as advance:
        maps = []
        for part in parts:
            maps.append(_map_part(part, engine, recipe, settings))
            advance(part.valid.size / 1e6)
        return maps


def score_decoding(maps: Sequence[ValidationMap], decoding: DecodingSettings) -> ObjectScore:
    """Decode the maps and match the graves whose centroid lies where the truth is known.

    Args:
        maps: Probabilities and truth.
        decoding: Thresholds.
    """
    scores = []
    for one in maps:
        labels = decode(one.probabilities(), one.gsd_m, decoding)
        owned = owned_labels(one.truth, one.scored), owned_labels(labels, one.scored)
        scores.append(score_labels(one.truth, labels, owned))
    return add_scores(scores)


def _map_part(
    part: CemeteryArrays, engine: Engine, recipe: InputRecipe, settings: PredictionSettings
) -> ValidationMap:
    levels = np.zeros((3, *part.grid.shape), np.uint8)
    for tiles in _batches(part, engine, settings):
        chips = [cut_chip(part, tile.window) for tile in tiles]
        batch = np.stack([recipe.network_input(c.rgb, c.elevation, c.valid) for c in chips])
        for tile, result in zip(tiles, engine.probabilities(batch), strict=True):
            core = result[(slice(None), *tile.core_in_tile)] * _LEVELS
            levels[(slice(None), *tile.core.toslices())] = np.rint(core)
    levels *= part.valid
    return ValidationMap(levels, part.instances, part.scored, part.valid, recipe.gsd_m)


def _batches(
    part: CemeteryArrays, engine: Engine, settings: PredictionSettings
) -> Iterator[list[Tile]]:
    """List the tiles that show something, some at a time."""
    tiling = choose_tiling(part.grid.shape, engine.batch_mpx, settings)
    tiles = [
        tile
        for section in plan_sections(part.grid, tiling).sections
        for tile in section.tiles
        if part.valid[tile.core.toslices()].any()
    ]
    for start in range(0, len(tiles), tiling.batch):
        yield tiles[start : start + tiling.batch]
