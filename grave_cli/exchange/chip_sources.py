"""A data folder in, the parts of cemeteries out that chips are cut from: graves and pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.dataset.annotations import read_graves
from grave_cli.dataset.cemetery_arrays import drawn_graves
from grave_cli.dataset.manifest import Cemetery, Manifest
from grave_cli.dataset.plans import CemeteryPlan, PartPlan, plan_parts
from grave_cli.dataset.splits import SPLITS, Split, assign_parts
from grave_cli.dataset.truth_notes import report_truth
from grave_cli.exchange.chip_index import Chip
from grave_cli.outlines.polygons import Polygons, mended
from grave_cli.progress import Progress
from grave_cli.rasters.grid import Window, WorkingGrid
from grave_cli.rasters.orthophoto import Orthophoto, inspect_orthophoto, orthophoto_grid
from grave_cli.rasters.orthophoto_pixels import OrthophotoReader
from grave_cli.settings.tree import Settings
from grave_cli.vectors.areas import Area, rasterize_area

ALL: Literal["all"] = "all"
ChipSplit = Split | Literal["all"]
CHIP_SPLITS: tuple[ChipSplit, ...] = (*SPLITS, ALL)

_LEAST_PX = 1.0  # smaller rests of a grave at the edge of a chip are no example of one


@dataclass(frozen=True)
class ChipSource:
    """A part of a cemetery that chips are cut from.

    Args:
        cemetery: Name of the cemetery.
        split: The split of its chips.
        orthophoto: Its orthophoto.
        grid: The cemetery's whole grid.
        window: Pixels of the part; those of other parts are blank.
        graves: Graves in pixels of the grid.
        area: The labelled area in the grid's CRS, outside of which pixels are blank; None: all.
    """

    cemetery: str
    split: ChipSplit
    orthophoto: Orthophoto
    grid: WorkingGrid
    window: Window
    graves: Polygons
    area: Area | None

    @cached_property
    def _tree(self) -> shapely.STRtree:
        """The graves by their places: a chip shows few of them."""
        return shapely.STRtree(self.graves)

    def places(self, size_px: int, overlap_px: int) -> Iterator[tuple[int, int]]:
        """Yield column and row of each chip; together they cover the part.

        Example: chips of 640 pixels that overlap by 96, and a part of 1000 columns: the chips begin
        at 0 and 544, and the second one reaches 184 columns beyond the part.
        """
        left, top = int(self.window.col_off), int(self.window.row_off)
        columns = range(0, max(1, int(self.window.width) - overlap_px), size_px - overlap_px)
        rows = range(0, max(1, int(self.window.height) - overlap_px), size_px - overlap_px)
        yield from ((left + column, top + row) for row in rows for column in columns)

    def read(self, reader: OrthophotoReader, chip: Chip) -> NDArray[np.uint8] | None:
        """Read the colours of a chip, black where it shows nothing; None if that is everywhere.

        Shapes:
            returns: (3, size, size)
        """
        pixels = reader.read(self.grid.crop(_window(chip)))
        shown = pixels.valid & self._inside(chip)
        if self.area is not None:
            shown &= rasterize_area(self.area, pixels.grid)
        if not shown.any():
            return None
        pixels.rgb[:, ~shown] = 0
        return pixels.rgb

    def outlines(self, chip: Chip) -> list[list[shapely.Polygon]]:
        """Return the parts of each grave on a chip, in pixels of the chip."""
        size = chip.size_px
        frame = shapely.box(chip.column, chip.row, chip.column + size, chip.row + size)
        left, top = int(self.window.col_off), int(self.window.row_off)
        right, bottom = left + int(self.window.width), top + int(self.window.height)
        shown = frame & shapely.box(left, top, right, bottom)
        cut = shapely.intersection(self.graves[np.sort(self._tree.query(shown))], shown)
        moved = shapely.transform(cut, lambda points: points - (chip.column, chip.row))
        parts = ([p for p in shapely.get_parts(one) if _is_seen(p)] for one in moved)
        return [some for some in parts if some]

    def _inside(self, chip: Chip) -> NDArray[np.bool_]:
        """Mark the pixels of a chip that belong to the part."""
        columns = np.arange(chip.column, chip.column + chip.size_px) - self.window.col_off
        rows = np.arange(chip.row, chip.row + chip.size_px) - self.window.row_off
        across = (columns >= 0) & (columns < self.window.width)
        down = (rows >= 0) & (rows < self.window.height)
        inside: NDArray[np.bool_] = down[:, None] & across
        return inside


def _is_seen(part: shapely.Geometry) -> bool:
    return bool(part.geom_type == "Polygon" and part.area >= _LEAST_PX)


def _window(chip: Chip) -> Window:
    return Window(chip.column, chip.row, chip.size_px, chip.size_px)


def split_sources(manifest: Manifest, settings: Settings, progress: Progress) -> list[ChipSource]:
    """Return the parts of all splits, as a training uses them: nothing is in two splits.

    Args:
        manifest: The data set.
        settings: Cemeteries of each split, GSD, layers and filter of the annotations.
        progress: Receives notes on repaired and omitted labels.

    Raises:
        DatasetError: The data folder cannot be used.
        GridError: No working grid can be laid on an orthophoto.
        RasterReadError: An orthophoto cannot be used.
    """
    parts = list(plan_parts(assign_parts(manifest, settings.data), settings))
    for whole in {plan.whole.files.name: plan.whole for plan in parts}.values():
        report_truth(whole, progress)
    return [_of_part(plan) for plan in parts]


def whole_sources(manifest: Manifest, settings: Settings, progress: Progress) -> list[ChipSource]:
    """Return all cemeteries as a whole, also those without labels.

    Args:
        manifest: The data set.
        settings: GSD, layers and filter of the annotations.
        progress: Receives a note for cemeteries without labels, or with labels in an area alone,
            and notes on repaired and omitted labels.

    Raises:
        DatasetError: Labels cannot be used.
        GridError: No working grid can be laid on an orthophoto.
        RasterReadError: An orthophoto cannot be used.
    """
    everything = (*manifest.cemeteries, *manifest.ground)
    for cemetery in everything:
        if cemetery.labels is None and not cemetery.is_ground:
            progress.note(f"Cemetery {cemetery.name} has no labels: its chips have no annotations")
        elif _has_area(cemetery, settings) and not cemetery.is_ground:
            progress.warn(
                f"Cemetery {cemetery.name} is cut as a whole, but labelled in its area alone: "
                "graves elsewhere have no annotations"
            )
    return [_of_cemetery(cemetery, settings, progress) for cemetery in everything]


def _has_area(cemetery: Cemetery, settings: Settings) -> bool:
    by_layer = bool(settings.data.area_layer) and cemetery.annotations is not None
    return cemetery.area is not None or by_layer


def _of_part(plan: PartPlan) -> ChipSource:
    whole = plan.whole
    graves = drawn_graves(plan)
    if whole.area is not None:
        graves = shapely.intersection(graves, whole.area)
    return ChipSource(
        whole.files.name,
        plan.part.split,
        whole.orthophoto,
        whole.grid,
        plan.window,
        _in_pixels(graves, whole.grid),
        whole.area,
    )


def _of_cemetery(cemetery: Cemetery, settings: Settings, progress: Progress) -> ChipSource:
    orthophoto = inspect_orthophoto(cemetery.orthophoto)
    grid = orthophoto_grid(orthophoto, settings.grid.gsd_m, settings.grid.max_upsampling)
    graves: Polygons = np.array([], dtype=object)
    if cemetery.labels is not None:
        found = read_graves(cemetery, grid, settings.data)
        report_truth(CemeteryPlan(cemetery, orthophoto, grid, found, None), progress)
        graves = found.polygons
    pixels = _in_pixels(graves, grid)
    return ChipSource(cemetery.name, ALL, orthophoto, grid, grid.window, pixels, None)


def _in_pixels(graves: Polygons, grid: WorkingGrid) -> Polygons:
    inverse = ~grid.transform
    scaled: Polygons = shapely.transform(
        graves, lambda p: np.stack(inverse @ (p[:, 0], p[:, 1]), axis=1)
    )
    return mended(scaled)
