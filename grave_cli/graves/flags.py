"""Outlines and evidence in, review flags out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.graves.confidence import size_deviations
from grave_cli.graves.evidence import Evidence
from grave_cli.outlines.polygons import Outlines, Polygons
from grave_cli.settings.mapping import FLAGS, ReviewSettings

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ALIKE = 0.15  # in log area; sizes this close are of one kind
_FEW = 3  # graves of one size, the outlier included; more are a kind of their own
_TOUCHING_M = 0.05
_HALVES = 0.75  # of the median area; larger graves are not halves of one
_CLEAR = 0.5  # mean contact probability; from here on, a line separates two graves
_FILLED = 0.92  # least share of the rectangle around two halves that they fill


@dataclass(frozen=True)
class Review:
    """Review flags, one entry for each grave.

    Args:
        flags: Names of the flags, comma-separated; empty for most graves.
        needed: Whether the grave needs a review.
    """

    flags: NDArray[np.object_]
    needed: Mask

    def take(self, keep: NDArray[np.intp]) -> "Review":
        """Select graves by indices in the wanted order."""
        return Review(self.flags[keep], self.needed[keep])


def review(
    outlines: Outlines,
    evidence: Evidence,
    confidence: Floats,
    gsd_m: float,
    settings: ReviewSettings,
) -> Review:
    """Flag graves that may be wrong.

    Args:
        outlines: All graves of a cemetery, in pixels; they define the usual size.
        evidence: Evidence for the same graves.
        confidence: Confidence of the same graves.
        gsd_m: Pixel edge in metres.
        settings: Thresholds of the flags, and the flags that need no review.
    """
    sizes, shapes = _strange_outlines(outlines.regular, gsd_m, settings)
    ragged = outlines.fit < settings.min_fit
    raised = {
        "edge": evidence.edge,
        "nodata": evidence.nodata >= settings.nodata_share,
        "occluded": (evidence.unsure >= settings.unsure_share) & (outlines.shape == "outline"),
        "size_outlier": sizes,
        "shape_outlier": ragged | shapes,
        "possible_merge": (evidence.second_seed >= settings.second_seed_share)
        | (evidence.line_inside >= settings.line_inside),
        "possible_split": _halves(outlines.regular, evidence, gsd_m),
        "low_confidence": confidence < settings.min_confidence,
    }
    return _write_down(raised, settings)


def review_outlines(polygons: Polygons, settings: ReviewSettings) -> Review:
    """Flag graves of which nothing but the outline is known, such as those drawn by hand.

    Args:
        polygons: All graves of a cemetery, in metres; they define the usual size.
        settings: Thresholds of the flags, and the flags that need no review.
    """
    sizes, shapes = _strange_outlines(polygons, 1.0, settings)
    return _write_down({"size_outlier": sizes, "shape_outlier": shapes}, settings)


def _strange_outlines(
    polygons: Polygons, unit_m: float, settings: ReviewSettings
) -> tuple[Mask, Mask]:
    """Find outlines of unusual size, and unusually long ones."""
    areas = shapely.area(polygons) * unit_m**2
    smallest, largest = settings.size_range_m2
    strange = (areas < smallest) | (areas > largest)
    sizes = strange | _unusual(areas, settings.size_deviation)
    return sizes, np.asarray(_elongation(polygons) > settings.max_elongation)


def _write_down(raised: Mapping[str, Mask], settings: ReviewSettings) -> Review:
    nothing = np.zeros_like(next(iter(raised.values())))
    table = np.column_stack([raised.get(name, nothing) for name in FLAGS])
    names = np.array(FLAGS)
    flags = np.empty(len(table), dtype=object)
    flags[:] = [",".join(names[row]) for row in table]
    calls = np.array([name not in settings.without_review for name in FLAGS])
    return Review(flags, np.asarray((table & calls).any(axis=1)))


def _unusual(areas: Floats, spreads: float) -> Mask:
    """Find sizes far from the median that hardly any other grave has.

    Four or more graves of about one size are a kind of their own, such as urn graves.

    Shapes:
        areas: (graves,); returns: (graves,)
    """
    far = np.abs(size_deviations(areas)) > spreads
    logs = np.log(areas)
    ordered = np.sort(logs)
    alike = np.searchsorted(ordered, logs + _ALIKE, "right")
    alike -= np.searchsorted(ordered, logs - _ALIKE, "left")
    return np.asarray(far & (alike <= _FEW))


def _elongation(polygons: Polygons) -> Floats:
    """Divide the longer side of the smallest rectangle around each polygon by the shorter one."""
    boxes = shapely.oriented_envelope(polygons)
    corners = shapely.get_coordinates(boxes).reshape(len(polygons), 5, 2)[:, :3]
    sides = np.hypot(*np.diff(corners, axis=1).transpose(2, 0, 1))
    return np.asarray(sides.max(axis=1, initial=0) / sides.min(axis=1, initial=np.inf))


def _halves(polygons: Polygons, evidence: Evidence, gsd_m: float) -> Mask:
    """Find touching pairs of small graves that together fill a rectangle of the usual size.

    A clear contact line between them shows that they are two graves after all.
    """
    found = np.zeros(len(polygons), np.bool_)
    reach = _TOUCHING_M / gsd_m
    first, second = shapely.STRtree(polygons).query(polygons, predicate="dwithin", distance=reach)
    areas = shapely.area(polygons)
    typical = np.median(areas) if len(areas) else 0.0
    small = (areas < _HALVES * typical) & (evidence.contact_seam < _CLEAR)
    candidate = (first < second) & small[first] & small[second]
    first, second = first[candidate], second[candidate]
    both = areas[first] + areas[second]
    around = shapely.oriented_envelope(shapely.union(polygons[first], polygons[second]))
    # The usual size is 3/4 to 4/3 of the median.
    usual = np.abs(np.log(both / typical)) < np.log(1 / _HALVES)
    whole = usual & (both >= _FILLED * shapely.area(around))
    found[first[whole]] = found[second[whole]] = True
    return found
