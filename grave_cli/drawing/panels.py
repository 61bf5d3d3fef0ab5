"""A validation sample and its prediction in, pictures out: one per aspect, and all on one sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from grave_cli.drawing.colormaps import (
    BLUE,
    CYAN,
    GREEN,
    GREY,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    YELLOW,
    Color,
    Rgb,
    blend,
    grave_colors,
    grey,
    heat_colors,
    heat_ramp,
    terrain_colors,
    terrain_ramp,
)
from grave_cli.drawing.outlines import VERDICT_COLORS, grave_edges
from grave_cli.drawing.overview import on_paper
from grave_cli.drawing.sheet import (
    GAP_PX,
    TITLE_PX,
    Mark,
    beside,
    framed,
    heading,
    legend,
    stack,
    write_scale,
)
from grave_cli.evaluation.verdicts import KINDS, MISSED, WRONG, judge_labels

CELL_PX = 384
_ASPECTS = {
    "rgb": "orthophoto",
    "dem": "height above local ground",
    "gt_overlay": "ground truth",
    "pred_heatmap": "probability of a grave",
    "error_map": "errors",
}
_COMBINED = ("rgb", "dem", "pred_heatmap", "error_map")
_SMALLEST_SPAN_M = 0.1  # keeps noise on flat ground from spanning all colours
_CLIPPED = (1.0, 99.0)  # percentiles of height at the ends of the colour scale
_TOWERING_M = 1.5  # above nearly all graves and stones; trees and walls share one colour
_RAMP_PX = 90

_PIXEL_MARKS = (
    Mark("correct pixel", GREEN),
    Mark("false pixel", RED),
    Mark("missed pixel", BLUE),
)
_GRAVE_MARKS = (
    Mark("found grave (IoU of at least 0.5)", GREEN, is_line=True),
    Mark("merged", ORANGE, is_line=True),
    Mark("split", PURPLE, is_line=True),
    Mark("wrong", RED, is_line=True),
    Mark("missed grave", BLUE, is_line=True),
)
_HEAT_MARKS = (
    Mark("probability 0 to 1", ramp=heat_ramp(_RAMP_PX)),
    Mark("predicted graves", CYAN, is_line=True),
)


@dataclass(frozen=True)
class SampleView:
    """A validation sample and its prediction.

    Args:
        name: Place of the sample, for people.
        gsd_m: Edge of a pixel in metres.
        rgb: The orthophoto.
        valid: True where there is imagery.
        scored: True where the ground truth is known.
        truth: Ids of the true graves, from 1.
        predicted: Ids of the predicted graves, from 1.
        probability: Probability of a grave, in [0, 1].
        heights: Metres above local ground, NaN where unknown; None without a DEM.

    Shapes:
        rgb: (3, H, W); the others: (H, W), H = W
    """

    name: str
    gsd_m: float
    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    scored: NDArray[np.bool_]
    truth: NDArray[np.int32]
    predicted: NDArray[np.int32]
    probability: NDArray[np.float32]
    heights: NDArray[np.float32] | None = None

    @property
    def aspects(self) -> tuple[str, ...]:
        """Keys of the available pictures."""
        return tuple(key for key in _ASPECTS if key != "dem" or self.heights is not None)

    @cached_property
    def cells(self) -> dict[str, Image.Image]:
        """Pictures drawn so far, by key."""
        return {}

    @cached_property
    def picture(self) -> Rgb:
        """The orthophoto, (H, W, 3)."""
        return on_paper(self.rgb, self.valid)

    @cached_property
    def verdicts(self) -> dict[str, NDArray[np.intp]]:
        """Ids of each kind: of missed graves in `truth`, of the other kinds in `predicted`.

        Where the ground truth is unknown, nothing is wrong or missed.
        """
        judged = judge_labels(self.truth, self.predicted)
        ids = {kind: np.flatnonzero(getattr(judged, kind)) + 1 for kind in KINDS}
        ids[WRONG] = np.intersect1d(ids[WRONG], _ids_within(self.predicted, self.scored))
        ids[MISSED] = np.intersect1d(ids[MISSED], _ids_within(self.truth, self.scored))
        return ids

    def caption(self) -> str:
        """Describe the place of the sample and its score."""
        number = {kind: len(ids) for kind, ids in self.verdicts.items()}
        size = f"{self.rgb.shape[1] * self.gsd_m:.0f} m wide"
        counts = ", ".join(f"{number[kind]} {kind}" for kind in KINDS)
        return f"{self.name} ({size}): {counts}; Dice {self._dice():.2f}"

    def _dice(self) -> float:
        truth, drawn = self.truth[self.scored] > 0, self.predicted[self.scored] > 0
        both = int(truth.sum() + drawn.sum())
        return 2 * int((truth & drawn).sum()) / both if both else 0.0


def combined(views: Sequence[SampleView], title: str) -> Image.Image:
    """Show samples on one sheet, one per row: orthophoto, heights if known, probability, errors.

    Args:
        views: The samples.
        title: One line.
    """
    keys = [key for key in _COMBINED if key in views[0].aspects]
    width = len(keys) * (CELL_PX + GAP_PX) - GAP_PX
    rows = [heading(title, width, TITLE_PX)]
    rows.append(beside([heading(_ASPECTS[key], CELL_PX) for key in keys]))
    for view in views:
        rows.append(heading(view.caption(), width))
        rows.append(beside([draw_cell(view, key) for key in keys]))
    rows.append(legend((*_PIXEL_MARKS, *_GRAVE_MARKS, *_HEAT_MARKS), width))
    return framed(stack(rows, 4))


def part_picture(view: SampleView, key: str, title: str) -> Image.Image:
    """Show one aspect of a sample, with a caption and a legend.

    Args:
        view: The sample.
        key: One of `view.aspects`.
        title: One line above the sample.
    """
    marks: dict[str, tuple[Mark, ...]] = {
        "gt_overlay": (Mark("one grave", YELLOW, is_line=True),),
        "pred_heatmap": _HEAT_MARKS,
        "error_map": (*_PIXEL_MARKS, *_GRAVE_MARKS),
    }
    head = f"{title}: {_ASPECTS[key]}" if title else _ASPECTS[key]
    rows = [heading(head, CELL_PX), draw_cell(view, key)]
    is_static = key in ("rgb", "dem", "gt_overlay")
    rows.append(heading(view.name if is_static else view.caption(), CELL_PX))
    if key in marks:
        rows.append(legend(marks[key], CELL_PX))
    return framed(stack(rows, 4), GAP_PX)


def draw_cell(view: SampleView, key: str) -> Image.Image:
    """Draw one aspect of a sample without a caption, CELL_PX wide and high."""
    if key not in view.cells:
        view.cells[key] = _draw(view, key)
    return view.cells[key]


def _draw(view: SampleView, key: str) -> Image.Image:
    draw = {
        "rgb": _draw_rgb,
        "dem": _draw_heights,
        "gt_overlay": _draw_truth,
        "pred_heatmap": _draw_heat,
        "error_map": _draw_errors,
    }
    return draw[key](view)


def error_map(view: SampleView) -> Rgb:
    """Colour correct pixels green, false ones red and missed ones blue, over the grey orthophoto.

    Nothing is coloured where the ground truth is unknown.

    Shapes:
        returns: (H, W, 3)
    """
    truth, drawn = (view.truth > 0) & view.scored, (view.predicted > 0) & view.scored
    picture = grey(view.picture, 0.75)
    for color, where in ((GREEN, truth & drawn), (RED, drawn & ~truth), (BLUE, truth & ~drawn)):
        picture = blend(picture, color, where, 0.5)
    return blend(picture, PAPER, ~view.valid, 1.0)


def height_range(heights: NDArray[np.float32]) -> tuple[float, float]:
    """Return the heights at the ends of the colour scale, in metres.

    Neither outliers nor objects that tower above graves stretch it.
    """
    known = heights[np.isfinite(heights)]
    if not known.size:
        return 0.0, _SMALLEST_SPAN_M
    low, high = (float(value) for value in np.percentile(known, _CLIPPED))
    return low, max(min(high, _TOWERING_M), low + _SMALLEST_SPAN_M)


def _draw_rgb(view: SampleView) -> Image.Image:
    return _enlarge(view.picture)


def _draw_heights(view: SampleView) -> Image.Image:
    assert view.heights is not None  # "dem" is an aspect only if there are heights
    heights = np.where(view.valid, view.heights, np.float32(np.nan))
    low, high = height_range(heights)
    cell = _enlarge(terrain_colors(heights, low, high))
    known = heights[np.isfinite(heights)]
    note = "no known heights"
    if known.size:
        note = f"all heights: {_metres(known.min())} to {_metres(known.max())} m"
    top = f"{_metres(high)} m{' and more' if known.size and known.max() > high else ''}"
    write_scale(cell, terrain_ramp(_RAMP_PX), f"{_metres(low)} m", top, note)
    return cell


def _draw_truth(view: SampleView) -> Image.Image:
    picture = blend(view.picture, grave_colors(view.truth), view.truth > 0, 0.35)
    return _with_edges(_enlarge(picture), [(view.truth, YELLOW)])


def _draw_heat(view: SampleView) -> Image.Image:
    heat = heat_colors(view.probability)
    picture = blend(heat, PAPER, ~view.valid, 1.0)
    return _with_edges(_enlarge(picture), [(view.predicted, CYAN)])


def _draw_errors(view: SampleView) -> Image.Image:
    ids = view.verdicts
    drawn = [ids[kind] for kind in KINDS if kind != MISSED]
    others = np.setdiff1d(np.unique(view.predicted), np.concatenate([[0], *drawn]))
    edges = [(_only(view.predicted, others), GREY)]
    for kind, color in VERDICT_COLORS.items():
        edges.append((_only(view.truth if kind == MISSED else view.predicted, ids[kind]), color))
    return _with_edges(_enlarge(error_map(view)), edges)


def _with_edges(
    cell: Image.Image, graves: Sequence[tuple[NDArray[np.int32], Color]]
) -> Image.Image:
    picture = np.array(cell)
    for labels, color in graves:
        picture[grave_edges(_enlarge_labels(labels), width=2)] = color
    return Image.fromarray(picture)


def _enlarge(picture: Rgb) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    return image.resize((CELL_PX, CELL_PX), Image.Resampling.BICUBIC)


def _enlarge_labels(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    rows = np.arange(CELL_PX) * labels.shape[0] // CELL_PX
    columns = np.arange(CELL_PX) * labels.shape[1] // CELL_PX
    return np.asarray(labels[rows[:, None], columns])


def _ids_within(labels: NDArray[np.int32], scored: NDArray[np.bool_]) -> NDArray[np.intp]:
    """List the ids with at least half of their pixels where the ground truth is known."""
    pixels = np.bincount(labels.ravel())
    inside = np.bincount(labels.ravel(), weights=scored.ravel())
    ids = np.flatnonzero((pixels > 0) & (2 * inside >= pixels))
    return ids[ids > 0]


def _only(labels: NDArray[np.int32], ids: NDArray[np.intp]) -> NDArray[np.int32]:
    return np.where(np.isin(labels, ids), labels, 0).astype(np.int32)


def _metres(value: float) -> str:
    return f"{value:.1f}".replace("-0.0", "0.0")
