"""An evaluation in, its map as SVG paths out: every grave in the layers of its verdicts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.evaluation.evaluate import Evaluation
from grave_cli.evaluation.verdicts import FOUND, KINDS, MERGED, MISSED, SPLIT, WRONG
from grave_cli.outlines.polygons import Polygons
from grave_cli.pages.paths import PER_M, bar_m, letters, svg_path

_MARGIN_M = 2.0

# In the order in which the layers are painted: a merge that is also found has both colours.
_COLORS = {
    FOUND: "#2f9e62",
    MERGED: "#e8890c",
    SPLIT: "#8a5cd6",
    WRONG: "#d63f4d",
    MISSED: "#1f6fde",
}
_TITLES = {
    FOUND: "found",
    MERGED: "merge of several graves",
    SPLIT: "piece of a split grave",
    WRONG: "wrong",
}


@dataclass(frozen=True)
class DrawnGrave:
    """One grave of the map.

    Args:
        path: Its outline, as the data of an SVG path in centimetres.
        title: Text shown on hovering; empty: none.
    """

    path: str
    title: str


@dataclass(frozen=True)
class MapLayer:
    """Graves that are shown and hidden together.

    Args:
        name: Class of the SVG group.
        caption: Its words in the legend.
        color: Of the graves, as CSS; empty: a dashed line.
        graves: The graves.
    """

    name: str
    caption: str
    color: str
    graves: Sequence[DrawnGrave]


@dataclass(frozen=True)
class DrawnMap:
    """A map with north at the top.

    Args:
        width: In centimetres.
        height: In centimetres.
        bar_m: Length of the scale bar, in metres.
        letters: Height of its letters, in centimetres.
        layers: The lowest first.
    """

    width: int
    height: int
    bar_m: int
    letters: int
    layers: Sequence[MapLayer]


def draw_map(evaluation: Evaluation) -> DrawnMap | None:
    """Draw the ground truth and, by verdict, the predictions and missed graves.

    The layers hold as many graves as `VerdictCounts` counts.

    Returns:
        The map; None without any graves.
    """
    truth, predicted = evaluation.truth.polygons, evaluation.prediction.polygons
    everything = np.concatenate([truth, predicted])
    if not len(everything):
        return None
    left, bottom, right, top = shapely.total_bounds(everything)
    corner = np.array([left - _MARGIN_M, top + _MARGIN_M])
    verdicts = evaluation.judgement.verdicts
    titles = np.array(list(_titles(evaluation)), dtype=object)
    layers = [MapLayer("truth", "ground truth", "", _draw(truth, corner))]
    words = verdicts.counts.in_words()
    for kind in KINDS:
        if kind == MISSED:
            graves = _draw(truth[verdicts.missed], corner, [MISSED] * verdicts.counts.missed)
        else:
            shown = getattr(verdicts, kind)
            graves = _draw(predicted[shown], corner, titles[shown])
        layers.append(MapLayer(kind, f"{kind}: {words[kind]}", _COLORS[kind], graves))
    width, height = (round((side + 2 * _MARGIN_M) * PER_M) for side in (right - left, top - bottom))
    return DrawnMap(width, height, bar_m(width, height), letters(width, height), layers)


def _titles(evaluation: Evaluation) -> Iterable[str]:
    """Write id, verdicts, IoU, confidence and area of each prediction, as far as known."""
    judgement = evaluation.judgement
    areas, verdicts = judgement.predicted_area, judgement.verdicts
    unnamed = np.full(len(areas), None, dtype=object)
    names = evaluation.prediction.values.get("grave_id", unnamed)
    overlap = np.full(len(areas), np.nan)
    overlap[judgement.pairs.predicted] = judgement.pairs.iou
    of_kind = np.stack([getattr(verdicts, kind) for kind in _TITLES], axis=1)
    for name, kinds, iou, confidence, area in zip(
        names, of_kind, overlap, judgement.confidence, areas, strict=True
    ):
        words = [str(name)] if name is not None else []
        words += [title for title, holds in zip(_TITLES.values(), kinds, strict=True) if holds]
        words += [f"IoU {iou:.2f}"] if np.isfinite(iou) else []
        words += [f"confidence {confidence:.2f}"] if np.isfinite(confidence) else []
        yield ", ".join([*words, f"{area:.2f} m²"])


def _draw(
    polygons: Polygons, corner: NDArray[np.float64], titles: Iterable[str] | None = None
) -> list[DrawnGrave]:
    words = [""] * len(polygons) if titles is None else titles
    return [
        DrawnGrave(svg_path(polygon, corner), title)
        for polygon, title in zip(polygons, words, strict=True)
    ]
