"""Outlines of a map in its file's CRS in, the same in metres around the cemetery out, and back."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError
from scipy.spatial import KDTree

from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons, largest_parts
from grave_cli.rasters.crs import LONLAT, mover, transformer
from grave_cli.rasters.grid import WorkingGrid, lay_grid
from grave_cli.rasters.metric_frame import frame_around
from grave_cli.register.fields import connect

_GSD_M = 0.04  # of a map that does not tell its own
_SAME_M = 1e-5
_CELLS = 10.0  # per distance between groups of graves
_FEW = 5  # graves far from all others are a slip, more are another cemetery

Points = NDArray[np.float64]


@dataclass(frozen=True)
class LocalFrame:
    """A frame of metres over a map, along the CRS in which the map was made.

    Unlike an equal-area frame around a point, it gives every point its place back to a nanometre.

    Args:
        file_crs: CRS of the file, as WKT.
        grid: A working grid over the map.
    """

    file_crs: str
    grid: WorkingGrid

    def on_grid(self, outlines: Polygons) -> Polygons:
        """Return outlines of the file in the CRS of the grid; without need, bit by bit the same."""
        return _moved(outlines, self.file_crs, self.grid.crs)

    def bring(self, outlines: Polygons) -> Polygons:
        """Return outlines of the file in metres."""
        corner, scale = self._corner(), self.grid.metres_per_unit
        there = self.on_grid(outlines)
        return np.asarray(shapely.transform(there, lambda points: (points - corner) * scale))

    def take_back(self, changed: Polygons, placed: Polygons, outlines: Polygons) -> Polygons:
        """Return changed outlines in the CRS of the file.

        Points that were not moved get their old coordinates, bit by bit, so that neighbours which
        share them still agree.

        Args:
            changed: The changed outlines, in metres.
            placed: All outlines before the change, in metres; None for none.
            outlines: The same in the CRS of the file.
        """
        corner, scale = self._corner(), self.grid.metres_per_unit
        old, here = shapely.get_coordinates(outlines), shapely.get_coordinates(placed)
        there = shapely.transform(changed, lambda points: points / scale + corner)
        moved = _moved(np.asarray(there), self.grid.crs, self.file_crs)
        points = shapely.get_coordinates(moved)
        distance, nearest = KDTree(here).query(
            shapely.get_coordinates(changed), distance_upper_bound=_SAME_M
        )
        same = np.isfinite(distance)
        points[same] = old[np.asarray(nearest)[same]]
        exact = shapely.set_coordinates(moved.copy(), points)
        exact = shapely.remove_repeated_points(exact)
        valid = np.where(shapely.is_valid(exact), exact, moved)
        return largest_parts(shapely.make_valid(valid))

    def _corner(self) -> Points:
        return np.array(self.grid.bounds[:2])


def lay_frame(
    path: Path, file_crs: str, provenance: Mapping[str, str], outlines: Polygons
) -> LocalFrame:
    """Lay a frame over a map.

    Args:
        path: The map, named in errors.
        file_crs: CRS of its layers.
        provenance: Its origin, which tells the CRS in which it was made.
        outlines: Outlines that the frame covers; None for none.

    Raises:
        DatasetError: There is no outline.
        GridError: They lie nowhere on Earth.
    """
    around = outlines[~shapely.is_missing(outlines)]
    if not len(around):
        raise DatasetError("map has no outline left", where=path, expected="graves or a coverage")
    crs = _working_crs(file_crs, provenance, around)
    left, bottom, right, top = shapely.total_bounds(_moved(around, file_crs, crs)).tolist()
    return LocalFrame(file_crs, lay_grid(crs, (left, bottom, right, top), _gsd_m(provenance), path))


def around_most(outlines: Polygons, crs: str, apart_m: float) -> shapely.Geometry:
    """Return the hull of some outlines, without a few that lie far from all others.

    Args:
        outlines: The outlines.
        crs: Their CRS.
        apart_m: Groups of outlines lie farther apart than this, within a tenth.
    """
    placed = frame_around(outlines, crs).bring(outlines, crs)
    cells = np.floor(shapely.get_coordinates(shapely.centroid(placed)) / (apart_m / _CELLS))
    cells[~np.isfinite(cells).all(axis=1)] = 1e9
    places, index = np.unique(cells, axis=0, return_inverse=True)
    pairs = KDTree(places).query_pairs(_CELLS, output_type="ndarray").astype(np.intp)
    group = connect(len(places), *pairs.T)[index.reshape(-1)]
    sizes = np.bincount(group)
    many = sizes[group] >= min(_FEW, sizes.max())
    return shapely.convex_hull(shapely.geometrycollections(outlines[many]))


def _working_crs(file_crs: str, provenance: Mapping[str, str], around: Polygons) -> str:
    """Return the CRS of the mapping, or that of the file, or the UTM zone of a file in degrees."""
    with suppress(CRSError, KeyError):
        if CRS(provenance["crs"]).is_projected:
            return provenance["crs"]
    if CRS(file_crs).is_projected:
        return file_crs
    middle = shapely.get_coordinates(around).mean(axis=0)
    longitude, latitude = transformer(file_crs, LONLAT).transform(*middle)
    zone = int((longitude + 180) % 360 // 6) + 1
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"


def _gsd_m(provenance: Mapping[str, str]) -> float:
    with suppress(KeyError, ValueError):
        gsd_m = float(provenance["gsd_m"])
        if 0 < gsd_m < math.inf:
            return gsd_m
    return _GSD_M


def _moved(outlines: Polygons, crs: str, target: str) -> Polygons:
    if CRS(crs) == CRS(target):
        return outlines
    points = shapely.get_coordinates(outlines)
    if not len(points):
        return outlines
    x, y = points.mean(axis=0)
    move = mover(crs, target, (float(x), float(y)))
    return np.asarray(shapely.transform(outlines, move, interleaved=False))
