"""Cemeteries in, findings on pairs of one place in different splits out.

A network that is scored on graves it has learnt scores too well: two surveys of one cemetery, or a
copy under another name, belong into one split.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import shapely

from grave_cli.doctor.patient import Patient
from grave_cli.doctor.report import Finding
from grave_cli.rasters.crs import LONLAT, mover

_SHARE = 0.05  # of the smaller orthophoto; neighbours share a little of their edges
_LISTED = 10  # pairs


def check_overlaps(
    patients: Sequence[Patient], splits: Mapping[str, frozenset[str]]
) -> Iterator[Finding]:
    """Find orthophotos of one place in different splits.

    Args:
        patients: The cemeteries.
        splits: Splits of each cemetery by its name.
    """
    outlines = np.array([_outline(patient) for patient in patients], dtype=object)
    first, second = shapely.STRtree(outlines).query(outlines, predicate="intersects")
    shares = shapely.area(shapely.intersection(outlines[first], outlines[second]))
    shares /= np.minimum(shapely.area(outlines[first]), shapely.area(outlines[second]))
    pairs = [
        (patients[one].name, patients[other].name, share)
        for one, other, share in zip(first, second, shares, strict=True)
        if one < other and share > _SHARE
    ]
    leaking = [pair for pair in pairs if len(splits[pair[0]] | splits[pair[1]]) > 1]
    for one, other, share in leaking[:_LISTED]:
        yield Finding(
            "warning",
            one,
            f"{one} and {other} show the same place ({share:.0%} of the smaller orthophoto) but "
            "are not in one split, so the scores will be too high",
            "list both in data.train, data.val or data.test, or remove one of them",
        )


def _outline(patient: Patient) -> shapely.Polygon:
    """Return the outline of an orthophoto in degrees, which go on beyond 180."""
    place = patient.whole.orthophoto.georeference
    points = place.outline()
    move = mover(place.crs, LONLAT, (float(points[0, 0]), float(points[0, 1])))
    return shapely.make_valid(shapely.Polygon(np.stack(move(*points.T), axis=1)))
