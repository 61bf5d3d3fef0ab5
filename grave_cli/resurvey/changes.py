"""Graves of two surveys that lie on each other in; what became of each grave out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.evaluation.matching import Overlaps, choose_pairs, overlaps_of_polygons
from grave_cli.outlines.polygons import Polygons, iou
from grave_cli.settings.compare import CompareSettings

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

Change = Literal["unchanged", "moved", "resized", "new", "gone", "split", "merged"]
CHANGES: tuple[Change, ...] = get_args(Change)
"""The kinds of change."""

_NEARNESS = 0.01  # of the IoU: decides between pairs that overlap equally
_OBLONG = 0.22  # as `_axes` measures it: sides of 1.25 x 1 and longer have a clear direction


@dataclass(frozen=True)
class Measures:
    """How far each grave of the new survey differs from its grave of the old one; NaN without one.

    Args:
        moved_m: Distance of the centres.
        turned_deg: Angle between the longer sides; NaN also for a grave without a clear direction.
        swing_m: How far the ends of the grave moved by the turn; NaN where that is.
        area_change_m2: Area in the new survey less that in the old one.
        area_change_share: The same, as a share of the old area.
        iou: Overlap of the outlines.
    """

    moved_m: Floats
    turned_deg: Floats
    swing_m: Floats
    area_change_m2: Floats
    area_change_share: Floats
    iou: Floats


@dataclass(frozen=True)
class Changes:
    """What became of each grave.

    Args:
        of_old: Change of each grave of the old survey; never `new`.
        of_new: Change of each grave of the new survey; never `gone`.
        partner: For each grave of the new survey, the grave of the old one that it continues, and
            for a part the grave that was split; -1 for none. Of a merge, see `sources`.
        rank: Of the parts of a split grave, 0 for the part that overlaps most, then 1, 2, …;
            0 for other graves.
        sources: Graves of the old survey that were merged into a grave of the new one.
        measures: Of graves with one partner.
    """

    of_old: NDArray[np.object_]
    of_new: NDArray[np.object_]
    partner: Ints
    rank: Ints
    sources: dict[int, tuple[int, ...]]
    measures: Measures


def find_changes(old: Polygons, new: Polygons, settings: CompareSettings) -> Changes:
    """Match graves and name the change of each.

    Splits and merges come first; the other graves are paired so that the total IoU is largest.

    Args:
        old: Graves of the old survey, on the place of the new one, in a frame of metres.
        new: Graves of the new survey, in the same frame.
        settings: Limits of the kinds of change.
    """
    overlaps = overlaps_of_polygons(old, new)
    of_old = np.full(len(old), "gone", dtype=object)
    of_new = np.full(len(new), "new", dtype=object)
    partner, rank = np.full(len(new), -1), np.zeros(len(new), np.intp)
    sources: dict[int, tuple[int, ...]] = {}
    for whole, parts, is_split in _divisions(overlaps, old, new, settings):
        if is_split:
            of_old[whole], of_new[list(parts)] = "split", "split"
            partner[list(parts)], rank[list(parts)] = whole, np.arange(len(parts))
        else:
            of_new[whole], of_old[list(parts)] = "merged", "merged"
            partner[whole], sources[whole] = parts[0], parts
    first, second = _pairs(overlaps, old, new, of_old == "gone", of_new == "new", settings)
    measures = _measure(old, new, first, second)
    partner[second] = first
    changed = _name_pairs(measures, second, settings)
    of_old[first] = of_new[second] = changed
    return Changes(of_old, of_new, partner, rank, sources, measures)


def _divisions(
    overlaps: Overlaps, old: Polygons, new: Polygons, settings: CompareSettings
) -> Iterator[tuple[int, tuple[int, ...], bool]]:
    """Find graves that fell into parts, in either direction of time.

    Yields:
        The whole, its parts from the largest overlap on, and whether it was split. No grave is in
        two of them: the division that covers its whole best comes first.
    """
    areas = shapely.area(old), shapely.area(new)
    found = []
    for whole_of, part_of, wholes, parts, is_split in (
        (overlaps.truth, overlaps.predicted, areas[0], areas[1], True),
        (overlaps.predicted, overlaps.truth, areas[1], areas[0], False),
    ):
        inside = overlaps.common / np.maximum(parts[part_of], 1e-9) >= settings.part_share
        large = overlaps.common / np.maximum(wholes[whole_of], 1e-9) >= settings.min_part_share
        links = np.flatnonzero(inside & large)
        for whole in np.flatnonzero(np.bincount(whole_of[links]) > 1).tolist():
            mine = links[whole_of[links] == whole]
            covered = float(overlaps.common[mine].sum() / wholes[whole])
            if covered < settings.part_share:
                continue
            order = mine[np.lexsort((part_of[mine], -overlaps.common[mine]))]
            found.append((-covered, is_split, whole, tuple(part_of[order].tolist())))
    taken: set[tuple[bool, int]] = set()
    for _, is_split, whole, members in sorted(found):
        own = {(is_split, whole), *((not is_split, member) for member in members)}
        if not own & taken:
            taken |= own
            yield whole, members, is_split


def _pairs(
    overlaps: Overlaps,
    old: Polygons,
    new: Polygons,
    free_old: NDArray[np.bool_],
    free_new: NDArray[np.bool_],
    settings: CompareSettings,
) -> tuple[Ints, Ints]:
    """Pair the remaining graves one to one, by overlap and distance."""
    pairs = overlaps.take(free_old[overlaps.truth] & free_new[overlaps.predicted])
    before, after = old[pairs.truth], new[pairs.predicted]
    distance = shapely.distance(shapely.centroid(before), shapely.centroid(after))
    width = np.minimum(*(np.abs(_sides(one)).min(axis=1) for one in (before, after)))
    growth = np.log(shapely.area(after) / shapely.area(before))
    alike = np.abs(growth) <= np.log1p(settings.resized_share)
    near = distance < settings.max_move_share * width
    same = (pairs.iou >= settings.min_iou) | (alike & near)
    gain = pairs.iou + _NEARNESS / (1 + distance)
    scored = Overlaps(pairs.truth, pairs.predicted, gain, pairs.common).take(same)
    chosen = choose_pairs(scored, 0.0)
    return chosen.truth, chosen.predicted


def _measure(old: Polygons, new: Polygons, first: Ints, second: Ints) -> Measures:
    nothing = np.full(len(new), np.nan)
    moved, turned, swing, grown, share, ratio = (nothing.copy() for _ in range(6))
    before, after = old[first], new[second]
    moved[second] = shapely.distance(shapely.centroid(before), shapely.centroid(after))
    turned[second] = _turns(before, after)
    length = np.abs(_sides(after)).max(axis=1, initial=0)
    swing[second] = length / 2 * np.sin(np.radians(turned[second]))
    areas = shapely.area(before)
    grown[second] = shapely.area(after) - areas
    share[second] = grown[second] / areas
    ratio[second] = iou(before, after)
    return Measures(moved, turned, swing, grown, share, ratio)


def _turns(before: Polygons, after: Polygons) -> Floats:
    """Measure the angle between the long axes, in degrees; NaN if one grave has no clear one."""
    first, second = _axes(before), _axes(after)
    clear = np.minimum(np.abs(first), np.abs(second)) >= _OBLONG
    # Twice the angle: the direction of an axis is known modulo a half turn.
    turn = np.degrees(np.abs(np.angle(second * first.conj())) / 2)
    return np.where(clear, turn, np.nan)


def _axes(outlines: Polygons) -> NDArray[np.complex128]:
    """Return the long axis of each outline, as a complex number of twice its angle.

    Its length is (a - b) / (a + b), where a and b are the moments of inertia: 0 for a square, 0.6
    for a rectangle of 2 x 1. Unlike the smallest rectangle, it never jumps when a corner moves a
    little. For a triangle of corners 0, p and q and area A, the integral of z squared is
    A (p^2 + p q + q^2) / 6.
    """
    centres = shapely.get_coordinates(shapely.centroid(outlines))
    points, index = shapely.get_coordinates(shapely.convex_hull(outlines), return_index=True)
    z = (points - centres[index]) @ (1, 1j)
    same = index[1:] == index[:-1]
    p, q, owner = z[:-1][same], z[1:][same], index[1:][same]
    twice_area = np.abs((p.conj() * q).imag)
    square = twice_area * (p**2 + p * q + q**2)
    size = twice_area * (np.abs(p) ** 2 + (p * q.conj()).real + np.abs(q) ** 2)
    count = len(outlines)
    total = [np.bincount(owner, part, count) for part in (square.real, square.imag, size)]
    return np.asarray((total[0] + 1j * total[1]) / np.maximum(total[2], 1e-12))


def _sides(outlines: Polygons) -> NDArray[np.complex128]:
    """Return two neighbouring sides of the smallest rectangle around each outline, as x + iy.

    Shapes:
        returns: (n, 2)
    """
    boxes = shapely.minimum_rotated_rectangle(outlines)
    corners = shapely.get_coordinates(boxes).reshape(len(outlines), 5, 2)
    return np.asarray(np.diff(corners[:, :3], axis=1) @ (1, 1j))


def _name_pairs(measures: Measures, index: Ints, settings: CompareSettings) -> NDArray[np.object_]:
    """Name the change of graves with one partner; a grave that also moved is resized."""
    growth = np.abs(np.log1p(measures.area_change_share[index]))
    resized = growth > np.log1p(settings.resized_share)
    with np.errstate(invalid="ignore"):
        # A few centimetres turn a small grave by many degrees.
        swung = measures.swing_m[index] > settings.moved_m / 2
        turned = swung & (measures.turned_deg[index] > settings.turned_deg)
    moved = (measures.moved_m[index] > settings.moved_m) | turned
    names = np.full(len(index), "unchanged", dtype=object)
    names[moved], names[resized] = "moved", "resized"
    return names
