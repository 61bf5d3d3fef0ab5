"""Labels in: grave outlines or a mask from disk, polygons in the grid's CRS and an instance raster out."""

from dataclasses import dataclass
from pathlib import Path

import fiona
import numpy as np
import rasterio.features
import shapely
from fiona.errors import FionaError
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from scipy import ndimage

from grave_cli.errors import DatasetError
from grave_cli.inputs.grid import WorkingGrid
from grave_cli.inputs.manifest import Cemetery
from grave_cli.inputs.raster_io import open_raster

_POLYGONAL = ("Polygon", "MultiPolygon", "Unknown")
Polygons = NDArray[np.object_]


@dataclass(frozen=True)
class Graves:
    """The labelled graves of a cemetery.

    Args:
        polygons: Valid shapely Polygons in the grid's CRS, one a grave.
        repaired: How many outlines were invalid and had to be mended.
        outside: How many lie outside of the orthophoto and were left out.
    """

    polygons: Polygons
    repaired: int = 0
    outside: int = 0


def read_graves(cemetery: Cemetery, grid: WorkingGrid) -> Graves:
    """Read where the graves of a cemetery are, from its annotations or its mask.

    Args:
        cemetery: The cemetery; it has labels.
        grid: Its whole working grid.

    Raises:
        DatasetError: There are no graves, no polygons, no CRS, or all of them lie outside.
    """
    if cemetery.annotations is not None:
        polygons = read_polygons(cemetery.annotations, grid.crs)
    elif cemetery.mask is not None:
        polygons = _mask_polygons(cemetery.mask, grid)
    else:
        raise DatasetError(f"cemetery {cemetery.name} has no labels", where=cemetery.orthophoto)
    return _check_graves(polygons, grid, cemetery)


def read_polygons(path: Path, crs: str) -> Polygons:
    """Read the polygons of a vector file's only polygon layer, in another CRS.

    Args:
        path: GeoPackage, GeoJSON, Shapefile or FlatGeobuf.
        crs: The CRS to bring them to.

    Returns:
        Shapely geometries as they are in the file: possibly invalid, possibly multi-part.

    Raises:
        DatasetError: It cannot be read, or has no or several polygon layers, or no CRS.
    """
    try:
        with fiona.open(path, layer=_polygon_layer(path)) as layer:
            if not layer.crs_wkt:
                raise DatasetError("annotations have no CRS", where=path)
            source_crs = layer.crs_wkt
            shapes = [
                shapely.geometry.shape(feature.geometry)
                for feature in layer
                if feature.geometry is not None
            ]
    except (FionaError, OSError) as error:
        raise DatasetError(f"annotations cannot be read: {error}", where=path) from None
    flat = shapely.force_2d(np.array(shapes, dtype=object))
    to_grid = Transformer.from_crs(source_crs, crs, always_xy=True)
    return shapely.transform(flat, to_grid.transform, interleaved=False)


def rasterize_instances(polygons: Polygons, grid: WorkingGrid) -> NDArray[np.int32]:
    """Draw graves as instance ids: grave i of the list becomes i + 1, background is 0.

    Where outlines overlap, the smaller grave is on top.

    Args:
        polygons: Graves in the grid's CRS.
        grid: The grid or a crop of it.

    Shapes:
        returns: (H, W)
    """
    order = np.argsort(-shapely.area(polygons), kind="stable")
    shapes = [(polygons[index], int(index) + 1) for index in order]
    if not shapes:
        return np.zeros(grid.shape, np.int32)
    return rasterio.features.rasterize(
        shapes, out_shape=grid.shape, transform=grid.transform, dtype="int32"
    )


def _polygon_layer(path: Path) -> str:
    layers = fiona.listlayers(path)
    polygonal = []
    for name in layers:
        with fiona.open(path, layer=name) as layer:
            if layer.schema["geometry"].removeprefix("3D ") in _POLYGONAL:
                polygonal.append(name)
    if len(polygonal) != 1:
        raise DatasetError(
            "the layer with the graves is not clear",
            where=path,
            found=f"{len(polygonal)} polygon layers of {len(layers)}: {', '.join(polygonal)}",
            expected="one",
        )
    return str(polygonal[0])


def _mask_polygons(path: Path, grid: WorkingGrid) -> Polygons:
    with (
        open_raster(path) as dataset,
        WarpedVRT(
            dataset,
            crs=grid.crs,
            transform=grid.transform,
            width=grid.width,
            height=grid.height,
            resampling=Resampling.nearest,
        ) as vrt,
    ):
        mask = vrt.read(1) > 0
    components, _ = ndimage.label(mask)
    shapes = rasterio.features.shapes(components, mask=mask, transform=grid.transform)
    return np.array([shapely.geometry.shape(shape) for shape, _ in shapes], dtype=object)


def _check_graves(polygons: Polygons, grid: WorkingGrid, cemetery: Cemetery) -> Graves:
    invalid = ~shapely.is_valid(polygons)
    mended = np.where(invalid, shapely.make_valid(polygons), polygons)
    parts = shapely.get_parts(shapely.get_parts(mended))
    parts = parts[(shapely.get_type_id(parts) == shapely.GeometryType.POLYGON)]
    parts = parts[shapely.area(parts) > 0]
    if not len(parts):
        raise DatasetError(f"no graves for cemetery {cemetery.name}", where=cemetery.labels)
    inside = shapely.intersects(parts, shapely.box(*grid.bounds))
    if not inside.any():
        raise DatasetError(
            "all graves lie outside of the orthophoto",
            where=cemetery.labels,
            found=f"graves within {_rounded(shapely.total_bounds(parts))}",
            expected=f"within {_rounded(grid.bounds)}",
            remedy="the CRS of one of them is probably wrong",
        )
    return Graves(parts[inside], int(invalid.sum()), int((~inside).sum()))


def _rounded(bounds: object) -> tuple[int, ...]:
    return tuple(round(float(value)) for value in bounds)  # type: ignore[attr-defined]
