"""A mapped cemetery in, pictures of it out: an overview, and a comparison with the truth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from grave_cli.drawing.colormaps import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    YELLOW,
    Rgb,
    grey,
    heat_colors,
    heat_ramp,
)
from grave_cli.drawing.lettering import composed, letters
from grave_cli.drawing.outlines import Layer, fill, outline
from grave_cli.drawing.sheet import (
    GAP_PX,
    TITLE_PX,
    Mark,
    beside,
    framed,
    heading,
    legend,
    stack,
)
from grave_cli.outlines.polygons import Polygons
from grave_cli.wording import counted

MAX_SHEET_PX = 2000
_MARGIN_PX = 10
_CAPTION_PX = 18
_AROUND_PX = 60  # margins and gaps of a sheet
_CAPTIONS_PX = 180  # height of captions and legend
_SMALLEST_PANEL_PX = 360


@dataclass(frozen=True)
class CemeteryView:
    """A mapped cemetery and its ground truth.

    Args:
        title: One line.
        rgb: The orthophoto, at any resolution.
        valid: True where there is imagery; elsewhere the picture looks like paper.
        probability: Probability of a grave, in [0, 1], of the same place at any resolution.
        transform: Pixels of `rgb` -> CRS.
        truth: True graves.
        verdicts: Graves by their verdicts, from `verdict_layers`.
        predicted: Predictions with a verdict.
        others: Predictions where the ground truth is unknown.

    Shapes:
        rgb: (3, H, W); valid: (H, W); probability: (h, w)
    """

    title: str
    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    probability: NDArray[np.float32]
    transform: Affine
    truth: Polygons
    verdicts: Sequence[Layer]
    predicted: Polygons
    others: Polygons


def overview(
    rgb: NDArray[np.uint8],
    valid: NDArray[np.bool_],
    transform: Affine,
    layers: Sequence[Layer],
    title: str,
) -> Image.Image:
    """Draw outlines over an orthophoto, with a title and a legend below.

    Args:
        rgb: The orthophoto.
        valid: True where there is imagery; elsewhere the picture looks like paper.
        transform: Picture pixels -> CRS.
        layers: Layers to outline; later ones lie on top.
        title: One line.

    Shapes:
        rgb: (3, H, W); valid: (H, W)
    """
    picture = Image.fromarray(on_paper(rgb, valid))
    for layer in layers:
        outline(picture, layer.polygons, transform, layer.color)
    return _with_legend(picture, layers, title)


def cemetery_sheet(view: CemeteryView) -> Image.Image:
    """Show orthophoto, truth, probability, errors and polygons of a cemetery side by side.

    Returns:
        A picture of at most 2000 x 2000 pixels.
    """
    columns, scale = _lay_out(*view.valid.shape)
    height, width = (max(1, round(side * scale)) for side in view.valid.shape)
    panels = [
        stack([heading(title, width), panel])
        for title, panel in _panels(view, Affine.scale(1 / scale), (width, height))
    ]
    rows = [beside(panels[start : start + columns]) for start in range(0, len(panels), columns)]
    body = stack(rows, GAP_PX)
    parts = [heading(view.title, body.width, TITLE_PX), body, legend(_marks(view), body.width)]
    return framed(stack(parts, 4))


def on_paper(rgb: NDArray[np.uint8], valid: NDArray[np.bool_]) -> Rgb:
    """Turn bands into a picture that looks like paper where nothing is valid.

    Shapes:
        rgb: (3, H, W); valid: (H, W); returns: (H, W, 3)
    """
    picture = np.where(valid, rgb, np.array(PAPER, np.uint8)[:, None, None])
    return np.ascontiguousarray(picture.transpose(1, 2, 0))


def _lay_out(rows: int, columns: int) -> tuple[int, float]:
    """Choose how many of the five panels lie side by side, and their scale."""
    best = (1, 0.0)
    for across in (5, 3, 2, 1):
        down = -(-5 // across)
        width = (MAX_SHEET_PX - _AROUND_PX) / across
        height = (MAX_SHEET_PX - _AROUND_PX - _CAPTIONS_PX) / down - 30
        scale = min(width / columns, height / rows)
        if scale > best[1]:
            best = across, scale
    across, scale = best
    return across, min(scale, max(1.0, _SMALLEST_PANEL_PX / max(rows, columns)))


def _panels(
    view: CemeteryView, to_source: Affine, size: tuple[int, int]
) -> list[tuple[str, Image.Image]]:
    """Draw the five panels; `to_source` maps their pixels to those of the view."""
    transform = view.transform @ to_source
    photo = Image.fromarray(on_paper(view.rgb, view.valid)).resize(size, Image.Resampling.LANCZOS)
    faint = Image.fromarray(grey(np.asarray(photo), 0.8))
    heat = Image.fromarray(heat_colors(view.probability)).resize(size, Image.Resampling.BILINEAR)
    shown = Image.fromarray(view.valid).resize(size)
    drawn = counted(len(view.predicted) + len(view.others), "grave")

    def draw(under: Image.Image, paint: Callable[[Image.Image], None]) -> Image.Image:
        picture = under.copy()
        paint(picture)
        return picture

    def truth(picture: Image.Image) -> None:
        outline(picture, view.truth, transform, YELLOW)

    def errors(picture: Image.Image) -> None:
        for layer in view.verdicts:
            uncovered = _uncovered(layer, view.verdicts)
            fill(picture, uncovered, transform, layer.color)
            outline(picture, layer.polygons, transform, layer.color, 2)

    def polygons(picture: Image.Image) -> None:
        outline(picture, view.others, transform, GREY)
        outline(picture, view.predicted, transform, YELLOW)

    paper = Image.new("RGB", size, PAPER)
    faint.paste(paper, mask=ImageChops.invert(shown.convert("L")))
    return [
        ("orthophoto", photo),
        (f"ground truth: {counted(len(view.truth), 'grave')}", draw(photo, truth)),
        ("probability of a grave", Image.composite(heat, paper, shown)),
        ("errors", draw(faint, errors)),
        (f"prediction: {drawn}", draw(photo, polygons)),
    ]


def _uncovered(layer: Layer, verdicts: Sequence[Layer]) -> Polygons:
    """Cut the layers above out of a layer: two blended colours would make a third."""
    above = [other is layer for other in verdicts].index(True) + 1
    drawn = np.concatenate([np.empty(0, object), *(other.polygons for other in verdicts[above:])])
    index, over = shapely.STRtree(drawn).query(layer.polygons, predicate="intersects")
    covered, starts = np.unique(index, return_index=True)
    rest = layer.polygons.copy()
    for one, covers in zip(covered, np.split(drawn[over], starts)[1:], strict=True):
        rest[one] = shapely.difference(rest[one], shapely.union_all(covers))
    parts = shapely.get_parts(rest)
    is_area = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    return np.asarray(parts[is_area & ~shapely.is_empty(parts)])


def _marks(view: CemeteryView) -> list[Mark]:
    order = {GREEN: 0, ORANGE: 1, PURPLE: 2, RED: 3, BLUE: 4}
    verdicts = sorted(view.verdicts, key=lambda layer: order.get(layer.color, 5))
    marks = [Mark(layer.caption, layer.color) for layer in verdicts]
    marks.append(Mark("graves (ground truth or prediction)", YELLOW, is_line=True))
    if len(view.others):
        marks.append(Mark("predictions without ground truth", GREY, is_line=True))
    return [*marks, Mark("probability 0 to 1", ramp=heat_ramp(90))]


def _with_legend(picture: Image.Image, layers: Sequence[Layer], title: str) -> Image.Image:
    font, title = letters(_CAPTION_PX), composed(title)
    row = _CAPTION_PX + _MARGIN_PX
    height = picture.height + _MARGIN_PX + row * (1 + len(layers))
    needed = max([font.getlength(title)] + [font.getlength(x.caption) + row for x in layers])
    sheet = Image.new("RGB", (max(picture.width, int(needed) + 2 * _MARGIN_PX), height), PAPER)
    sheet.paste(picture)
    draw = ImageDraw.Draw(sheet)
    top = picture.height + _MARGIN_PX
    draw.text((_MARGIN_PX, top), title, fill=INK, font=font)
    for layer in layers:
        top += row
        draw.line([(_MARGIN_PX, top + 10), (_MARGIN_PX + 16, top + 10)], fill=layer.color, width=4)
        draw.text((_MARGIN_PX + row, top), layer.caption, fill=INK, font=font)
    return sheet
