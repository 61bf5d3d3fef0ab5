"""Outlines in, the columns that describe them out, as far as a map needs new values."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.delivery.grave_columns import GRAVE_COLUMNS
from grave_cli.graves.attributes import Measures, measure
from grave_cli.graves.flags import review_outlines
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.settings.mapping import ReviewSettings

_LENGTH_SHARE = 2e-3  # the scale of Web Mercator differs by less within a cemetery
_LENGTH_M = 0.002
_AREA_M2 = 0.002
_ANGLE_DEG = 0.2
_RIGHT_DEG = 2.0  # an angle that differs by less from a right one is meant to be one
_FULL = 0.99  # of the smallest rectangle around it: a larger share makes an outline a rectangle
_FLAT_M = 0.005  # points that lie closer to a straight side do not count as corners


def new_measures(
    polygons: Polygons, grid: WorkingGrid, rows: list[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Measure graves, and return the values that differ from those in their rows.

    A value counts as the same if rounding, or the projection of the file, explains the difference.

    Args:
        polygons: Outlines in the CRS of the grid.
        grid: The working grid of the map.
        rows: The graves as they are.
    """
    measures = measure(polygons, grid.crs, grid.metres_per_unit)
    return [_differing(measures, index, row) for index, row in enumerate(rows)]


def shapes_of(polygons: Polygons, metres_per_unit: float) -> NDArray[np.object_]:
    """Tell rectangles and outlines with right angles from others.

    Args:
        polygons: Outlines in a projected CRS.
        metres_per_unit: Metres on the ground per unit of that CRS.
    """
    plain = shapely.simplify(polygons, _FLAT_M / metres_per_unit)
    full = shapely.area(polygons) / shapely.area(shapely.oriented_envelope(polygons))
    squared = [_is_orthogonal(polygon) for polygon in plain]
    shapes = np.where(squared, "orthogonal", "outline").astype(object)
    shapes[(full >= _FULL) & np.array(squared, np.bool_)] = "rectangle"
    return shapes


def hand_drawn(
    polygons: Polygons, by_hand: NDArray[np.bool_], settings: ReviewSettings
) -> list[dict[str, Any]]:
    """Return the columns of graves that a person has drawn, reshaped or accepted.

    The model's confidence was about another outline, and its order of review about another map.
    Flags are those that an outline shows.

    Args:
        polygons: All graves, in metres; they define the usual size.
        by_hand: The graves of which a person is the author.
        settings: Thresholds of the flags.
    """
    found = review_outlines(polygons, settings)
    nothing = {"confidence": None, "review_rank": None, "review_reason": ""}
    return [
        {**nothing, "flags": str(flags), "needs_review": bool(needed)} if hand else {}
        for flags, needed, hand in zip(found.flags, found.needed, by_hand, strict=True)
    ]


def _differing(measures: Measures, index: int, row: Mapping[str, Any]) -> dict[str, Any]:
    length, width = (float(side[index]) for side in (measures.length_m, measures.width_m))
    slack = {
        "area_m2": _AREA_M2,
        "length_m": _LENGTH_M + _LENGTH_SHARE * length,
        "width_m": _LENGTH_M + _LENGTH_SHARE * width,
        "azimuth_deg": _ANGLE_DEG,
    }
    # Of a square, either side may be the longer one.
    turn = 90.0 if length - width <= 2 * _LENGTH_M else 180.0
    new: dict[str, Any] = {}
    for name, limit in slack.items():
        value = GRAVE_COLUMNS[name].cell(float(getattr(measures, name)[index]))
        old = row.get(name)
        if not isinstance(old, int | float):
            new[name] = value
            continue
        off = abs(float(value) - old)
        if name == "azimuth_deg":
            off = min(off % turn, turn - off % turn)
        if not off <= limit:
            new[name] = value
    return new


def _is_orthogonal(polygon: shapely.Polygon) -> bool:
    if polygon.geom_type != "Polygon" or polygon.interiors:
        return False
    sides = np.diff(shapely.get_coordinates(polygon), axis=0) @ (1, 1j)
    turns = np.degrees(np.angle(sides * np.roll(sides, 1).conj()))
    # The first point of a ring may lie amid a side: no turn is as good as a right one.
    off = np.abs(turns - 90 * np.rint(turns / 90))
    return bool((off <= _RIGHT_DEG).all())
