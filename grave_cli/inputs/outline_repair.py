"""Geometries as somebody drew them in, clean outlines and a count of what was mended out."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import shapely
from numpy.typing import NDArray

Polygons = NDArray[np.object_]

_GAP_SHARE = 0.005  # of its length: a line whose ends are nearer than this is closed
_SLIVER_SHARE = 0.05  # of an outline's area: a smaller part left by its repair is no grave
_SAME_IOU = 0.95  # two outlines that overlap more are one grave, drawn twice
_OVERLAP_SHARE = 0.05  # of the smaller outline: less is the width of a pen


@dataclass(frozen=True)
class Findings:
    """What was found in a file of outlines, counted.

    Args:
        repaired: Invalid outlines that were mended (crossing or repeated edges).
        empty: Features without a geometry, or with none that covers as much as a pixel; left out.
        unclosed: Lines that do not end where they begin; left out.
        other: Points and the like; left out.
        duplicates: Outlines that repeat another one (IoU above 0.95); left out.
        overlapping: Pairs that overlap by more than a twentieth of the smaller one; kept.
        outside: Outlines outside of the orthophoto; left out.
        clipped: Outlines partly outside of the orthophoto; cut at its edge.
    """

    repaired: int = 0
    empty: int = 0
    unclosed: int = 0
    other: int = 0
    duplicates: int = 0
    overlapping: int = 0
    outside: int = 0
    clipped: int = 0

    def sentences(self) -> Iterator[str]:
        """Say in words what was found, one clause for each kind that there is."""
        for field in fields(self):
            count = getattr(self, field.name)
            if count:
                yield _WORDS[field.name].format(count)


_WORDS = {
    "repaired": "{} invalid outlines were repaired",
    "empty": "{} features without an area are left out",
    "unclosed": "{} lines that do not close are left out",
    "other": "{} points or other features that are no outlines are left out",
    "duplicates": "{} outlines drawn twice are taken once",
    "overlapping": "{} pairs of graves overlap",
    "outside": "{} graves outside of the orthophoto are left out",
    "clipped": "{} graves are cut at the edge of the orthophoto",
}


def clean_outlines(geometries: Polygons, min_area: float) -> tuple[Polygons, Findings]:
    """Make one valid Polygon per outline out of whatever geometries there are.

    Collections and multi-polygons fall into their parts, closed lines become polygons. Invalid
    outlines are mended by GEOS' "structure" rule, which unites a ring's loops, so that an edge
    digitised twice leaves no hole; parts smaller than a twentieth of the mended outline are
    dropped. An outline crossed like a bow tie stays in two parts.

    Args:
        geometries: Flat geometries; None for features without one.
        min_area: Outlines with less are left out, in units of the CRS, squared.

    Returns:
        The polygons in the order of the features, and what was found; `outside` are those with
        infinite coordinates.
    """
    nothing = shapely.is_missing(geometries) | shapely.is_empty(geometries)
    parts = _explode(geometries[~nothing])
    lines = np.isin(shapely.get_type_id(parts), _LINES)
    rings = [_close(line) for line in parts[lines]]
    kinds = shapely.get_type_id(parts)
    drawn = _join([*parts[kinds == shapely.GeometryType.POLYGON], *(r for r in rings if r)])
    finite = np.isfinite(shapely.bounds(drawn)).all(axis=-1)
    mended, repaired, collapsed = _repair(drawn[finite], min_area)
    unique, duplicates = _drop_duplicates(mended)
    return unique, Findings(
        repaired=repaired,
        empty=int(nothing.sum()) + collapsed,
        unclosed=sum(ring is None for ring in rings),
        other=int((kinds != shapely.GeometryType.POLYGON).sum()) - len(rings),
        duplicates=duplicates,
        overlapping=_count_overlapping(unique),
        outside=int((~finite).sum()),
    )


_LINES = (shapely.GeometryType.LINESTRING, shapely.GeometryType.LINEARRING)


def _join(geometries: list[shapely.Geometry]) -> Polygons:
    joined = np.empty(len(geometries), dtype=object)
    joined[:] = geometries
    return joined


def _explode(geometries: Polygons) -> Polygons:
    """Return the single geometries; the pieces of a multi-line are tied together first."""
    while (shapely.get_type_id(geometries) >= shapely.GeometryType.MULTIPOINT).any():
        tied = shapely.get_type_id(geometries) == shapely.GeometryType.MULTILINESTRING
        geometries = np.where(tied, shapely.line_merge(geometries), geometries)
        geometries = shapely.get_parts(geometries)
    return geometries


def _close(line: shapely.LineString) -> shapely.Polygon | None:
    points = shapely.get_coordinates(line)
    gap = np.hypot(*(points[-1] - points[0]))
    if len(points) < 4 or not gap <= _GAP_SHARE * line.length:
        return None
    return shapely.Polygon([*points[:-1], points[0]])


def _repair(outlines: Polygons, min_area: float) -> tuple[Polygons, int, int]:
    """Mend invalid outlines; return those that cover enough, how many were mended and lost."""
    invalid = ~shapely.is_valid(outlines)
    kept: list[shapely.Polygon] = []
    repaired = collapsed = 0
    for outline, broken in zip(outlines, invalid, strict=True):
        parts = _mend(outline) if broken else [outline]
        parts = [part for part in parts if part.area >= min_area]
        repaired += bool(broken and parts)
        collapsed += not parts
        kept += parts
    return _join(kept), repaired, collapsed


def _mend(outline: shapely.Polygon) -> list[shapely.Polygon]:
    valid = shapely.make_valid(outline, method="structure", keep_collapsed=False)
    parts = [part for part in _explode(np.array([valid])) if part.geom_type == "Polygon"]
    return [part for part in parts if part.area > _SLIVER_SHARE * valid.area]


def _pairs(polygons: Polygons) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return all pairs i < j that meet, in the order of j, and the area they share."""
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    ordered = first < second
    first, second = first[ordered], second[ordered]
    order = np.lexsort((first, second))
    first, second = first[order], second[order]
    return first, second, shapely.area(shapely.intersection(polygons[first], polygons[second]))


def _drop_duplicates(polygons: Polygons) -> tuple[Polygons, int]:
    """Keep the first of outlines that are the same."""
    first, second, common = _pairs(polygons)
    areas = shapely.area(polygons)
    same = common > _SAME_IOU * (areas[first] + areas[second] - common)
    kept = np.ones(len(polygons), np.bool_)
    for earlier, later in zip(first[same], second[same], strict=True):
        kept[later] &= ~kept[earlier]
    return polygons[kept], int((~kept).sum())


def _count_overlapping(polygons: Polygons) -> int:
    first, second, common = _pairs(polygons)
    areas = shapely.area(polygons)
    return int((common > _OVERLAP_SHARE * np.minimum(areas[first], areas[second])).sum())
