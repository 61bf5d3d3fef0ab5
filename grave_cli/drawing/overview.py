"""Arrays in, pictures out: outlines, captions, overviews. Pure: no files, torch or MLflow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Rgb = NDArray[np.uint8]
Color = tuple[int, int, int]

GREEN: Color = (40, 200, 80)
RED: Color = (235, 60, 50)
BLUE: Color = (50, 120, 255)
YELLOW: Color = (255, 210, 0)
_PAPER: Color = (250, 250, 248)
_INK: Color = (30, 30, 30)
_MARGIN_PX = 10
_CAPTION_PX = 18


@dataclass(frozen=True)
class Layer:
    """Polygons to be outlined in one colour.

    Args:
        polygons: In the picture's CRS.
        color: Of the line.
        caption: What they are, for the legend.
    """

    polygons: NDArray[np.object_]
    color: Color
    caption: str


def overview(
    rgb: Rgb, valid: NDArray[np.bool_], transform: Affine, layers: Sequence[Layer], title: str
) -> Image.Image:
    """Draw outlines over an orthophoto, with a title and a legend below.

    Args:
        rgb: The orthophoto.
        valid: Where it shows something; elsewhere the paper shows.
        transform: Picture pixels -> CRS.
        layers: What to outline; later ones lie on top.
        title: One line.

    Shapes:
        rgb: (3, H, W); valid: (H, W)
    """
    pixels = np.where(valid, rgb, np.array(_PAPER, np.uint8)[:, None, None])
    picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    for layer in layers:
        outline(picture, layer.polygons, transform, layer.color)
    return _with_legend(picture, layers, title)


def outline(
    picture: Image.Image, polygons: NDArray[np.object_], transform: Affine, color: Color
) -> None:
    """Outline polygons on a picture, in place.

    Args:
        picture: RGB.
        polygons: In CRS units.
        transform: Picture pixels -> CRS.
        color: Of the line.
    """
    draw = ImageDraw.Draw(picture)
    inverse = ~transform
    width = 2 if min(picture.size) >= 600 else 1
    for polygon in polygons:
        points = shapely.get_coordinates(shapely.get_exterior_ring(polygon))
        columns, rows = inverse @ (points[:, 0], points[:, 1])
        draw.line(list(zip(columns, rows, strict=True)), fill=color, width=width, joint="curve")


def _with_legend(picture: Image.Image, layers: Sequence[Layer], title: str) -> Image.Image:
    font = ImageFont.load_default(_CAPTION_PX)
    row = _CAPTION_PX + _MARGIN_PX
    height = picture.height + _MARGIN_PX + row * (1 + len(layers))
    needed = max([font.getlength(title)] + [font.getlength(x.caption) + row for x in layers])
    sheet = Image.new("RGB", (max(picture.width, int(needed) + 2 * _MARGIN_PX), height), _PAPER)
    sheet.paste(picture)
    draw = ImageDraw.Draw(sheet)
    top = picture.height + _MARGIN_PX
    draw.text((_MARGIN_PX, top), title, fill=_INK, font=font)
    for layer in layers:
        top += row
        draw.line([(_MARGIN_PX, top + 10), (_MARGIN_PX + 16, top + 10)], fill=layer.color, width=4)
        draw.text((_MARGIN_PX + row, top), layer.caption, fill=_INK, font=font)
    return sheet
