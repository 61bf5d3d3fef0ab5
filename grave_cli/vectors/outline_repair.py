"""Geometries as somebody drew them in, clean outlines and a count of what was mended out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.outlines.polygons import Polygons

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


@dataclass(frozen=True)
class CleanOutlines:
    """Outlines that can be worked with.

    Args:
        polygons: Valid Polygons in the order of their features.
        findings: What was mended or left out.
        source: Index of the feature that each comes from.
    """

    polygons: Polygons
    findings: Findings
    source: NDArray[np.intp]


def clean_outlines(
    geometries: Polygons, min_area: float, *, drop_duplicates: bool = True
) -> CleanOutlines:
    """Make one valid Polygon per outline out of whatever geometries there are.

    Collections and multi-polygons fall into their parts, closed lines become polygons. Invalid
    outlines are mended by GEOS' "structure" rule, which unites a ring's loops, so that an edge
    digitised twice leaves no hole; parts smaller than a twentieth of the mended outline are
    dropped. An outline crossed like a bow tie stays in two parts.

    Args:
        geometries: Flat geometries; None for features without one.
        min_area: Outlines with less are left out, in units of the CRS, squared.
        drop_duplicates: Take an outline that repeats another once. Truth drawn twice is one grave;
            predictions drawn twice are one too many.

    Returns:
        The polygons, and what was found; `outside` are those with infinite coordinates.
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
    mended, origin, repaired, collapsed = _repair(outlines[drawn & finite], min_area)
    source = source[drawn & finite][origin]
    kept = _first_of_each(mended) if drop_duplicates else np.ones(len(mended), np.bool_)
    return CleanOutlines(
        mended[kept],
        Findings(
            repaired=repaired,
            empty=int(nothing.sum()) + collapsed,
            unclosed=int((lines & ~drawn).sum()),
            other=int((~lines & ~drawn).sum()),
            duplicates=int((~kept).sum()),
            overlapping=_count_overlapping(mended[kept]),
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
    """Return the single geometries and whose parts they are.

    The pieces of a multi-line are tied together first.
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
    """Mend invalid outlines.

    Returns:
        Those that cover enough, the outline each comes from, how many were mended and lost.
    """
    invalid = ~shapely.is_valid(outlines)
    kept: list[shapely.Polygon] = []
    origin: list[int] = []
    repaired = collapsed = 0
    for index, (outline, broken) in enumerate(zip(outlines, invalid, strict=True)):
        parts = _mend(outline) if broken else [outline]
        parts = [part for part in parts if part.area >= min_area]
        repaired += bool(broken and parts)
        collapsed += not parts
        kept += parts
        origin += [index] * len(parts)
    return _join(kept), np.array(origin, dtype=np.intp), repaired, collapsed


def _mend(outline: shapely.Polygon) -> list[shapely.Polygon]:
    valid = shapely.make_valid(outline, method="structure", keep_collapsed=False)
    parts = [part for part in _explode(np.array([valid]))[0] if part.geom_type == "Polygon"]
    return [part for part in parts if part.area > _SLIVER_SHARE * valid.area]


def _pairs(polygons: Polygons) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return all pairs i < j that meet, in the order of j, and the area they share."""
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    ordered = first < second
    first, second = first[ordered], second[ordered]
    order = np.lexsort((first, second))
    first, second = first[order], second[order]
    return first, second, shapely.area(shapely.intersection(polygons[first], polygons[second]))


def _first_of_each(polygons: Polygons) -> NDArray[np.bool_]:
    """Choose the first of outlines that are the same."""
    first, second, common = _pairs(polygons)
    areas = shapely.area(polygons)
    same = common > _SAME_IOU * (areas[first] + areas[second] - common)
    kept = np.ones(len(polygons), np.bool_)
    for earlier, later in zip(first[same], second[same], strict=True):
        kept[later] &= ~kept[earlier]
    return kept


def _count_overlapping(polygons: Polygons) -> int:
    first, second, common = _pairs(polygons)
    areas = shapely.area(polygons)
    return int((common > _OVERLAP_SHARE * np.minimum(areas[first], areas[second])).sum())
