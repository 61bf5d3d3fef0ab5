"""Masks as runs of pixels (RLE of COCO) in, outlines along the edges of the pixels out.

The runs go down the columns, from left to right, and alternate between background and object:
`[2, 3, 4]` in an image of 3 x 3 are two pixels of background and three of the object.

    . # .        column 1: . .  #      column 2: #  #  .
    . # .
    # . .

Packed into text, a count takes one letter for every five bits, the lowest first; `0x20` says that
another letter follows. From the third count on, the text holds the difference to the count two
before, with the sign in the highest bit of its last letter.

Source: https://github.com/cocodataset/cocoapi, the format of `counts`.
"""

from typing import Annotated

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, Field, PositiveInt

from grave_cli.rasters.tracing import trace_pixel_edges

_FIRST_LETTER = 48
_BITS, _MORE, _SIGN = 5, 0x20, 0x10
_MOST_BITS = 40  # of a count
_MOST_PX = 100_000_000  # of the part of an image that a mask fills

_Count = Annotated[int, Field(ge=0, lt=1 << _MOST_BITS)]


class MaskRuns(BaseModel):
    """Runs of pixels, plain or as text.

    Args:
        size: Rows and columns of the image.
        counts: The runs.
    """

    size: tuple[PositiveInt, PositiveInt]
    counts: list[_Count] | str = Field(max_length=10_000_000)


def trace_runs(mask: MaskRuns) -> list[shapely.Polygon]:
    """Outline the connected pixels of a mask, with their holes, in pixels.

    Raises:
        ValueError: The runs do not fit the size.
    """
    counts = _unpacked(mask.counts) if isinstance(mask.counts, str) else np.array(mask.counts)
    rows, columns = mask.size
    counts = counts.astype(np.int64)
    if (counts < 0).any() or counts.sum() != rows * columns:
        raise ValueError(f"the runs of a mask do not fill its {columns} x {rows} pixels")
    ends = np.cumsum(counts)
    starts, stops = (ends - counts)[1::2], ends[1::2]
    starts, stops = starts[stops > starts], stops[stops > starts]
    if not len(starts):
        return []
    first = int(starts[0] // rows)
    last = int((stops[-1] - 1) // rows)
    if (last - first + 1) * rows > _MOST_PX:
        raise ValueError(f"a mask is wider than {_MOST_PX} pixels allow")
    filled = np.zeros((last - first + 1) * rows, np.int32)
    for start, stop in zip(starts - first * rows, stops - first * rows, strict=True):
        filled[start:stop] = 1
    rings, region_of, ids = trace_pixel_edges(filled.reshape(-1, rows).T)
    moved = [np.add(ring, (first, 0)) for ring in rings]
    return [_region(moved, region_of == region) for region in range(len(ids))]


def _region(rings: list[NDArray[np.float64]], mine: NDArray[np.bool_]) -> shapely.Polygon:
    shell, *holes = (rings[index] for index in np.flatnonzero(mine))
    return shapely.Polygon(shell, holes)


def _unpacked(text: str) -> NDArray[np.int64]:
    """Unpack counts from text.

    Raises:
        ValueError: It has other letters, or ends within a count.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - _FIRST_LETTER
        if not 0 <= bits < 2 * _MORE or shift > _MOST_BITS:
            raise ValueError("the runs of a mask are not packed as COCO packs them")
        value |= (bits & (_MORE - 1)) << shift
        shift += _BITS
        if bits & _MORE:
            continue
        if bits & _SIGN:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the runs of a mask end within a number")
    return np.array(counts, np.int64)
