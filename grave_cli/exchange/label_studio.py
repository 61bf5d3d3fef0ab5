"""JSON of Label Studio in, a drawing out.

Source: https://labelstud.io/guide/export, formats JSON and JSON_MIN; coordinates are percents of
the image, rectangles turn around their upper left corner, clockwise.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import shapely
import shapely.affinity
from pydantic import BaseModel, Field, FiniteFloat, PositiveInt

from grave_cli.exchange.drawing import Drawing, Image, Shape, polygon, rectangle
from grave_cli.wording import counted

TOOL = "Label Studio"
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".jp2")
_LABELS = ("polygonlabels", "rectanglelabels", "labels")
_CANCELLED = "was_cancelled"


class _Value(BaseModel):
    points: list[tuple[FiniteFloat, FiniteFloat]] | None = Field(None, max_length=100_000)
    x: FiniteFloat | None = None
    y: FiniteFloat | None = None
    width: FiniteFloat | None = None
    height: FiniteFloat | None = None
    rotation: FiniteFloat = 0.0
    polygonlabels: list[str] = []
    rectanglelabels: list[str] = []
    labels: list[str] = []

    @property
    def category(self) -> str:
        """The first of its labels."""
        return next((name for key in _LABELS for name in getattr(self, key)), "")


class _Region(BaseModel):
    original_width: PositiveInt
    original_height: PositiveInt
    image_rotation: FiniteFloat = 0.0
    value: _Value


def read_label_studio(content: Any) -> Drawing:
    """Read the content of an export of Label Studio.

    Args:
        content: Parsed JSON: a list of tasks.

    Raises:
        ValueError: It is none.
    """
    images, skipped, spare = [], 0, 0
    for task in content:
        if not isinstance(task, dict):
            raise ValueError(f"a task is {type(task).__name__}, expected an object")
        regions, others = _regions(task)
        spare += others
        shapes, size = [], None
        for region in regions:
            found = _shape(region)
            if found is None:
                skipped += 1
                continue
            shape, size = found
            shapes.append(shape)
        images.append(Image(_image_name(task), size, tuple(shapes)))
    notes = []
    if skipped:
        notes.append(
            f"{counted(skipped, 'annotation')} that are neither polygons nor rectangles left out "
            "(brushes: export them as COCO)"
        )
    if spare:
        notes.append(f"{counted(spare, 'further annotation')} of the same tasks left out")
    return Drawing(TOOL, tuple(images), tuple(notes))


def _regions(task: Mapping[str, Any]) -> tuple[list[Any], int]:
    """Return what was drawn on a task: by its first annotation, or the one marked as truth.

    Also returns the number of its other annotations.
    """
    given = task.get("annotations", task.get("completions"))
    if not isinstance(given, list):
        return list(_small_regions(task)), 0
    done = [one for one in given if isinstance(one, dict) and not one.get(_CANCELLED)]
    if not done:
        return [], 0
    chosen = next((one for one in done if one.get("ground_truth")), done[0])
    result = chosen.get("result", [])
    if not isinstance(result, list):
        raise ValueError("the result of an annotation is no list")
    return result, len(done) - 1


def _small_regions(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the regions of a task of JSON_MIN, whose values stand beside their size."""
    for listed in task.values():
        for region in listed if isinstance(listed, list) else ():
            if isinstance(region, dict) and "original_width" in region:
                yield {**region, "value": region}


def _shape(region: Any) -> tuple[Shape, tuple[int, int]] | None:
    """Read a region; None for other things, such as a brush, a choice or a relation."""
    value = region.get("value") if isinstance(region, dict) else None
    if not isinstance(value, dict) or not ("points" in value or "width" in value):
        return None
    found = _Region.model_validate(region)
    if found.image_rotation % 360:
        raise ValueError(
            f"an image is turned by {found.image_rotation:g} degrees in Label Studio, turn it back"
        )
    size = found.original_width, found.original_height
    drawn, scale = found.value, (size[0] / 100, size[1] / 100)
    if drawn.points is not None:
        outline = polygon([(x * scale[0], y * scale[1]) for x, y in drawn.points])
        return None if outline is None else (Shape(drawn.category, (outline,)), size)
    box = _box(drawn, scale)
    return None if box is None else (Shape(drawn.category, (box,), is_box=True), size)


def _box(drawn: _Value, scale: tuple[float, float]) -> shapely.Polygon | None:
    if drawn.x is None or drawn.y is None or not drawn.width or not drawn.height:
        return None
    left, top = drawn.x * scale[0], drawn.y * scale[1]
    upright = rectangle(left, top, drawn.width * scale[0], drawn.height * scale[1])
    # Rows count downwards, so a positive angle turns clockwise on the screen.
    turned: shapely.Polygon = shapely.affinity.rotate(upright, drawn.rotation, origin=(left, top))
    return turned


def _image_name(task: Mapping[str, Any]) -> str:
    """Find the name of a task's image: a path, an address, or one with the path in its query."""
    data = task.get("data", task)
    values = data.values() if isinstance(data, dict) else ()
    texts = [value for value in values if isinstance(value, str)]
    names = [_file_name(text) for text in texts]
    for name in names:
        if PurePosixPath(name).suffix.lower() in _PICTURES:
            return name
    raise ValueError(f"a task has no image (id {task.get('id')})")


def _file_name(text: str) -> str:
    try:
        address = urlsplit(text)
    except ValueError:
        return text
    inner = parse_qs(address.query).get("d")
    return PurePosixPath(inner[0] if inner else unquote(address.path)).name
