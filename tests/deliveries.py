"""Graves to deliver: a small grid, graves on it, and a writer of vector files."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import shapely
from affine import Affine
from pyproj import CRS, Transformer

from grave_cli.rasters.grid import WorkingGrid

UTM = "EPSG:25832"
PIXEL = 0.1
GRID = WorkingGrid(
    CRS.from_user_input(UTM).to_wkt(), Affine(PIXEL, 0, 500000, 0, -PIXEL, 5400010), 200, 100, PIXEL
)
Shape = shapely.Geometry | None
Feature = tuple[Shape, Mapping[str, Any]]


def grave(x: float, y: float, turn: float = 10.0) -> shapely.Polygon:
    """A grave of 2 m x 1 m around a point, metres from the lower left corner of the grid."""
    upright = shapely.box(500000 + x - 1, 5400000 + y - 0.5, 500000 + x + 1, 5400000 + y + 0.5)
    return shapely.affinity.rotate(upright, turn)


GRAVES = [grave(3 + 4 * column, 3 + 4 * row) for row in range(2) for column in range(4)]


def moved(shapes: Iterable[Shape], crs: str) -> list[Shape]:
    step = Transformer.from_crs(UTM, crs, always_xy=True)
    return list(shapely.transform(np.array([*shapes]), step.transform, interleaved=False))


def write(
    path: Path,
    shapes: Iterable[Shape | Feature],
    *,
    kind: str = "Polygon",
    crs: str | None = UTM,
    layer: str | None = None,
) -> Path:
    """Write shapes, or (shape, columns), as a layer of a vector file."""
    driver = {
        ".gpkg": "GPKG",
        ".geojson": "GeoJSON",
        ".shp": "ESRI Shapefile",
        ".fgb": "FlatGeobuf",
        ".gml": "GML",
    }
    schema = {"geometry": kind, "properties": {"NAME": "str"}}
    features = [shape if isinstance(shape, tuple) else (shape, {"NAME": "x"}) for shape in shapes]
    with fiona.open(
        path, "w", driver=driver[path.suffix], crs=crs, schema=schema, layer=layer
    ) as file:
        file.writerecords(
            {
                "geometry": None if shape is None else shapely.geometry.mapping(shape),
                "properties": dict(columns),
            }
            for shape, columns in features
        )
    return path


def named(name: str, shapes: Iterable[Shape] = GRAVES) -> list[Feature]:
    return [(shape, {"NAME": name}) for shape in shapes]


def outline(shape: shapely.Polygon) -> shapely.LineString:
    return shapely.LineString(shape.exterior.coords)


def with_spike(shape: shapely.Polygon) -> shapely.Polygon:
    """Walk out from a corner and back on the same line, as happens with a snapping pen."""
    first, *others = shape.exterior.coords
    return shapely.Polygon([first, (first[0] + 1, first[1] + 1), first, *others])


def by_place(shapes: Iterable[shapely.Polygon]) -> np.ndarray:
    shapes = np.array([*shapes], dtype=object)
    points = shapely.get_coordinates(shapely.centroid(shapes))
    return shapes[np.lexsort(points.round().T)]


OPEN_LINE = shapely.LineString(GRAVES[0].exterior.coords[:-1])
