"""A probability map in, raw graves out: block by block, equal to decoding the whole at once.

Each connected part of the body is decoded, outlined and measured in a window that holds it whole;
neighbouring parts share a window. A part does not depend on pixels farther away, so block borders
leave no trace, and each grave is found exactly once.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from grave_cli.graves.attributes import heights_by_label
from grave_cli.graves.contours import trace_instances
from grave_cli.graves.evidence import Evidence, measure_evidence
from grave_cli.graves.instances import body_components, separate
from grave_cli.graves.targets import BODY
from grave_cli.mapping.components import Components, find_components, label_parts
from grave_cli.mapping.probability_map import ProbabilityMap, is_valid, to_probabilities
from grave_cli.mapping.scene import ReadHeights, Scene, reading_heights
from grave_cli.mapping.sections import place_within
from grave_cli.outlines.polygons import Polygons
from grave_cli.processes import usable_cores
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.mapping import DecodingSettings

_CELL_PX = 512
_LARGEST_PX = 2048 * 2048  # takes 0.4 GB; no real row of graves needs a larger window
_MARGIN_PX = 4  # pixels around a part that outlines and measurements need


@dataclass(frozen=True)
class RawGraves:
    """Graves as decoded, one entry each.

    Args:
        polygons: Outlines, in pixels of the cemetery's grid.
        evidence: Evidence of the probabilities for them.
        heights: Metres above local ground, NaN where unknown.
    """

    polygons: Polygons
    evidence: Evidence
    heights: NDArray[np.float64]

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "RawGraves":
        """Select graves by a mask, or by indices in the wanted order."""
        return RawGraves(self.polygons[keep], self.evidence.take(keep), self.heights[keep])


@dataclass(frozen=True)
class Block:
    """Parts of the body that are decoded together.

    Args:
        window: Window that holds them whole.
        anchors: Row and column of the first pixel of each part, in the grid.

    Shapes:
        anchors: (parts, 2)
    """

    window: Window
    anchors: NDArray[np.int64]


_NOTHING = Block(Window(0, 0, 1, 1), np.zeros((0, 2), np.int64))


def find_graves(
    probabilities: ProbabilityMap,
    scene: Scene,
    decoding: DecodingSettings,
    progress: Progress = SILENT,
    *,
    threads: int = 0,
    cell_px: int = _CELL_PX,
    largest_px: int = _LARGEST_PX,
) -> RawGraves:
    """Find and outline the graves of a whole map, from north to south.

    Blocks are decoded in threads; the slow steps release Python's lock.

    Args:
        probabilities: Probabilities over the cemetery's grid.
        scene: Source of the heights.
        decoding: Thresholds.
        progress: Receives the number of finished blocks.
        threads: Number of decoding threads; 0: one per core.
        cell_px: Edge of the cells in which parts of the body are found and grouped.
        largest_px: Pixels of the largest window in which a part is decoded; larger parts, which
            are no graves, are cut at the cells.

    Raises:
        RasterReadError: The DEM is damaged.
    """
    blocks = plan_blocks(probabilities, decoding, cell_px, largest_px)
    found = []
    with (
        progress.task("Drawing graves", len(blocks), "blocks") as advance,
        reading_heights(scene) as read_heights,
        ThreadPoolExecutor(threads or usable_cores(), "decode") as pool,
    ):
        decode = partial(decode_block, probabilities, read_heights, decoding)
        for graves in pool.map(decode, blocks):
            found.append(graves)
            advance(1)
        return _join(found or [decode(_NOTHING)])


def plan_blocks(
    probabilities: ProbabilityMap, decoding: DecodingSettings, cell_px: int, largest_px: int
) -> list[Block]:
    """Group the parts of the body into blocks of about one cell."""
    found = find_components(
        probabilities, decoding.body_threshold, cell_px=cell_px, max_px=largest_px
    )
    least = max(1, decoding.min_area_m2 / probabilities.grid.gsd_m**2)
    whole, pieces = (parts.take(parts.sizes >= least) for parts in (found.whole, found.pieces))
    shared = np.ptp(whole.bounds.reshape(-1, 2, 2), axis=1).max(axis=1, initial=0) <= cell_px
    owners = _outermost(whole)
    shared = shared[owners]
    blocks = [
        _block(whole.take(group), probabilities)
        for group in _by_cell(whole, owners, shared, cell_px)
    ]
    return blocks + [
        _block(pieces.take(index), probabilities) for index in np.arange(len(pieces))[:, None]
    ]


def _outermost(parts: Components) -> NDArray[np.intp]:
    """Find for each part the largest part whose frame holds it, or the part itself.

    A part in the hole of another is decoded beside it; otherwise the hole would be filled.
    """
    top, left, bottom, right = parts.bounds.T
    frames = shapely.box(left, top, right, bottom)
    inner, outer = shapely.STRtree(frames).query(frames, predicate="covered_by")
    order = np.lexsort((outer, parts.areas[outer]))
    owners = np.arange(len(parts))
    owners[inner[order]] = outer[order]
    return owners


def _by_cell(
    parts: Components, owners: NDArray[np.intp], shared: NDArray[np.bool_], cell_px: int
) -> Iterator[NDArray[np.intp]]:
    """Group small parts by the cell in which their owner begins, large ones with their content."""
    rows, columns = (parts.anchors[owners] // cell_px).T
    alone = np.where(shared, -1, owners)
    order = np.lexsort((alone, columns, rows))
    keys = np.column_stack([rows, columns, alone])[order]
    changes = np.flatnonzero(np.any(np.diff(keys, axis=0), axis=1)) + 1
    yield from (group for group in np.split(order, changes) if len(group))


def _block(parts: Components, probabilities: ProbabilityMap) -> Block:
    top, left = parts.bounds[:, :2].min(axis=0).tolist()
    bottom, right = parts.bounds[:, 2:].max(axis=0).tolist()
    return Block(Window(left, top, right - left, bottom - top), parts.anchors)


def decode_block(
    probabilities: ProbabilityMap,
    read_heights: ReadHeights,
    decoding: DecodingSettings,
    block: Block,
) -> RawGraves:
    """Decode and outline the parts of one block, without other parts in its window."""
    wider = _widened(block.window, probabilities.grid.window)
    levels = probabilities.read(wider)
    values = to_probabilities(levels)
    inner = place_within(wider, block.window)
    inside = np.zeros(values.shape[1:], np.bool_)
    inside[inner] = _parts_at(block, values[BODY][inner] >= decoding.body_threshold)
    labels = separate(values, body_components(inside), probabilities.grid.gsd_m, decoding)
    polygons, ids = trace_instances(labels, values[BODY], decoding.body_threshold)
    heights = read_heights(probabilities.grid.crop(wider))
    corner = np.array([wider.col_off, wider.row_off], np.float64)
    return RawGraves(
        np.asarray(shapely.transform(polygons, lambda points: points + corner)),
        measure_evidence(labels, values, is_valid(levels)),
        np.full(len(ids), np.nan) if heights is None else heights_by_label(heights, labels, ids),
    )


def _widened(window: Window, limits: Window) -> Window:
    wider = Window(
        window.col_off - _MARGIN_PX,
        window.row_off - _MARGIN_PX,
        window.width + 2 * _MARGIN_PX,
        window.height + 2 * _MARGIN_PX,
    )
    return wider.intersection(limits)


def _parts_at(block: Block, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Select the parts of the body that hold an anchor of the block."""
    parts = label_parts(inside)
    rows, columns = (block.anchors - (block.window.row_off, block.window.col_off)).T
    mine = np.zeros(int(parts.max()) + 1, np.bool_)
    mine[parts[rows, columns]] = True
    return mine[parts]


def _join(found: Sequence[RawGraves]) -> RawGraves:
    joined = RawGraves(
        np.concatenate([part.polygons for part in found]),
        Evidence.join([part.evidence for part in found]),
        np.concatenate([part.heights for part in found]),
    )
    x, y = shapely.get_coordinates(shapely.centroid(joined.polygons)).T
    return joined.take(np.lexsort((x, y)))
