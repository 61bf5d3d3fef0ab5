"""One scene, delivered in every way: coloured rectangles at known places in New York.

New York, because UTM, Web Mercator, degrees and a plane CRS in US feet are all at home there.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.enums import ColorInterp
from skimage.measure import find_contours

from grave_cli.rasters.grid import WorkingGrid, geodesic_areas_m2
from grave_cli.rasters.orthophoto_pixels import GridPixels

UTM = "EPSG:32618"
LEFT, TOP = 587_000.0, 4_515_000.0  # Central Park
WIDTH_M, HEIGHT_M = 15.0, 12.0
PIXEL_M = 0.03
GSD_M = 0.05
BACKGROUND = (120, 118, 110)
RANGE = (1000.0, 11_200.0)  # 16-bit values of what is 0 and 255 in 8 bits
_SUPER = 3  # points per pixel and axis: pixels are averages

# Metres right of LEFT and below TOP, length, width, turned by degrees, colour.
RECTANGLES = (
    (3.0, 3.0, 2.4, 1.2, 0, (225, 40, 45)),
    (8.0, 3.2, 2.2, 1.1, 25, (40, 60, 220)),
    (3.2, 8.4, 2.0, 1.3, -50, (45, 205, 60)),
    (8.3, 8.6, 3.0, 1.4, 80, (240, 242, 235)),
)


@dataclass(frozen=True)
class Layout:
    """A raster's CRS, geotransform and shape."""

    crs: str | CRS
    transform: Affine
    width: int
    height: int


def truth() -> NDArray[np.object_]:
    """The rectangles as polygons in UTM."""
    made = []
    for x, y, length, width, angle, _ in RECTANGLES:
        box = shapely.box(-length / 2, -width / 2, length / 2, width / 2)
        turned = shapely.affinity.rotate(box, angle, origin=(0, 0))
        made.append(shapely.affinity.translate(turned, LEFT + x, TOP - y))
    return np.array(made, dtype=object)


def edge() -> shapely.LineString:
    """East of this slanted line the scene shows nothing."""
    return shapely.LineString([(LEFT + 13.0, TOP + 5), (LEFT + 11.0, TOP - HEIGHT_M - 5)])


def paint(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Colours (3, ...) and validity of points in UTM."""
    colours = np.empty((3, *x.shape), np.float32)
    colours[:] = np.array(BACKGROUND, np.float32).reshape(3, *[1] * x.ndim)
    for (*_, colour), polygon in zip(RECTANGLES, truth(), strict=True):
        inside = shapely.contains_xy(polygon, x, y)
        colours[:, inside] = np.array(colour, np.float32)[:, None]
    (x0, y0), (x1, y1) = edge().coords
    return colours, x < x0 + (y - y0) * (x1 - x0) / (y1 - y0)


def layout(crs: str | CRS = UTM, pixel_m: float = PIXEL_M) -> Layout:
    """A north-up layout over the scene, in another CRS."""
    moved = _outline(crs)
    left, bottom = moved.min(axis=0)
    right, top = moved.max(axis=0)
    width, height = round(WIDTH_M / pixel_m), round(HEIGHT_M / pixel_m)
    transform = Affine((right - left) / width, 0, left, 0, (bottom - top) / height, top)
    return Layout(crs, transform, width, height)


def turned(degrees: float) -> Layout:
    """A layout in UTM whose rows do not run to the east."""
    side = round(1.2 * WIDTH_M / PIXEL_M)
    middle = Affine.translation(LEFT + WIDTH_M / 2, TOP - HEIGHT_M / 2)
    scale = Affine.scale(PIXEL_M, -PIXEL_M)
    transform = middle @ Affine.rotation(degrees) @ scale @ Affine.translation(-side / 2, -side / 2)
    return Layout(UTM, transform, side, side)


def south_up() -> Layout:
    """A layout in UTM whose first row is the southernmost."""
    north = layout()
    flip = Affine.translation(0, north.height) @ Affine.scale(1, -1)
    return Layout(north.crs, north.transform @ flip, north.width, north.height)


def narrow_pixels() -> Layout:
    """A layout in UTM whose pixels are half as wide as high."""
    north = layout()
    transform = north.transform @ Affine.scale(0.5, 1)
    return Layout(UTM, transform, north.width * 2, north.height)


def render(place: Layout) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The scene as pixels: (3, H, W) and its validity."""
    return _render(_key(place.crs), place.transform, place.width, place.height)


def deliver(
    path: Path,
    place: Layout | None = None,
    valid: str = "alpha",
    dtype: str = "uint8",
    bands: int = 3,
    noise: bool = False,
    **profile: Any,
) -> Path:
    """Write the scene as a raster.

    Args:
        path: Its file.
        place: Where its pixels lie.
        valid: alpha, untagged (alpha without its tag), nodata, mask, sidecar or none.
        dtype: uint8 or uint16.
        bands: 4 adds near infrared.
        noise: Makes every pixel differ from its neighbours.
        profile: Driver and creation options.
    """
    place = place or layout()
    colours, seen = render(place)
    if noise:
        colours = colours // 2 + np.random.default_rng(0).integers(0, 120, colours.shape, np.uint8)
    full = np.iinfo(dtype).max
    pixels = colours if dtype == "uint8" else (RANGE[0] + colours * 40.0).astype(dtype)
    planes = list(pixels * seen if valid != "none" else pixels)
    if valid in ("alpha", "untagged"):
        planes.append((seen * full).astype(dtype))
    if bands == 4:
        planes.append((pixels[0] // 2 + pixels[1] // 3).astype(dtype))
    options = {"photometric": "RGB"} if profile.get("driver", "GTiff") in ("GTiff",) else {}
    if options and len(planes) == 4:
        options["alpha"] = "YES" if valid == "alpha" else "NO"
    options |= {"driver": "GTiff", "crs": place.crs, "transform": place.transform} | profile
    if valid == "nodata":
        options["nodata"] = 0
    shape = {"count": len(planes), "height": place.height, "width": place.width}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=valid == "mask"),
        rasterio.open(path, "w", dtype=dtype, **shape, **options) as file,
    ):
        if valid == "alpha" and options["driver"] == "GTiff":
            file.colorinterp = (*file.colorinterp[:3], ColorInterp.alpha)
        file.write(np.stack(planes).astype(dtype))
        if valid in ("mask", "sidecar"):
            file.write_mask(seen)
    return path


def far_from_edges(pixels: GridPixels, path: Path) -> NDArray[np.bool_]:
    """Where a working pixel is more than 1.5 pixels away from all edges of the scene."""
    lines = [*shapely.boundary(truth()), edge(), footprint(path).boundary]
    return ~shapely.contains_xy(
        shapely.union_all(lines).buffer(1.5 * GSD_M), *_centres(pixels.grid)
    )


def scene_box() -> shapely.Polygon:
    return shapely.box(LEFT, TOP - HEIGHT_M, LEFT + WIDTH_M, TOP)


def footprint(path: Path) -> shapely.Polygon:
    """The outline of a raster, in UTM."""
    with rasterio.open(path) as file:
        crs = file.crs or CRS.from_wkt(path.with_suffix(".prj").read_text())
        corners = ((0, 0), (file.width, 0), (file.width, file.height), (0, file.height))
        points = np.transpose([file.transform @ corner for corner in corners])
    to_utm = Transformer.from_crs(crs.to_wkt(), UTM, always_xy=True)
    return shapely.Polygon(np.transpose(to_utm.transform(*points)))


def expected(
    pixels: GridPixels, path: Path
) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]:
    """Colours, validity and being within the file, at a working grid's pixel centres."""
    x, y = _centres(pixels.grid)
    colours, valid = paint(x, y)
    inside = shapely.contains_xy(footprint(path), x, y)
    return colours, valid & inside, inside


def rectangles_in(pixels: GridPixels) -> NDArray[np.object_]:
    """Find the rectangles in what was read: half-level contours, brought to UTM."""
    to_utm = Transformer.from_crs(pixels.grid.crs, UTM, always_xy=True)
    found = []
    for level, (rows, cols) in _memberships(pixels):
        contour = max(find_contours(level, 0.5), key=len)
        x, y = pixels.grid.transform @ (
            contour[:, 1] + cols.start + 0.5,
            contour[:, 0] + rows.start + 0.5,
        )
        found.append(shapely.Polygon(np.stack(to_utm.transform(x, y), axis=1)))
    return np.array(found, dtype=object)


def areas_m2(pixels: GridPixels) -> NDArray[np.float64]:
    """The rectangles' areas on the ellipsoid, from how far each pixel has their colour."""
    left, bottom, right, top = pixels.grid.bounds
    x, y, step = (left + right) / 2, (bottom + top) / 2, pixels.grid.pixel_size
    box = shapely.box(x - 50 * step, y - 50 * step, x + 50 * step, y + 50 * step)
    pixel = geodesic_areas_m2(np.array([box]), pixels.grid.crs)[0] / 10_000
    return np.array([level.sum() * pixel for level, _ in _memberships(pixels)])


def _memberships(pixels: GridPixels) -> list[tuple[NDArray[Any], tuple[slice, slice]]]:
    """For each rectangle: how far pixels around it have its colour rather than the background's."""
    from_utm = Transformer.from_crs(UTM, pixels.grid.crs, always_xy=True)
    found = []
    for (*_, colour), polygon in zip(RECTANGLES, truth(), strict=True):
        around = shapely.box(*polygon.buffer(0.6).bounds)
        corners = shapely.get_coordinates(around)
        columns, rows = ~pixels.grid.transform @ from_utm.transform(*corners.T)
        place = (
            slice(int(rows.min()), int(rows.max())),
            slice(int(columns.min()), int(columns.max())),
        )
        axis = np.subtract(colour, BACKGROUND).astype(float)
        offset = pixels.rgb[(slice(None), *place)] - np.reshape(BACKGROUND, (3, 1, 1)).astype(float)
        found.append((np.tensordot(axis, offset, 1) / (axis @ axis), place))
    return found


def _centres(grid: WorkingGrid) -> tuple[NDArray[Any], NDArray[Any]]:
    columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    x, y = grid.transform @ (columns, rows)
    to_utm = Transformer.from_crs(grid.crs, UTM, always_xy=True)
    return to_utm.transform(x, y)


def _outline(crs: str | CRS) -> NDArray[np.float64]:
    points = shapely.get_coordinates(scene_box().segmentize(1.0))
    moved = Transformer.from_crs(UTM, _key(crs), always_xy=True).transform(*points.T)
    return np.stack(moved, axis=1)


def _key(crs: str | CRS) -> str:
    return crs if isinstance(crs, str) else str(crs.to_wkt())


@cache
def _render(
    crs: str, transform: Affine, width: int, height: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    # Over so small a place pixel -> UTM is affine to a tenth of a millimetre: three points fix it.
    to_utm = Transformer.from_crs(crs, UTM, always_xy=True)
    corners = [transform @ pixel for pixel in ((0, 0), (width, 0), (0, height))]
    (x0, x1, x2), (y0, y1, y2) = to_utm.transform(*np.transpose(corners))
    steps = (np.arange(max(width, height) * _SUPER) + 0.5) / _SUPER
    column, row = steps[None, : width * _SUPER] / width, steps[: height * _SUPER, None] / height
    colours, valid = paint(
        x0 + (x1 - x0) * column + (x2 - x0) * row, y0 + (y1 - y0) * column + (y2 - y0) * row
    )
    blocks = colours.reshape(3, height, _SUPER, width, _SUPER)
    seen = valid.reshape(height, _SUPER, width, _SUPER).mean(axis=(1, 3)) >= 0.5
    return np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8), seen
