"""Geometries as drawn in, clean outlines and a count of repairs and omissions out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.outlines.polygons import Polygons, made_valid

_GAP_SHARE = 0.005  # of a line's length; a line with a smaller gap between its ends is closed
_SLIVER_SHARE = 0.05  # of an outline's area; smaller parts left by a repair are dropped
_HAIR = 1e-6  # of an outline's extent; narrower ones collapse in another CRS
_SAME_IOU = 0.95  # outlines with a larger IoU are duplicates
_OVERLAP_SHARE = 0.05  # of the smaller outline; smaller overlaps are drawing inaccuracy


@dataclass(frozen=True)
class Findings:
    """Counts of repairs and omissions in a file of outlines.

    Args:
        repaired: Invalid outlines that were repaired (crossing or repeated edges).
        unreadable: Features whose geometry is damaged; ignored.
        empty: Features without a geometry, smaller than a pixel, or thin as a hair; ignored.
        unclosed: Lines that do not end where they start; ignored.
        other: Features of other types, such as points; ignored.
        duplicates: Outlines that repeat another one (IoU above 0.95); ignored.
        overlapping: Pairs that overlap by more than a twentieth of the smaller outline; kept.
        outside: Outlines outside the orthophoto; ignored.
        clipped: Outlines partly outside the orthophoto; clipped at its edge.
    """

    repaired: int = 0
    unreadable: int = 0
    empty: int = 0
    unclosed: int = 0
    other: int = 0
    duplicates: int = 0
    overlapping: int = 0
    outside: int = 0
    clipped: int = 0

    def sentences(self) -> Iterator[str]:
        """Describe the findings, one clause for each kind with a count above zero."""
        for field in fields(self):
            count = getattr(self, field.name)
            if count:
                s = "" if count == 1 else "s"
                yield _WORDS[field.name].format(count=count, s=s, verb_s="" if s else "s")


_WORDS = {
    "repaired": "{count} invalid outline{s} repaired",
    "unreadable": "{count} feature{s} with a geometry that cannot be read ignored",
    "empty": "{count} feature{s} without an area ignored",
    "unclosed": "{count} unclosed line{s} ignored",
    "other": "{count} feature{s} of other types, such as points, ignored",
    "duplicates": "{count} duplicate outline{s} ignored",
    "overlapping": "{count} pair{s} of graves overlap{verb_s}",
    "outside": "{count} grave{s} outside the orthophoto ignored",
    "clipped": "{count} grave{s} clipped at the edge of the orthophoto",
}


@dataclass(frozen=True)
class CleanOutlines:
    """Valid outlines of a file.

    Args:
        polygons: Valid polygons in the order of their features.
        findings: Repairs and omissions.
        source: Index of the feature of each polygon.
    """

    polygons: Polygons
    findings: Findings
    source: NDArray[np.intp]


def clean_outlines(
    geometries: Polygons, min_area: float, *, drop_duplicates: bool = True, unreadable: int = 0
) -> CleanOutlines:
    """Turn geometries of any type into valid polygons, one per outline.

    Collections and multi-polygons are split into their parts, closed lines become polygons. Invalid
    outlines are repaired by the "structure" method of GEOS, which unites the loops of a ring, so
    that an edge digitised twice leaves no hole. Parts smaller than a twentieth of the repaired
    outline are dropped; a bow tie stays in two parts.

    Args:
        geometries: Flat geometries; None for features without one.
        min_area: Area below which outlines are ignored, in squared units of the CRS.
        drop_duplicates: Keep only one of duplicate outlines. A true grave drawn twice is one grave;
            of a predicted grave drawn twice, one is a mistake.
        unreadable: Number of those without a geometry whose geometry is damaged.

    Returns:
        The polygons and the findings; `outside` counts outlines with infinite coordinates.
    """
    nothing = shapely.is_missing(geometries) | shapely.is_empty(geometries)
    parts, source = _explode(geometries[~nothing])
    source = np.flatnonzero(~nothing)[source]
    kinds = shapely.get_type_id(parts)
    lines = np.isin(kinds, _LINES)
    outlines = parts.copy()
    outlines[lines] = _join([_close(line) for line in parts[lines]])
    drawn = shapely.get_type_id(outlines) == shapely.GeometryType.POLYGON
    finite = np.isfinite(shapely.bounds(outlines)).all(axis=-1)
    polygons, origin, repaired, collapsed = _repair(outlines[drawn & finite], min_area)
    source = source[drawn & finite][origin]
    kept = _first_of_each(polygons) if drop_duplicates else np.ones(len(polygons), np.bool_)
    return CleanOutlines(
        polygons[kept],
        Findings(
            repaired=repaired,
            unreadable=unreadable,
            empty=int(nothing.sum()) - unreadable + collapsed,
            unclosed=int((lines & ~drawn).sum()),
            other=int((~lines & ~drawn).sum()),
            duplicates=int((~kept).sum()),
            overlapping=_count_overlapping(polygons[kept]),
            outside=int((drawn & ~finite).sum()),
        ),
        source[kept],
    )


_LINES = (shapely.GeometryType.LINESTRING, shapely.GeometryType.LINEARRING)


def _join(geometries: Sequence[shapely.Geometry | None]) -> Polygons:
    joined = np.empty(len(geometries), dtype=object)
    joined[:] = geometries
    return joined


def _explode(geometries: Polygons) -> tuple[Polygons, NDArray[np.intp]]:
    """Split geometries into parts; return these and the index of the geometry of each.

    The pieces of a multi-line are merged first.
    """
    source = np.arange(len(geometries))
    while (shapely.get_type_id(geometries) >= shapely.GeometryType.MULTIPOINT).any():
        tied = shapely.get_type_id(geometries) == shapely.GeometryType.MULTILINESTRING
        geometries = np.where(tied, shapely.line_merge(geometries), geometries)
        geometries, part_of = shapely.get_parts(geometries, return_index=True)
        source = source[part_of]
    return geometries, source


def _close(line: shapely.LineString) -> shapely.Polygon | None:
    points = shapely.get_coordinates(line)
    gap = np.hypot(*(points[-1] - points[0]))
    if len(points) < 4 or not gap <= _GAP_SHARE * line.length:
        return None
    return shapely.Polygon([*points[:-1], points[0]])


def _repair(outlines: Polygons, min_area: float) -> tuple[Polygons, NDArray[np.intp], int, int]:
    """Repair invalid outlines.

    Returns:
        The outlines of at least min_area, the index of the input of each, the number repaired, and
        the number lost.
    """
    invalid = ~shapely.is_valid(outlines)
    kept: list[shapely.Polygon] = []
    origin: list[int] = []
    repaired = collapsed = 0
    for index, (outline, broken) in enumerate(zip(outlines, invalid, strict=True)):
        parts = _repaired_parts(outline) if broken else [outline]
        parts = [part for part in parts if part.area >= min_area and not _is_hairline(part)]
        repaired += bool(broken and parts)
        collapsed += not parts
        kept += parts
        origin += [index] * len(parts)
    return _join(kept), np.array(origin, dtype=np.intp), repaired, collapsed


def _is_hairline(outline: shapely.Polygon) -> bool:
    """Tell a sliver from an area: 2 m long, it is narrower than 4 µm."""
    left, bottom, right, top = outline.bounds
    return bool(outline.area <= _HAIR * outline.length * max(right - left, top - bottom))


def _repaired_parts(outline: shapely.Polygon) -> list[shapely.Polygon]:
    valid = made_valid(np.array([outline], dtype=object))
    parts = [part for part in _explode(valid)[0] if part.geom_type == "Polygon"]
    return [part for part in parts if part.area > _SLIVER_SHARE * valid[0].area]


def _pairs(polygons: Polygons) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Find all pairs i < j that intersect, in the order of j, and the area they share."""
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    ordered = first < second
    first, second = first[ordered], second[ordered]
    order = np.lexsort((first, second))
    first, second = first[order], second[order]
    return first, second, shapely.area(shapely.intersection(polygons[first], polygons[second]))


def _first_of_each(polygons: Polygons) -> NDArray[np.bool_]:
    """Select the first of each set of duplicates."""
    first, second, common = _pairs(polygons)
    areas = shapely.area(polygons)
    same = common > _SAME_IOU * (areas[first] + areas[second] - common)
    kept = np.ones(len(polygons), np.bool_)
    for earlier, later in zip(first[same], second[same], strict=True):
        # Of three in a chain, 1 = 2 and 2 = 3 but not 1 = 3, the first and the third stay.
        kept[later] &= ~kept[earlier]
    return kept


def _count_overlapping(polygons: Polygons) -> int:
    first, second, common = _pairs(polygons)
    areas = shapely.area(polygons)
    return int((common > _OVERLAP_SHARE * np.minimum(areas[first], areas[second])).sum())
