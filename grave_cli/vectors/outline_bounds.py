"""Outlines whose repair would take hours are refused."""

from pathlib import Path

import numpy as np
import shapely

from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons

_MOST_VERTICES = 200_000
_FEW_VERTICES = 300  # of any shape: repaired within a second
_MOST_CROSSINGS = 100_000  # pairs of sides whose boxes meet; a repair of as many takes seconds
_SIDES_AT_ONCE = 256
_REMEDY = "simplify it in QGIS (Vector > Geometry Tools > Simplify), or delete it"


def refuse_endless_outlines(geometries: Polygons, path: Path) -> None:
    """Refuse geometries with very many vertices, or whose sides cross each other very often.

    Args:
        geometries: Geometries of any kind; None for features without one.
        path: Their file, named in the error.

    Raises:
        DatasetError: There is such a geometry.
    """
    counts = shapely.get_num_coordinates(geometries)
    for index in np.flatnonzero(counts > _FEW_VERTICES):
        shape = geometries[index]
        if counts[index] > _MOST_VERTICES:
            raise _refused(path, int(index), f"{counts[index]} vertices", _MOST_VERTICES)
        is_area = shapely.get_dimensions(shape) == 2
        if is_area and not shapely.is_valid(shape) and _crosses_often(shape):
            found = f"more than {_MOST_CROSSINGS} crossings of its sides"
            raise _refused(path, int(index), found, "an outline that does not cross itself")


def _crosses_often(shape: shapely.Geometry) -> bool:
    outlines = shapely.get_rings(shapely.get_parts(shape))
    points, rings = shapely.get_coordinates(outlines, return_index=True)
    within = rings[1:] == rings[:-1]
    sides = shapely.linestrings(np.stack([points[:-1], points[1:]], axis=1)[within])
    tree = shapely.STRtree(sides)
    pairs = 0
    for start in range(0, len(sides), _SIDES_AT_ONCE):
        pairs += tree.query(sides[start : start + _SIDES_AT_ONCE]).shape[1]
        # Each side meets itself and its neighbours, and each pair counts twice.
        if pairs / 2 > _MOST_CROSSINGS + 2 * len(sides):
            return True
    return False


def _refused(path: Path, index: int, found: str, expected: object) -> DatasetError:
    return DatasetError(
        f"the outline of feature {index + 1} is too complex",
        where=path,
        found=found,
        expected=f"at most {expected}" if isinstance(expected, int) else expected,
        remedy=_REMEDY,
    )
