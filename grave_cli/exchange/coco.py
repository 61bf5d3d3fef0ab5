"""COCO JSON in, a drawing out.

Source: https://cocodataset.org/#format-data. An outline is a list of polygons (x, y, x, y, …) or
runs of pixels (RLE), plain or packed into text; an annotation without one has a box alone. CVAT
writes the angle of a turned box as an attribute: https://docs.cvat.ai, format COCO.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated, Any

import shapely
from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    FiniteFloat,
    NonNegativeInt,
    Tag,
)

from grave_cli.exchange.drawing import Drawing, Image, Shape, polygon, rectangle, turned
from grave_cli.exchange.runs import MaskRuns, trace_runs
from grave_cli.wording import counted

TOOL = "COCO"
_Id = int | str
_Ring = Annotated[list[FiniteFloat], Field(max_length=100_000)]


_Box = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]


def _kind(value: Any) -> str:
    return "mask" if isinstance(value, dict | MaskRuns) else "outlines"


def _nested(value: Any) -> Any:
    """Put a single outline, as some tools write it, into a list of outlines."""
    is_flat = isinstance(value, list) and value and isinstance(value[0], int | float)
    return [value] if is_flat else value


_Drawn = Annotated[
    Annotated[list[_Ring], Tag("outlines")] | Annotated[MaskRuns, Tag("mask")],
    Discriminator(_kind),
    BeforeValidator(_nested),
]


class _Image(BaseModel):
    id: _Id
    file_name: str = Field(min_length=1)
    width: NonNegativeInt | None = None  # 0 where a tool does not know
    height: NonNegativeInt | None = None


class _Category(BaseModel):
    id: _Id
    name: str


class _Annotation(BaseModel):
    image_id: _Id
    category_id: _Id | None = None
    segmentation: _Drawn | None = None
    bbox: Annotated[_Box | None, BeforeValidator(lambda box: box or None)] = None
    attributes: Any = None


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
    names = _by_id("category", [(category.id, category.name) for category in found.categories])
    _by_id("image", [(image.id, image.file_name) for image in found.images])
    shapes: dict[_Id, list[Shape]] = defaultdict(list)
    sizes = {image.id: _size(image) for image in found.images}
    empty = 0
    for annotation in found.annotations:
        if annotation.image_id not in sizes:
            raise ValueError(f"there is no image with the id {annotation.image_id!r}")
        category = annotation.category_id
        name = "" if category is None else names.get(category, str(category))
        shape = _shape(annotation, name, sizes[annotation.image_id])
        empty += not shape.parts
        if shape.parts:
            shapes[annotation.image_id].append(shape)
    notes = (f"{counted(empty, 'annotation')} without an outline left out",) if empty else ()
    images = (
        Image(
            image.file_name,
            _size(image),
            tuple(shapes[image.id]),
        )
        for image in found.images
    )
    return Drawing(TOOL, tuple(images), notes)


def _by_id(kind: str, pairs: Iterable[tuple[_Id, str]]) -> dict[_Id, str]:
    """Name things by their ids.

    Raises:
        ValueError: An id stands for two, as in files that were joined: nobody knows which is meant.
    """
    names: dict[_Id, str] = {}
    for key, name in pairs:
        if names.setdefault(key, name) != name:
            raise ValueError(f"{kind} id {key!r} stands for {names[key]!r} and {name!r}")
    return names


def _size(image: _Image) -> tuple[int, int] | None:
    return (image.width, image.height) if image.width and image.height else None


def _shape(annotation: _Annotation, category: str, size: tuple[int, int] | None) -> Shape:
    drawn = annotation.segmentation
    parts: list[shapely.Polygon] = []
    if isinstance(drawn, MaskRuns):
        rows, columns = drawn.size
        if size is not None and (columns, rows) != size:
            raise ValueError(
                f"a mask of {columns} x {rows} pixels is on an image of {size[0]} x {size[1]}"
            )
        parts = trace_runs(drawn)
    elif drawn:
        if any(len(ring) % 2 for ring in drawn):
            raise ValueError("an outline has an odd number of coordinates")
        parts = [one for one in map(polygon, drawn) if one is not None]
    if parts or annotation.bbox is None:
        return Shape(category, tuple(parts))
    left, top, width, height = annotation.bbox
    if not (width > 0 and height > 0):
        return Shape(category, (), is_box=True)
    about = annotation.attributes if isinstance(annotation.attributes, dict) else {}
    box = turned(rectangle(left, top, width, height), about.get("rotation") or 0)
    return Shape(category, (box,), is_box=True)
