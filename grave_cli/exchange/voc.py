"""Pascal VOC XML in, a drawing out: one file for each image, with boxes or polygons.

Source: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf. Tools add polygons in two
ways: `<polygon><x1/><y1/><x2/>…` and `<polygon><pt><x/><y/></pt>…`. Corners are taken as they are
written, as today's tools count from 0.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from grave_cli.dataset.named_files import readable
from grave_cli.exchange.drawing import Image, Shape, polygon, rectangle, turned

TOOL = "Pascal VOC"
ENDING = ".xml"
_SIDES = ("xmin", "ymin", "xmax", "ymax")
_DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")  # VOC has none; nested ones fill the memory


def files_in(folder: Path) -> list[Path]:
    """Find the annotations in a folder, also deep in it; hidden files are litter, as of a Mac.

    Raises:
        DatasetError: The folder cannot be read.
    """
    with readable(folder):
        found = sorted(folder.rglob("*"))
    return [path for path in found if path.suffix.lower() == ENDING and path.name[0] != "."]


def read_voc(path: Path) -> Image:
    """Read the annotations of one image.

    Raises:
        ValueError: It is not VOC.
    """
    content = path.read_bytes()
    if any(word in content for word in _DECLARATIONS):
        raise ValueError("declarations (DOCTYPE, ENTITY) are not read")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, LookupError) as error:
        raise ValueError(str(error)) from None
    if root.tag != "annotation":
        raise ValueError(f"found <{root.tag}>, expected <annotation>")
    name = (root.findtext("filename") or "").strip() or path.stem
    size = None
    if root.find("size") is not None:
        width, height = (_number(root, f"size/{side}") for side in ("width", "height"))
        size = (int(width), int(height)) if width >= 1 and height >= 1 else None
    return Image(name, size, tuple(map(_shape, root.iter("object"))))


def _shape(element: ElementTree.Element) -> Shape:
    category = (element.findtext("name") or "").strip()
    drawn = element.find("polygon")
    corners = list(_corners(drawn)) if drawn is not None else []
    outline = polygon(corners) if corners else None
    if outline is not None:
        return Shape(category, (outline,))
    left, top, right, bottom = (_number(element, f"bndbox/{side}") for side in _SIDES)
    if not (left < right and top < bottom):
        raise ValueError(f"a box has no area ({left:g}, {top:g}, {right:g}, {bottom:g})")
    box = turned(rectangle(left, top, right - left, bottom - top), _rotation(element))
    return Shape(category, (box,), is_box=True)


def _rotation(element: ElementTree.Element) -> str:
    """Return the angle of a turned box, which CVAT writes among the attributes of an object."""
    attributes = element.iter("attribute")
    angles = (one.findtext("value") for one in attributes if one.findtext("name") == "rotation")
    return next(angles, None) or "0"


def _corners(drawn: ElementTree.Element) -> Iterator[tuple[float, float]]:
    for point in drawn.iter("pt"):
        yield _number(point, "x"), _number(point, "y")
    number = 1
    while drawn.find(f"x{number}") is not None:
        yield _number(drawn, f"x{number}"), _number(drawn, f"y{number}")
        number += 1


def _number(element: ElementTree.Element, place: str) -> float:
    text = element.findtext(place)
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"<{place}> of <{element.tag}> is {text!r}, expected a number")
    return value
