"""Raw outlines in, outlines to be delivered out: once over all graves of a cemetery."""

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.graves.directions import follow_rows
from grave_cli.graves.orthogonal import square_up
from grave_cli.graves.outlines import Outlines, Polygons, iou, largest_parts
from grave_cli.graves.rectangles import fit_rectangles
from grave_cli.graves.seams import share_sides
from grave_cli.graves.topology import resolve_overlaps
from grave_cli.settings.sections import OutlineSettings


def regularise(
    raw: Polygons, confidence: NDArray[np.float64], gsd_m: float, settings: OutlineSettings
) -> Outlines:
    """Make of raw outlines what is delivered.

    Each grave is drawn as a rectangle where that overlaps its outline well enough, else with sides
    at right angles, else as its simplified outline. Directions follow the row, neighbours share
    their sides, and nothing overlaps.

    Args:
        raw: Outlines as traced, in pixels of the cemetery's grid.
        confidence: Of each grave: who wins where two lay claim to the same ground.
        gsd_m: Pixel edge in metres.
        settings: When which shape fits, how directions are aligned and gaps closed.
    """
    if not len(raw):
        return Outlines(raw, raw, np.array([], np.str_), np.array([], np.intp))
    free = fit_rectangles(raw)
    fits = iou(raw, free.polygons()) >= settings.rectangle_iou
    weights = np.where(fits, (free.high - free.low).sum(axis=1) ** 3, 0)
    centres = shapely.get_coordinates(shapely.centroid(raw))
    within = np.radians(settings.snap_deg)
    angles = follow_rows(free.angle, weights, centres, settings.row_radius_m / gsd_m, within)
    aligned = fit_rectangles(raw, angles)
    fits = iou(raw, aligned.polygons()) >= settings.rectangle_iou
    regular, shape = _freely(raw, angles, gsd_m, settings)
    regular[fits] = share_sides(aligned.take(fits), settings.shared_gap_m / gsd_m)
    regular = resolve_overlaps(regular, confidence)
    shape[fits] = "rectangle"
    outlines = Outlines(raw, regular, shape, np.arange(len(raw)))
    return outlines.take(shapely.area(regular) > 0)


def _freely(
    raw: Polygons, angles: NDArray[np.float64], gsd_m: float, settings: OutlineSettings
) -> tuple[Polygons, NDArray[np.str_]]:
    """Draw graves that are no rectangles: with right angles where that fits, else simplified."""
    tolerance = settings.simplify_m / gsd_m
    squared = square_up(raw, angles, tolerance)
    square = iou(raw, squared) >= settings.orthogonal_iou
    simplified = largest_parts(shapely.make_valid(shapely.simplify(raw, tolerance)))
    regular = np.where(square, squared, simplified)
    return regular, np.where(square, "orthogonal", "outline")
