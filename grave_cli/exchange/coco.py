"""COCO JSON in, a drawing out.

Source: https://cocodataset.org/#format-data. An outline is a list of polygons (x, y, x, y, …) or
runs of pixels (RLE), plain or packed into text; an annotation without one has a box alone.
"""

from collections import defaultdict
from typing import Annotated, Any

import shapely
from pydantic import BaseModel, Discriminator, Field, FiniteFloat, PositiveInt, Tag

from grave_cli.exchange.drawing import Drawing, Image, Shape, polygon, rectangle
from grave_cli.exchange.runs import MaskRuns, trace_runs
from grave_cli.wording import counted

TOOL = "COCO"
_Id = int | str
_Ring = Annotated[list[FiniteFloat], Field(max_length=100_000)]


def _kind(value: Any) -> str:
    return "mask" if isinstance(value, dict | MaskRuns) else "outlines"


_Drawn = Annotated[
    Annotated[list[_Ring], Tag("outlines")] | Annotated[MaskRuns, Tag("mask")],
    Discriminator(_kind),
]


class _Image(BaseModel):
    id: _Id
    file_name: str = Field(min_length=1)
    width: PositiveInt | None = None
    height: PositiveInt | None = None


class _Category(BaseModel):
    id: _Id
    name: str


class _Annotation(BaseModel):
    image_id: _Id
    category_id: _Id | None = None
    segmentation: _Drawn | None = None
    bbox: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat] | None = None


class _Coco(BaseModel):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category] = []


def read_coco(content: Any) -> Drawing:
    """Read the content of a COCO file.

    Args:
        content: Parsed JSON.

    Raises:
        ValueError: It is not COCO.
    """
    found = _Coco.model_validate(content)
    names = {category.id: category.name for category in found.categories}
    shapes: dict[_Id, list[Shape]] = defaultdict(list)
    known = {image.id for image in found.images}
    empty = 0
    for annotation in found.annotations:
        if annotation.image_id not in known:
            raise ValueError(f"there is no image with the id {annotation.image_id!r}")
        category = annotation.category_id
        name = "" if category is None else names.get(category, str(category))
        shape = _shape(annotation, name)
        empty += not shape.parts
        if shape.parts:
            shapes[annotation.image_id].append(shape)
    notes = (f"{counted(empty, 'annotation')} without an outline left out",) if empty else ()
    images = (
        Image(
            image.file_name,
            (image.width, image.height) if image.width and image.height else None,
            tuple(shapes[image.id]),
        )
        for image in found.images
    )
    return Drawing(TOOL, tuple(images), notes)


def _shape(annotation: _Annotation, category: str) -> Shape:
    drawn = annotation.segmentation
    parts: list[shapely.Polygon] = []
    if isinstance(drawn, MaskRuns):
        parts = trace_runs(drawn)
    elif drawn:
        if any(len(ring) % 2 for ring in drawn):
            raise ValueError("an outline has an odd number of coordinates")
        parts = [one for one in map(polygon, drawn) if one is not None]
    if parts or annotation.bbox is None:
        return Shape(category, tuple(parts))
    left, top, width, height = annotation.bbox
    has_area = width > 0 and height > 0
    box = (rectangle(left, top, width, height),) if has_area else ()
    return Shape(category, box, is_box=True)
