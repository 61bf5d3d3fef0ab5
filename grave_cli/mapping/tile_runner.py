"""The tile runner: a network over an area, tile by tile, each with its core kept.

Prediction, the maps behind thresholds and scores, and the sample panels of a training all run
through it; only the validation step of an epoch has batches of its own.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from grave_cli.errors import OutOfMemoryError, memory_fault
from grave_cli.mapping.engine import Engine, Result, StartingEngine, start_tiles
from grave_cli.mapping.probability_map import Levels, mark_valid, to_levels
from grave_cli.mapping.read_ahead import SectionInput
from grave_cli.mapping.sections import Section, place_within
from grave_cli.rasters.grid import Tile
from grave_cli.wording import counted


def run_tiles(area: SectionInput, engine: Engine, batch: int) -> Levels:
    """Compute the probabilities of one section, as `run_sections` does.

    Shapes:
        returns: (3, H, W) over the section's core
    """
    ((section, levels),) = run_sections([area], engine, batch)
    return _blank(section) if levels is None else levels


def run_sections(
    areas: Iterable[SectionInput], engine: Engine, batch: int
) -> Iterator[tuple[Section, Levels | None]]:
    """Compute the probabilities of sections, and yield each when it is finished.

    An engine that can start a batch without waiting for it computes while the next batch is read,
    also that of the next section.

    Args:
        areas: Network input of the sections and the tiles that show something.
        engine: Runs the network.
        batch: Tiles per call of the engine.

    Yields:
        The section and its probabilities times 255; 0 where the orthophoto has no pixels, and at
        least 1 in the body elsewhere. None where a section shows nothing.

    Shapes:
        levels: (3, H, W) over the section's core

    Raises:
        OutOfMemoryError: The memory is too small for a batch.
    """
    ahead = 1 if isinstance(engine, StartingEngine) else 0
    started: deque[_Started] = deque()
    for area in areas:
        if not area.tiles:
            yield area.section, None
            continue
        levels = _blank(area.section)
        for at in range(0, len(area.tiles), batch):
            tiles = area.tiles[at : at + batch]
            is_last = at + batch >= len(area.tiles)
            started.append(_Started(area, levels, tiles, is_last, _start(engine, area, tiles)))
            if len(started) > ahead:
                yield from started.popleft().finish()
    for one in started:
        yield from one.finish()


@dataclass(frozen=True)
class _Started:
    """A batch that is being computed.

    Args:
        area: Its section.
        levels: Receives the probabilities of the section.
        tiles: Its tiles.
        is_last: It is the last one of its section.
        result: Waits for the probabilities.
    """

    area: SectionInput
    levels: Levels
    tiles: Sequence[Tile]
    is_last: bool
    result: Result

    def finish(self) -> Iterator[tuple[Section, Levels]]:
        """Wait for the batch and keep the cores of its tiles; yield the section if it is done."""
        core = self.area.section.core
        with _memory_named(self.tiles):
            results = self.result()
        for tile, result in zip(self.tiles, results, strict=True):
            kept = to_levels(result[:, *tile.core_in_tile])
            place = place_within(core, tile.core)
            self.levels[:, *place] = mark_valid(kept, self.area.core_valid(tile))
        if self.is_last:
            yield self.area.section, self.levels


def _blank(section: Section) -> Levels:
    return np.zeros((3, int(section.core.height), int(section.core.width)), np.uint8)


def _start(engine: Engine, area: SectionInput, tiles: Sequence[Tile]) -> Result:
    with _memory_named(tiles):
        return start_tiles(engine, [area.tile_input(tile) for tile in tiles])


@contextmanager
def _memory_named(tiles: Sequence[Tile]) -> Iterator[None]:
    """Name exhausted memory as such; torch, ONNX Runtime and Python each have their own error."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if memory_fault(error) is None:
            raise
        height, width = int(tiles[0].window.height), int(tiles[0].window.width)
        raise OutOfMemoryError(
            f"not enough memory: {counted(len(tiles), 'tile')} of {width} x {height} pixels",
            found=memory_fault(error),
            remedy="close other programs, or set a smaller prediction.tile_px",
        ) from error
