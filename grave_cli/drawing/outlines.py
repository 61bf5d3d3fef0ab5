"""Polygons and instance rasters in, outlines on pictures out."""

from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from grave_cli.drawing.colormaps import BLUE, GREEN, ORANGE, PURPLE, RED, Color
from grave_cli.evaluation.verdicts import FOUND, MERGED, MISSED, SPLIT, WRONG, Verdicts
from grave_cli.outlines.polygons import Polygons


@dataclass(frozen=True)
class Layer:
    """Polygons outlined in one colour.

    Args:
        polygons: Polygons in the CRS of the picture.
        color: Colour of the outlines.
        caption: Text for the legend.
    """

    polygons: Polygons
    color: Color
    caption: str


VERDICT_COLORS = {MISSED: BLUE, FOUND: GREEN, WRONG: RED, MERGED: ORANGE, SPLIT: PURPLE}
"""Painted in this order: a match that is also a merge or piece has the colour of the mistake."""


def verdict_layers(predicted: Polygons, truth: Polygons, verdicts: Verdicts) -> list[Layer]:
    """Sort graves by their verdicts.

    Args:
        predicted: Predicted graves.
        truth: True graves, in the same CRS.
        verdicts: Their verdicts.
    """
    words = verdicts.counts.in_words()
    return [
        Layer(
            truth[verdicts.missed] if kind == MISSED else predicted[getattr(verdicts, kind)],
            color,
            f"{kind}: {words[kind]}",
        )
        for kind, color in VERDICT_COLORS.items()
    ]


def outline(
    picture: Image.Image,
    polygons: Polygons,
    transform: Affine,
    color: Color,
    width: int | None = None,
) -> None:
    """Outline polygons on a picture, in place.

    Args:
        picture: An RGB picture.
        polygons: Polygons in CRS units.
        transform: Picture pixels -> CRS.
        color: Colour of the outlines.
        width: Width of the outlines, in pixels; None chooses by the size of the picture.
    """
    draw = ImageDraw.Draw(picture)
    if width is None:
        width = 2 if min(picture.size) >= 600 else 1
    for polygon in polygons:
        points = _ring_px(polygon, transform)
        draw.line(points, fill=color, width=width, joint="curve")


def fill(picture: Image.Image, polygons: Polygons, transform: Affine, color: Color) -> None:
    """Fill polygons on a picture half-transparently and outline them, in place.

    Args:
        picture: An RGB picture.
        polygons: Polygons in CRS units; their holes are filled as well.
        transform: Picture pixels -> CRS.
        color: Colour of fill and outline.
    """
    draw = ImageDraw.Draw(picture, "RGBA")
    for polygon in polygons:
        draw.polygon(_ring_px(polygon, transform), fill=(*color, 130), outline=(*color, 255))


def grave_edges(labels: NDArray[np.int32], width: int = 1) -> NDArray[np.bool_]:
    """Find the pixels along the inner edge of each grave; touching graves have an edge each.

    Args:
        labels: Grave ids from 1, 0 is background.
        width: Width of the edge, in pixels.

    Shapes:
        labels: (H, W); returns: (H, W)
    """
    edges = np.zeros(labels.shape, np.bool_)
    for step in range(1, width + 1):
        vertical = labels[step:] != labels[:-step]
        horizontal = labels[:, step:] != labels[:, :-step]
        edges[step:] |= vertical
        edges[:-step] |= vertical
        edges[:, step:] |= horizontal
        edges[:, :-step] |= horizontal
    return edges & (labels > 0)


def _ring_px(polygon: shapely.Polygon, transform: Affine) -> list[tuple[float, float]]:
    points = shapely.get_coordinates(shapely.get_exterior_ring(polygon))
    columns, rows = ~transform @ (points[:, 0], points[:, 1])
    return list(zip(columns.tolist(), rows.tolist(), strict=True))
