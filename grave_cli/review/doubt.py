"""Graves and the candidates beside them in, the doubts about each grave out."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.graves.candidates import local_sizes
from grave_cli.graves.evidence import Evidence
from grave_cli.graves.review_model import DOUBTS, logit
from grave_cli.outlines.polygons import Outlines, Polygons
from grave_cli.register.regularity import Regularity

Floats = NDArray[np.float64]

_TOUCHING_M = 0.05
_BESIDE_M = 0.15
_UNUSUAL = 1.5  # in log area; sizes beyond are equally unusual
_LIKE = 0.3  # in log area: the spread of sizes that are alike
_CUT = ("edge", "nodata")
_LOGIT = 3.0  # log odds of the confidence per unit of doubt


@dataclass(frozen=True)
class Drawn:
    """The graves of a cemetery, all in one order; lengths in pixels.

    Args:
        outlines: Their outlines.
        evidence: Evidence for and against them.
        confidence: Their confidence.
        flags: Their flags, comma-separated.
    """

    outlines: Outlines
    evidence: Evidence
    confidence: Floats
    flags: NDArray[np.object_]


def measure_doubts(
    drawn: Drawn,
    regularity: Regularity,
    candidates: Polygons,
    probability: Floats,
    gsd_m: float,
) -> Floats:
    """Measure the doubts about each grave.

    Args:
        drawn: The graves.
        regularity: How each grave fits its row.
        candidates: Candidates, in pixels.
        probability: Their probability.
        gsd_m: Pixel edge in metres.

    Shapes:
        returns: (graves, doubts), in the order of `DOUBTS`
    """
    graves = drawn.outlines.regular
    if not len(graves):
        return np.zeros((0, len(DOUBTS)))
    sizes = np.log(shapely.area(graves) / local_sizes(graves))
    half, seam = _pairs(graves, drawn.evidence.contact_seam, gsd_m)
    beside = np.zeros(len(graves))
    index, near = shapely.STRtree(candidates).query(
        graves, predicate="dwithin", distance=_BESIDE_M / gsd_m
    )
    np.maximum.at(beside, index, probability[near])
    flags = [set(str(names).split(",")) for names in drawn.flags]
    found = {
        "unsure": -logit(drawn.confidence) / _LOGIT,
        "off_row": 1 - regularity.row,
        "off_line": 1 - regularity.line,
        "row_end": 1 - regularity.both,
        "other_size": np.abs(sizes).clip(0, _UNUSUAL) / _UNUSUAL,
        "small": (-sizes).clip(0, _UNUSUAL) / _UNUSUAL,
        "half": half,
        "seam": seam,
        "faint_beside": beside,
        "merge": np.array(["possible_merge" in names for names in flags]),
        "split": np.array(["possible_split" in names for names in flags]),
        "ragged": drawn.outlines.shape != "rectangle",
        "cut": np.array([not names.isdisjoint(_CUT) for names in flags]),
    }
    return np.column_stack([np.asarray(found[name], np.float64) for name in DOUBTS])


def _pairs(graves: Polygons, contact_seam: Floats, gsd_m: float) -> tuple[Floats, Floats]:
    """Measure how well each grave and one that it touches fill a grave of the usual size.

    Returns:
        How usual the best pair is, 0 to 1; and how unclear the line to its neighbours is.
    """
    half, seam = np.zeros((2, len(graves)))
    reach = _TOUCHING_M / gsd_m
    first, second = shapely.STRtree(graves).query(graves, predicate="dwithin", distance=reach)
    other = first != second
    first, second = first[other], second[other]
    if not len(first):
        return half, seam
    areas = shapely.area(graves)
    both = areas[first] + areas[second]
    pairs = shapely.geometrycollections(np.column_stack([graves[first], graves[second]]))
    around = shapely.area(shapely.oriented_envelope(pairs))
    off = np.log(both / local_sizes(graves)[first]) / _LIKE
    np.maximum.at(half, first, np.exp(-(off**2) / 2) * (both / around).clip(0, 1) ** 4)
    seam[first] = 1 - contact_seam[first]
    return half, seam
