"""Outlines as drawn in, outlines that are whole polygons out, and what only a person can decide."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.outlines.polygons import Polygons
from grave_cli.vectors.outline_repair import clean_outlines
from grave_cli.wording import counted


@dataclass(frozen=True)
class Repair:
    """Outlines after their repair.

    Args:
        outlines: Valid outlines; None for one that cannot be used.
        repaired: The outlines that were changed.
        faults: Why an outline cannot be used, by its index, as the end of a sentence.
    """

    outlines: Polygons
    repaired: NDArray[np.bool_]
    faults: dict[int, str]


def repair_outlines(drawn: Polygons, *, with_parts: bool) -> Repair:
    """Repair invalid outlines, and name those of which no single grave can be made.

    An outline that crosses itself is repaired if one part holds nearly all of it. One that falls
    into several parts, such as a bow tie, may be a slip or two graves: a person has to decide.

    Args:
        drawn: Geometries of any kind; None for none.
        with_parts: An outline may have several parts.
    """
    flat = shapely.force_2d(drawn)
    clean = clean_outlines(flat, 0.0, drop_duplicates=False)
    outlines = np.full(len(drawn), None, dtype=object)
    faults: dict[int, str] = {}
    for index, parts in enumerate(_by_source(clean.polygons, clean.source, len(drawn))):
        whole = _one_outline(flat[index], parts, with_parts)
        if isinstance(whole, str):
            faults[index] = whole
        else:
            outlines[index] = whole
    usable = ~shapely.is_missing(outlines)
    plain = drawn.copy()
    if with_parts:  # where a grave may have several parts, one that has one is as it should be
        one = usable & (shapely.get_type_id(drawn) == shapely.GeometryType.MULTIPOLYGON)
        one &= shapely.get_num_geometries(drawn) == 1
        plain[one] = shapely.get_geometry(drawn[one], 0)
    repaired = usable & ~shapely.equals_exact(outlines, plain) | (usable & shapely.has_z(drawn))
    return Repair(outlines, repaired, faults)


def _by_source(polygons: Polygons, source: NDArray[np.intp], count: int) -> Iterator[Polygons]:
    ends = np.searchsorted(source, np.arange(count + 1))
    for first, last in pairwise(ends):
        yield polygons[first:last]


def _one_outline(
    drawn: shapely.Geometry | None, parts: Polygons, with_parts: bool
) -> shapely.Geometry | str:
    if drawn is None or drawn.is_empty:
        return "has no outline: draw one, or delete the row"
    if not len(parts):
        return f"has an outline without an area ({drawn.geom_type}): redraw it, or delete the row"
    if len(parts) == 1:
        return parts[0]
    if with_parts and drawn.is_valid and drawn.geom_type == "MultiPolygon":
        return drawn
    whole = shapely.union_all(parts)
    if with_parts or whole.geom_type == "Polygon":
        return whole
    many = counted(len(parts), "part")
    return f"has an outline of {many}: make one grave of each, or delete the wrong ones"
