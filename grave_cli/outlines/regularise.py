"""Raw outlines in, outlines to deliver out; all graves of a cemetery at once."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.outlines.orthogonal import square_up
from grave_cli.outlines.polygons import Map, Outlines, Polygons, iou, largest_parts
from grave_cli.outlines.rectangles import fit_rectangles, rectangle_iou
from grave_cli.outlines.row_directions import follow_rows
from grave_cli.outlines.shared_sides import share_sides
from grave_cli.outlines.topology import close_gaps, lay_as_coverage, resolve_overlaps
from grave_cli.processes import usable_cores
from grave_cli.settings.mapping import OutlineSettings


def regularise(
    raw: Polygons,
    confidence: NDArray[np.float64],
    gsd_m: float,
    settings: OutlineSettings,
    *,
    threads: int = 1,
) -> Outlines:
    """Turn raw outlines into the outlines to deliver.

    Each grave becomes a rectangle if that overlaps its outline well enough, else a polygon with
    right angles, else its simplified outline. Graves take the direction of their row, neighbours
    share their sides, and no two outlines overlap.

    Args:
        raw: Outlines as traced, in pixels of the cemetery's grid.
        confidence: Confidence of each grave; the higher one keeps ground claimed by two.
        gsd_m: Pixel edge in metres.
        settings: Thresholds for shapes, row alignment and gaps.
        threads: Number of threads; 0: one per core.
    """
    if not len(raw):
        return Outlines(raw, raw, np.array([], np.str_), np.array([]), np.array([], np.intp))
    with ThreadPoolExecutor(threads or usable_cores(), "outline") as pool:
        return _regularise(raw, confidence, gsd_m, settings, pool.map)


def _regularise(
    raw: Polygons,
    confidence: NDArray[np.float64],
    gsd_m: float,
    settings: OutlineSettings,
    run: Map,
) -> Outlines:
    # Fit twice: freely to measure directions, then along the direction of the row.
    free = fit_rectangles(raw, run=run)
    fits = rectangle_iou(raw, free, run) >= settings.rectangle_iou
    lengths = (free.high - free.low).max(axis=1)
    # A line fitted to a side has a direction whose variance falls with the cube of the length.
    weights = np.where(fits, lengths**3, 0)
    centres = shapely.get_coordinates(shapely.centroid(raw))
    # The ends of a grave move by at most snap_m: 6 cm at 1 m from its centre is 3.4 degrees.
    within = settings.snap_m / gsd_m / (lengths / 2)
    angles = follow_rows(free.angle, weights, centres, settings.row_radius_m / gsd_m, within)
    aligned = fit_rectangles(raw, angles, run)
    fit = rectangle_iou(raw, aligned, run)
    fits = fit >= settings.rectangle_iou
    gap = settings.shared_gap_m / gsd_m
    regular, shape = np.empty_like(raw), np.full(len(raw), "rectangle", np.dtype("<U10"))
    regular[fits] = share_sides(aligned.take(fits), gap)
    regular[~fits], shape[~fits] = _freely(raw[~fits], angles[~fits], gsd_m, settings)
    regular = close_gaps(resolve_overlaps(regular, confidence), np.flatnonzero(~fits), gap)
    regular = lay_as_coverage(regular, confidence, run)
    outlines = Outlines(raw, regular, shape, fit, np.arange(len(raw)))
    return outlines.take(shapely.area(regular) > 0)


def _freely(
    raw: Polygons, angles: NDArray[np.float64], gsd_m: float, settings: OutlineSettings
) -> tuple[Polygons, NDArray[np.str_]]:
    """Draw graves that are not rectangles: with right angles if those fit, else simplified."""
    tolerance = settings.simplify_m / gsd_m
    squared = square_up(raw, angles, tolerance)
    square = iou(raw, squared) >= settings.orthogonal_iou
    simplified = largest_parts(shapely.make_valid(shapely.simplify(raw, tolerance)))
    regular = _anchored(np.where(square, squared, simplified), raw)
    return regular, np.where(square, "orthogonal", "outline")


def _anchored(polygons: Polygons, models: Polygons) -> Polygons:
    """Scale and shift polygons to the areas and centroids of their models."""
    factors = np.sqrt(shapely.area(models) / shapely.area(polygons))
    here, there = (shapely.get_coordinates(shapely.centroid(p)) for p in (polygons, models))
    points, owner = shapely.get_coordinates(polygons, return_index=True)
    moved = there[owner] + (points - here[owner]) * factors[owner, None]
    return np.asarray(shapely.set_coordinates(polygons.copy(), moved))
