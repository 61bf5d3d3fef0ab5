"""Faint instances and drawn graves in, outlines and evidence of candidates out.

A faint instance shows the surest part of a grave: its rectangle has the direction of the graves
around it, and grows towards their size.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.graves.faint import Faint
from grave_cli.outlines.polygons import Polygons, grown, largest_parts

Floats = NDArray[np.float64]

_AROUND = 8  # graves that tell the usual size and direction at a place
_TURN = np.radians(20)  # a clear direction of its own differs by more
_ROUND = 1.3  # length by width; rounder instances have no direction of their own
_GROWTH = 1.5  # most times the area of an instance
_SAME = 0.3  # of the smaller of two instances: more in common, and they are one
_LEFT = 0.6  # least share of an outline that no grave takes
_UNUSUAL = 1.5  # in log area; sizes beyond are equally unusual
_RIM = 0.5  # pixels between a candidate and the graves beside it


@dataclass(frozen=True)
class Outlined:
    """Outlined faint instances, one entry each.

    Args:
        polygons: Rectangles, in pixels; they may overlap one another, but no grave.
        faint: The instances.
        fit: Share of the rectangle's area that the instance fills, or the reverse.
        usual: How usual its area is among the graves around it, from 0 to 1.
    """

    polygons: Polygons
    faint: Faint
    fit: Floats
    usual: Floats

    def __len__(self) -> int:
        return len(self.polygons)

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Outlined":
        """Select instances by a mask, or by indices in the wanted order."""
        return Outlined(
            self.polygons[keep], self.faint.take(keep), self.fit[keep], self.usual[keep]
        )


def outline_faint(faint: Faint, graves: Polygons, centres: Floats, angles: Floats) -> Outlined:
    """Outline faint instances like the graves around them.

    Args:
        faint: The instances.
        graves: Drawn graves, in pixels.
        centres: Their centres.
        angles: Directions of their sides, radians modulo a quarter turn.
    """
    near = _nearest(faint.centre, centres)
    areas = shapely.area(graves)[near]
    typical = np.median(areas, axis=1) if near.size else faint.area.copy()
    own = _own_angles(faint.spread)
    angle = _directions(faint, own, angles[near]) if near.size else own
    along = np.column_stack([np.cos(angle), np.sin(angle)])
    across = np.column_stack([-along[:, 1], along[:, 0]])
    # A side of length L has the variance L^2 / 12 along it.
    long, wide = (
        np.sqrt(12 * np.einsum("ni,nij,nj->n", axis, faint.spread, axis))
        for axis in (along, across)
    )
    box = long * wide
    growth = np.clip(np.sqrt(typical / faint.area), 1, _GROWTH)
    scale = np.sqrt(faint.area * growth / box) / 2
    half_long, half_wide = along * (long * scale)[:, None], across * (wide * scale)[:, None]
    centre = faint.centre
    corners = [
        centre - half_long - half_wide,
        centre + half_long - half_wide,
        centre + half_long + half_wide,
        centre - half_long + half_wide,
    ]
    whole = np.asarray(shapely.polygons(np.stack(corners, axis=1)), dtype=object)
    polygons = _beside(whole, graves)
    filled = faint.area / box
    unusual = np.abs(np.log(faint.area * growth / typical))
    outlined = Outlined(
        polygons,
        faint,
        np.minimum(filled, 1 / filled),
        1 - unusual.clip(0, _UNUSUAL) / _UNUSUAL,
    )
    return outlined.take(shapely.area(polygons) >= _LEFT * shapely.area(whole))


def local_sizes(graves: Polygons) -> Floats:
    """Return the usual area around each grave: the median of it and its nearest neighbours.

    Args:
        graves: Their outlines.
    """
    centres = shapely.get_coordinates(shapely.centroid(graves))
    return np.asarray(np.median(shapely.area(graves)[_nearest(centres, centres)], axis=1))


def _nearest(places: Floats, centres: Floats) -> NDArray[np.intp]:
    """Return the nearest graves of each place, (places, _AROUND or fewer)."""
    from scipy.spatial import cKDTree

    count = min(_AROUND, len(centres))
    if not count or not len(places):
        return np.zeros((len(places), 0), np.intp)
    return np.asarray(cKDTree(centres).query(places, range(1, count + 1))[1], np.intp)


def _own_angles(spread: Floats) -> Floats:
    return np.asarray(
        np.arctan2(2 * spread[:, 0, 1], spread[:, 0, 0] - spread[:, 1, 1]) / 2, np.float64
    )


def _directions(faint: Faint, own: Floats, around: Floats) -> Floats:
    """Choose the direction of the graves around, unless an instance clearly has another one."""
    # Modulo a quarter turn: the quadruple angle.
    usual = np.angle(np.exp(4j * around).sum(axis=1)) / 4
    turn = np.angle(np.exp(4j * (usual - own))) / 4
    values = np.linalg.eigvalsh(faint.spread)
    is_round = values[:, 1] < _ROUND**2 * values[:, 0]
    return np.where(is_round | (np.abs(turn) < _TURN), own + turn, own)


def _beside(polygons: Polygons, graves: Polygons) -> Polygons:
    """Cut the graves out of polygons."""
    result = polygons.copy()
    index, grave = shapely.STRtree(graves).query(polygons, predicate="dwithin", distance=_RIM)
    order = np.argsort(index, kind="stable")
    touched, starts = np.unique(index[order], return_index=True)
    for one, beside in zip(touched, np.split(grave[order], starts[1:]), strict=False):
        taken = grown(shapely.union_all(graves[beside]), _RIM)
        result[one] = shapely.difference(result[one], taken)
    return largest_parts(result)


def choose_apart(polygons: Polygons, probability: Floats) -> NDArray[np.intp]:
    """Choose the most probable ones of overlapping polygons; they come first.

    Args:
        polygons: Outlines that may overlap.
        probability: Probability of each.

    Returns:
        Indices, by falling probability.
    """
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    other = first != second
    first, second = first[other], second[other]
    areas = shapely.area(polygons)
    common = shapely.area(shapely.intersection(polygons[first], polygons[second]))
    clash = common > _SAME * np.minimum(areas[first], areas[second])
    order = np.argsort(first[clash], kind="stable")
    owners, rivals = first[clash][order], second[clash][order]
    starts = np.searchsorted(owners, np.arange(len(polygons) + 1))
    out = np.zeros(len(polygons), np.bool_)
    chosen = []
    for one in np.argsort(-probability, kind="stable").tolist():
        if not out[one]:
            chosen.append(one)
            out[rivals[starts[one] : starts[one + 1]]] = True
    return np.array(chosen, np.intp)
