"""Two surveys of one place in, the shift between them out: a translation and a small rotation.

Rows of graves repeat, so that a shift by one grave fits almost as well as the true one. Candidates
are therefore voted for by all pairs of graves at once, refined, and judged by how well the outlines
lie on each other.
"""

from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.spatial import KDTree

from grave_cli.outlines.polygons import Polygons, iou, mended
from grave_cli.settings.compare import CompareSettings
from grave_cli.wording import counted

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_ANCHORS = 400  # graves that vote; more are no more certain, only slower
_CELL_M = 0.25  # of the ballot; a third of an urn grave
_APART_M = 0.5  # candidates closer than this are one
_CANDIDATES = 6
_ALIKE = 0.5  # in log area: graves of other sizes are no pair
_REACHES_M = (1.0, 1.0, 0.7, 0.5, 0.5, 0.5, 0.5)  # of a pair, round by round
_TURN_PAIRS = 10  # with fewer, a rotation would follow the noise
_FIT_SHARE = 0.3  # of the smaller survey: if fewer graves fit, there is no shift to be seen
_RIVAL = 0.9  # of the best fit: from here on, another shift is nearly as good


@dataclass(frozen=True)
class Shift:
    """The way from an old survey to a new one, in a frame of metres.

    Args:
        east_m: Shift to the east at the centre.
        north_m: Shift to the north at the centre.
        turn_deg: Rotation around the centre, anticlockwise.
        centre: The median of the centres of the old graves.
        pairs: Graves of both surveys that lie on each other after the shift.
        residual_m: Median distance of their centres after the shift; NaN without pairs.
        reason: Why no shift could be estimated; empty if one was.
        rival_m: East and north of another shift that fits nearly as well; None for none.
        is_unlikely: Both surveys have enough graves, but hardly any of them fit.
    """

    east_m: float
    north_m: float
    turn_deg: float
    centre: tuple[float, float]
    pairs: int
    residual_m: float
    reason: str = ""
    rival_m: tuple[float, float] | None = None
    is_unlikely: bool = False

    @property
    def is_estimated(self) -> bool:
        """Whether a shift was estimated; otherwise, none is removed."""
        return not self.reason

    def points(self, points: Floats) -> Floats:
        """Move points of the old survey to the new one.

        Shapes:
            points: (n, 2); returns: (n, 2)
        """
        cos, sin = np.cos(np.radians(self.turn_deg)), np.sin(np.radians(self.turn_deg))
        turn = np.array([[cos, sin], [-sin, cos]])  # of row vectors, anticlockwise
        return np.asarray((points - self.centre) @ turn + self.centre + (self.east_m, self.north_m))

    def outlines(self, outlines: Polygons) -> Polygons:
        """Move outlines of the old survey to the new one."""
        return mended(np.asarray(shapely.transform(outlines, self.points)))


@dataclass(frozen=True)
class _Places:
    """Centres of graves in metres, and the logarithms of their areas."""

    centres: Floats
    sizes: Floats


def estimate_shift(old: Polygons, new: Polygons, settings: CompareSettings) -> Shift:
    """Estimate the shift between two surveys.

    Graves that moved, vanished or appeared do not disturb it, as long as most stayed.

    Args:
        old: Graves of the old survey, in a frame of metres.
        new: Graves of the new survey, in the same frame.
        settings: Largest shift and rotation, fewest pairs.
    """
    before, after = _places(old), _places(new)
    # Not the mean: one stray outline, such as one at 0, 0, would move it by kilometres.
    centre = tuple(np.median(before.centres, axis=0).tolist()) if len(old) else (0.0, 0.0)
    still = Shift(0.0, 0.0, 0.0, centre, 0, float("nan"))
    fewest = min(len(old), len(new))
    if not settings.max_shift_m:
        return _judged(still, before, after, "compare.max_shift_m is 0")
    if fewest < settings.min_pairs:
        return _judged(still, before, after, f"a survey has only {counted(fewest, 'grave')}")
    starts = [still, *_candidates(before, after, still, settings)]
    refined = [_refine(start, before, after, settings) for start in starts]
    near = [one for one in refined if _within(one, settings)]
    if not near:
        reason = "the surveys lie farther apart than the limits allow"
        return replace(_judged(still, before, after, reason), is_unlikely=True)
    fits = [_fit(one, old, new, before, after) for one in near]
    # Of equals, the smaller shift.
    lengths = [np.hypot(one.east_m, one.north_m) / settings.max_shift_m for one in near]
    best = max(range(len(near)), key=lambda index: fits[index] - 0.01 * lengths[index] * fewest)
    chosen = near[best]
    needed = max(settings.min_pairs, _FIT_SHARE * fewest)
    if chosen.pairs < needed:
        reason = f"only {chosen.pairs} of {counted(fewest, 'grave')} fit"
        return replace(_judged(still, before, after, reason), is_unlikely=True)
    rivals = [
        near[index]
        for index in range(len(near))
        if fits[index] >= _RIVAL * fits[best] and _distance(near[index], chosen) > _APART_M
    ]
    return replace(chosen, rival_m=(rivals[0].east_m, rivals[0].north_m) if rivals else None)


def _places(outlines: Polygons) -> _Places:
    centres = shapely.get_coordinates(shapely.centroid(outlines))
    return _Places(centres, np.log(np.maximum(shapely.area(outlines), 1e-6)))


def _within(shift: Shift, settings: CompareSettings) -> bool:
    length = np.hypot(shift.east_m, shift.north_m)
    return bool(
        length <= settings.max_shift_m + _CELL_M
        and abs(shift.turn_deg) <= settings.max_turn_deg + 0.1
    )


def _distance(one: Shift, other: Shift) -> float:
    return float(np.hypot(one.east_m - other.east_m, one.north_m - other.north_m))


def _candidates(
    before: _Places, after: _Places, still: Shift, settings: CompareSettings
) -> list[Shift]:
    """Let every pair of graves vote for the shift that brings them together.

    For each of some rotations, votes are counted in cells of 25 cm. The cells with the most votes
    over all rotations are the candidates.
    """
    step = max(len(before.centres) // _ANCHORS, 1)
    anchors = before.centres[::step] - still.centre
    sizes, others = before.sizes[::step], after.centres - still.centre
    radius = float(np.quantile(np.hypot(*anchors.T), 0.9))
    farthest = min(float(np.hypot(*anchors.T).max()), 2 * radius)
    reach = settings.max_shift_m + farthest * np.radians(settings.max_turn_deg)
    first, second = _pairs_within(anchors, others, reach)
    weight = np.exp(-(((sizes[first] - after.sizes[second]) / 0.3) ** 2) / 2)
    half = int(np.ceil(settings.max_shift_m / _CELL_M)) + 2
    best = np.zeros((2 * half + 1,) * 2)
    turn_of = np.zeros_like(best)
    turns = int(np.ceil(settings.max_turn_deg / max(np.degrees(_CELL_M / max(radius, 1.0)), 0.02)))
    for turn in np.linspace(-settings.max_turn_deg, settings.max_turn_deg, 2 * turns + 1):
        turned = replace(still, turn_deg=float(turn), centre=(0.0, 0.0)).points(anchors)
        cells = np.rint((others[second] - turned[first]) / _CELL_M).astype(np.intp) + half
        inside = ((cells >= 0) & (cells <= 2 * half)).all(axis=1)
        ballot = np.zeros_like(best)
        np.add.at(ballot, tuple(cells[inside].T), weight[inside])
        ballot = uniform_filter(ballot, 3, mode="constant")
        better = ballot > best
        best[better], turn_of[better] = ballot[better], turn
    return _peaks(best, turn_of, half, still)


def _pairs_within(first: Floats, second: Floats, reach_m: float) -> tuple[Ints, Ints]:
    near = KDTree(first).sparse_distance_matrix(KDTree(second), reach_m, output_type="ndarray")
    return near["i"].astype(np.intp), near["j"].astype(np.intp)


def _peaks(best: Floats, turn_of: Floats, half: int, still: Shift) -> list[Shift]:
    """Return the highest cells, none of them near a higher one."""
    found, left = [], best.copy()
    clear = int(np.ceil(_APART_M / _CELL_M))
    for _ in range(_CANDIDATES):
        x, y = np.unravel_index(int(left.argmax()), left.shape)
        if left[x, y] <= 0:
            break
        east, north = (float(v - half) * _CELL_M for v in (x, y))
        found.append(replace(still, east_m=east, north_m=north, turn_deg=float(turn_of[x, y])))
        left[max(x - clear, 0) : x + clear + 1, max(y - clear, 0) : y + clear + 1] = 0
    return found


def _refine(shift: Shift, before: _Places, after: _Places, settings: CompareSettings) -> Shift:
    """Fit a shift to pairs of graves that lie near each other, again and again."""
    tree = KDTree(after.centres)
    for reach in _REACHES_M:
        first, second = _mutual(shift, before, after, tree, reach)
        if len(first) < settings.min_pairs:
            return replace(shift, pairs=len(first))
        shift = _fitted(shift, before.centres[first], after.centres[second], settings)
    return _with_pairs(shift, before, after, tree)


def _mutual(
    shift: Shift, before: _Places, after: _Places, tree: KDTree, reach_m: float
) -> tuple[Ints, Ints]:
    """Pair graves that are nearest to each other and of about one size."""
    moved = shift.points(before.centres)
    distance, there = map(np.asarray, tree.query(moved, distance_upper_bound=reach_m))
    back = np.asarray(KDTree(moved).query(after.centres)[1])
    first = np.flatnonzero(np.isfinite(distance))
    first = first[back[there[first]] == first]
    second = there[first]
    alike = np.abs(before.sizes[first] - after.sizes[second]) < _ALIKE
    return first[alike], np.asarray(second[alike])


def _fitted(shift: Shift, old: Floats, new: Floats, settings: CompareSettings) -> Shift:
    """Fit by least squares with Tukey's weights, so that graves which moved do not count.

    Source: Beaton and Tukey 1974, The fitting of power series; Umeyama 1991, Least-squares
        estimation of transformation parameters, without the scale.
    """
    off = np.hypot(*(new - shift.points(old)).T)
    scale = max(4.685 * 1.4826 * float(np.median(off)), 0.05)
    weight = np.maximum(1 - (off / scale) ** 2, 0) ** 2
    if weight.sum() <= 0:
        return shift
    a, b = (np.average(points, axis=0, weights=weight) for points in (old, new))
    turn = 0.0
    if len(old) >= _TURN_PAIRS and settings.max_turn_deg:
        p, q = ((old - a) @ (1, 1j)), ((new - b) @ (1, 1j))
        turn = float(np.degrees(np.angle((weight * q * p.conj()).sum())))
    turned = replace(shift, turn_deg=turn, east_m=0.0, north_m=0.0)
    east, north = (b - turned.points(a[None])[0]).tolist()
    return replace(turned, east_m=east, north_m=north)


def _with_pairs(shift: Shift, before: _Places, after: _Places, tree: KDTree) -> Shift:
    first, second = _mutual(shift, before, after, tree, _REACHES_M[-1])
    off = np.hypot(*(after.centres[second] - shift.points(before.centres[first])).T)
    return replace(
        shift, pairs=len(first), residual_m=float(np.median(off)) if len(off) else float("nan")
    )


def _judged(shift: Shift, before: _Places, after: _Places, reason: str) -> Shift:
    if not (len(before.sizes) and len(after.sizes)):
        return replace(shift, reason=reason)
    return replace(_with_pairs(shift, before, after, KDTree(after.centres)), reason=reason)


def _fit(shift: Shift, old: Polygons, new: Polygons, before: _Places, after: _Places) -> float:
    """Add up the IoU of the pairs after a shift, of many from a sample of them."""
    first, second = _mutual(shift, before, after, KDTree(after.centres), _REACHES_M[-1])
    step = max(len(first) // _ANCHORS, 1)
    overlaps = iou(shift.outlines(old[first[::step]]), new[second[::step]])
    return float(overlaps.mean() * len(first)) if len(first) else 0.0
