"""Pictures of an orthophoto for the report: the whole, and one of each grave to review."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from PIL import Image

from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import inspect_orthophoto
from grave_cli.rasters.orthophoto_pixels import GridPixels, OrthophotoReader, open_orthophoto

_LONGEST_SIDE_PX = 1800
_CROP_PX = 180
_SMALLEST_CROP_M = 3.0
_AROUND = 1.7  # edge of a crop, in lengths of its grave
_QUALITY = 80
_PAPER = 255


@dataclass(frozen=True)
class Picture:
    """A part of the orthophoto.

    Args:
        address: The picture itself, as a data address (JPEG).
        bounds: Left, bottom, right and top, in the CRS of the map.
    """

    address: str
    bounds: tuple[float, float, float, float]


def read_pictures(
    orthophoto: Path, grid: WorkingGrid, shown: Sequence[shapely.Polygon]
) -> tuple[Picture, list[Picture]]:
    """Read the picture of the whole orthophoto, and one of each grave.

    Args:
        orthophoto: The image.
        grid: Its working grid.
        shown: The graves, in the grid's CRS.

    Raises:
        RasterReadError: The orthophoto is damaged.
    """
    with open_orthophoto(inspect_orthophoto(orthophoto)) as reader:
        coarse = grid.coarsened(max(1.0, max(grid.shape) / _LONGEST_SIDE_PX))
        return _read(reader, coarse), [_read(reader, one) for one in _crops(grid, shown)]


def _crops(grid: WorkingGrid, shown: Sequence[shapely.Polygon]) -> Iterator[WorkingGrid]:
    for left, bottom, right, top in shapely.bounds(np.array(shown, dtype=object)):
        smallest = _SMALLEST_CROP_M / grid.metres_per_unit
        side = max(smallest, _AROUND * max(right - left, top - bottom))
        pixel = side / _CROP_PX
        x, y = (left + right - side) / 2, (bottom + top + side) / 2
        yield replace(
            grid,
            transform=Affine(pixel, 0, x, 0, -pixel, y),
            width=_CROP_PX,
            height=_CROP_PX,
            gsd_m=pixel * grid.metres_per_unit,
        )


def _read(reader: OrthophotoReader, grid: WorkingGrid) -> Picture:
    return Picture(_as_address(reader.read(grid)), grid.bounds)


def _as_address(pixels: GridPixels) -> str:
    shown: NDArray[np.uint8] = np.where(pixels.valid, pixels.rgb, _PAPER).astype(np.uint8)
    buffer = BytesIO()
    image = Image.fromarray(np.ascontiguousarray(np.moveaxis(shown, 0, -1)))
    image.save(buffer, format="JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode('ascii')}"


def neighbours(graves: shapely.STRtree, picture: Picture) -> NDArray[np.intp]:
    """Return the indices of the graves that a picture shows."""
    found = graves.query(shapely.box(*picture.bounds))
    return np.sort(np.asarray(found, dtype=np.intp))
