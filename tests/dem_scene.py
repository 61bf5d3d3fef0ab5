"""A sloping plane, delivered as a DEM of every kind, and the working grid that lies on it."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer

from grave_cli.rasters.grid import lay_grid
from grave_cli.settings.inputs import ElevationFeature

UTM = "EPSG:32618"
LEFT, TOP = 587_000.0, 4_515_000.0
SIZE_M = 24.0
GRID = lay_grid(UTM, (LEFT, TOP - SIZE_M, LEFT + SIZE_M, TOP), 0.1, "here")
FEATURES: tuple[ElevationFeature, ...] = (
    "height",
    "slope",
    "zscore",
    "robust_zscore",
    "percentile",
)
# Columns and rows of the DEM's own pixels (0.25 m) where it has no heights.
HOLE = (slice(40, 56), slice(60, 72))


def plane(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """A slope in two directions, in metres: what every kind of DEM is made from."""
    return 40 + 0.12 * (x - LEFT) + 0.05 * (TOP - y)


def place(crs: str = UTM, cell_m: float = 0.25, turned: float = 0) -> tuple[Affine, int, int]:
    """A DEM's geotransform, height and width: 2 m more than the grid on each side."""
    to_dem = Transformer.from_crs(UTM, crs, always_xy=True)
    x = [LEFT - 2, LEFT + SIZE_M + 2, LEFT - 2, LEFT + SIZE_M + 2]
    y = [TOP + 2, TOP + 2, TOP - SIZE_M - 2, TOP - SIZE_M - 2]
    moved_x, moved_y = (np.array(axis) for axis in to_dem.transform(x, y))
    size = round((SIZE_M + 4) / cell_m)
    cell = (np.ptp(moved_x) / size, np.ptp(moved_y) / size)
    corner = Affine.translation(moved_x.min(), moved_y.max()) @ Affine.scale(cell[0], -cell[1])
    middle = Affine.translation(size / 2, size / 2)
    larger = round(1.3 * size) if turned else size  # so that its corners do not miss the grid's
    about = middle @ Affine.rotation(turned) @ Affine.translation(-larger / 2, -larger / 2)
    return corner @ about, larger, larger


def write_dem(
    path: Path,
    *,
    crs: str = UTM,
    cell_m: float = 0.25,
    turned: float = 0,
    dtype: str = "float32",
    hole: float | None = None,
    per_metre: float = 1,
    **profile: Any,
) -> Path:
    """Write the plane; `hole` is what stands where there are no heights."""
    transform, height, width = place(crs, cell_m, turned)
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    to_utm = Transformer.from_crs(crs, UTM, always_xy=True)
    heights = plane(*to_utm.transform(*(transform @ (columns, rows)))) * per_metre
    if np.issubdtype(np.dtype(dtype), np.integer):
        heights = np.rint(heights)
    if hole is not None:
        heights[HOLE] = hole
    with rasterio.open(
        path,
        "w",
        **{"driver": "GTiff", "height": height, "width": width, "count": 1} | profile,
        dtype=dtype,
        crs=crs,
        transform=transform,
    ) as file:
        file.write(heights.astype(dtype), 1)
    return path


def edited(path: Path, **changes: Any) -> Path:
    with rasterio.open(path, "r+") as file:
        for name, value in changes.items():
            setattr(file, name, value)
    return path
