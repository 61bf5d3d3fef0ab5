"""Cemeteries in, pairs of one place in different splits out.

A network that is scored on graves it has learnt scores too well: two surveys of one cemetery, or a
copy under another name, belong into one split.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import shapely

from grave_cli.dataset.plans import CemeteryPlan, PartPlan
from grave_cli.rasters.crs import LONLAT, mover

REMEDY = "list both in data.train, data.val or data.test, or remove one of them"

_SHARE = 0.05  # of the smaller orthophoto; neighbours share a little of their edges
_LISTED = 10  # pairs


def find_overlaps(
    wholes: Sequence[CemeteryPlan], splits: Mapping[str, frozenset[str]]
) -> Iterator[tuple[str, str]]:
    """Find orthophotos of one place in different splits.

    Args:
        wholes: The cemeteries.
        splits: Splits of each cemetery by its name.

    Yields:
        The name of the first of both, and a sentence about them.
    """
    outlines = np.array([_outline(whole) for whole in wholes], dtype=object)
    first, second = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    names = [whole.files.name for whole in wholes]
    leaks = [
        one < other and len(splits[names[one]] | splits[names[other]]) > 1
        for one, other in zip(first, second, strict=True)
    ]
    first, second = first[leaks], second[leaks]
    shares = shapely.area(shapely.intersection(outlines[first], outlines[second]))
    shares /= np.minimum(shapely.area(outlines[first]), shapely.area(outlines[second]))
    for index in np.flatnonzero(shares > _SHARE)[:_LISTED]:
        one, other = names[first[index]], names[second[index]]
        yield (
            one,
            f"{one} and {other} show the same place ({shares[index]:.0%} of the smaller "
            "orthophoto) but are not in one split, so the scores will be too high",
        )


def overlap_notes(parts: Iterable[PartPlan]) -> list[str]:
    """Say which cemeteries of a training show one place and are not in one split, one line each.

    Args:
        parts: The parts of all splits.
    """
    wholes: dict[str, CemeteryPlan] = {}
    splits: dict[str, frozenset[str]] = {}
    for plan in parts:
        name = plan.part.cemetery.name
        wholes[name] = plan.whole
        splits[name] = splits.get(name, frozenset()) | {plan.part.split}
    found = find_overlaps([wholes[name] for name in sorted(wholes)], splits)
    return [f"{sentence}; {REMEDY}" for _, sentence in found]


def _outline(whole: CemeteryPlan) -> shapely.Polygon:
    """Return the outline of an orthophoto in degrees, which go on beyond 180."""
    place = whole.orthophoto.georeference
    points = place.outline()
    move = mover(place.crs, LONLAT, (float(points[0, 0]), float(points[0, 1])))
    return shapely.make_valid(shapely.Polygon(np.stack(move(*points.T), axis=1)))
