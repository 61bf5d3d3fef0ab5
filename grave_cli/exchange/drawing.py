"""What somebody drew on images in an annotation tool, free of the tool's format.

Coordinates are pixels of the image: (0, 0) is the upper left corner of the first pixel.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import shapely.affinity
import shapely.errors
from pydantic import ValidationError

from grave_cli.errors import DatasetError
from grave_cli.wording import counted

_LISTED = 12  # names in a message


@dataclass(frozen=True)
class Shape:
    """One annotation.

    Args:
        category: Its class.
        parts: Its outline in pixels; more than one if something covers its middle.
        is_box: It was drawn as a box.
    """

    category: str
    parts: tuple[shapely.Polygon, ...]
    is_box: bool = False


@dataclass(frozen=True)
class Image:
    """An image and its annotations.

    Args:
        name: Its file name, perhaps with folders.
        size: Columns and rows; None if the format does not say.
        shapes: Its annotations.
    """

    name: str
    size: tuple[int, int] | None
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Drawing:
    """All annotations of a file or folder.

    Args:
        tool: The format in words.
        images: The images, in their order.
        notes: Annotations that cannot be read, and other doubts, one line each.
    """

    tool: str
    images: tuple[Image, ...]
    notes: tuple[str, ...] = ()

    @property
    def categories(self) -> Counter[str]:
        """Number of annotations by category."""
        return Counter(shape.category for image in self.images for shape in image.shapes)


def choose(drawing: Drawing, wanted: Collection[str], where: Path) -> Drawing:
    """Keep the annotations of some categories; without a choice there must be one.

    Args:
        drawing: All annotations.
        wanted: Names of categories.
        where: The file, named in errors.

    Raises:
        DatasetError: There is no annotation, a category is missing, or there are several and none
            is chosen.
    """
    found = drawing.categories
    listing = ", ".join(f"{name!r} ({count})" for name, count in found.most_common(_LISTED))
    listing += ", …" if len(found) > _LISTED else ""
    if not found:
        images = counted(len(drawing.images), "image")
        raise DatasetError("no annotations", where=where, found=f"{images} without any")
    for name in wanted:
        if name not in found:
            raise DatasetError("no such category", where=where, found=listing, expected=repr(name))
    if len(found) > 1 and not wanted:
        raise DatasetError(
            "several categories",
            where=where,
            found=listing,
            expected="one, the graves",
            remedy="name those that are graves with --category",
        )
    kept = tuple(
        replace(
            image,
            shapes=tuple(s for s in image.shapes if not wanted or s.category in wanted),
        )
        for image in drawing.images
    )
    left_out = sum(count for name, count in found.items() if wanted and name not in wanted)
    notes = drawing.notes
    if left_out:
        notes += (f"{counted(left_out, 'annotation')} of other categories left out",)
    return replace(drawing, images=kept, notes=notes)


def polygon(corners: Sequence[Any] | np.ndarray) -> shapely.Polygon | None:
    """Make a polygon of its corners in pixels; None with fewer than three."""
    points = np.asarray(corners, np.float64).reshape(-1, 2)
    return shapely.Polygon(points) if len(points) >= 3 else None


def rectangle(left: float, top: float, width: float, height: float) -> shapely.Polygon:
    """Make an upright rectangle from its upper left corner and its size in pixels."""
    return shapely.box(left, top, left + width, top + height)


def turned(box: shapely.Polygon, degrees: Any) -> shapely.Polygon:
    """Turn a box around its middle, clockwise on the screen, where rows count downwards.

    Args:
        box: An upright box.
        degrees: The angle as a tool wrote it.

    Raises:
        ValueError: It is not a number.
    """
    try:
        angle = float(degrees)
    except (TypeError, ValueError):
        angle = math.nan
    if not math.isfinite(angle):
        raise ValueError(f"the rotation of a box is {degrees!r}, expected a number")
    if angle == 0:
        return box
    try:
        made: shapely.Polygon = shapely.affinity.rotate(box, angle, origin="center")
    except shapely.errors.GEOSException:
        raise ValueError(f"a box is too large to be turned by {degrees}") from None
    return made


def wrong_content(where: Path, tool: str, error: Exception) -> DatasetError:
    """Make the error for a file whose content is not that of its format.

    Args:
        where: The file.
        tool: The format in words.
        error: What the parser says.
    """
    reason: object = error
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False)[0]
        reason = f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
    return DatasetError(
        f"not a file of {tool}, or damaged: {reason}",
        where=where,
        remedy="export it from the annotation tool again",
    )
