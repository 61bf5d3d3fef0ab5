"""Real pictures without a grave, cut into squares: every other one trains, the rest judges."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

FOLDERS = ("ground", "kampala", "teak")


@dataclass(frozen=True)
class Square:
    """A square of a real picture.

    Args:
        name: Unique name.
        window: Its pixels in the picture.
        bounds: Left, bottom, right, top, in units of the picture's CRS.
        gsd_m: Pixel size, metres.
        number: Number among all squares; even ones train, odd ones judge.
    """

    name: str
    window: Window
    bounds: tuple[float, float, float, float]
    gsd_m: float
    number: int

    @property
    def trains(self) -> bool:
        """Whether a model may be trained on it."""
        return self.number % 2 == 0


def real_pictures(real: Path) -> list[tuple[str, Path]]:
    """List the folders and files of the real pictures."""
    return [
        (folder, path)
        for folder in FOLDERS
        for path in sorted((real / folder / "orthophotos").glob("*.tif"))
    ]


def real_squares(real: Path, edge_m: float) -> dict[Path, list[Square]]:
    """Cut the pictures into squares that are covered completely."""
    found: dict[Path, list[Square]] = {}
    number = 0
    for folder, path in real_pictures(real):
        found[path] = []
        with rasterio.open(path) as file:
            edge = round(edge_m / file.res[0])
            for row, column in _corners(file.height, file.width, edge):
                window = Window(column, row, edge, edge)
                if file.count < 4 or file.read(4, window=window).all():
                    bounds = file.window_bounds(window)
                    name = f"{folder}_{path.stem}_{row}_{column}"
                    found[path].append(Square(name, window, bounds, file.res[0], number))
                    number += 1
    return found


def read_square(path: Path, square: Square) -> NDArray[np.uint8]:
    """Read the pixels of a square, (H, W, bands)."""
    with rasterio.open(path) as file:
        return np.moveaxis(file.read(window=square.window), 0, -1)


def _corners(height: int, width: int, edge: int) -> Iterator[tuple[int, int]]:
    for row in range(0, height - edge + 1, edge):
        for column in range(0, width - edge + 1, edge):
            yield row, column
