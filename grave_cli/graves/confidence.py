"""Evidence in, the probability out that a grave is right: that it overlaps a true one by half."""

from typing import Annotated

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from grave_cli.graves.evidence import Evidence
from grave_cli.outlines.polygons import Outlines

Floats = NDArray[np.float64]

FEATURES = ("body", "sure", "undivided", "single", "fit", "usual")
"""What confidence is made of, each in [0, 1] and the better the higher: mean body probability;
share of pixels that are sure; no line across it; one seed, not two; overlap with its
rectangle; size as usual in the cemetery."""

_FEW = 8  # graves in a cemetery: of fewer none has an unusual size
_LEAST_SPREAD = 0.15  # of log areas: graves all alike still differ by so much
_UNUSUAL = 5.0  # spreads off the median from which a size could not be more unusual


class Calibration(BaseModel):
    """Logistic model of being right: 1 / (1 + exp(-(intercept + sum of weight x feature))).

    Args:
        intercept: Log odds where all features are 0.
        weights: Of each feature by name; none is negative, so that better evidence never lowers
            confidence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intercept: float
    weights: dict[str, Annotated[float, Field(ge=0)]]

    def confidence(self, features: Floats) -> Floats:
        """Return the probability of each grave to be right.

        Shapes:
            features: (graves, features); returns: (graves,)
        """
        weights = np.array([self.weights.get(name, 0.0) for name in FEATURES])
        return np.asarray(1 / (1 + np.exp(-(self.intercept + features @ weights))))


def confidence_features(outlines: Outlines, evidence: Evidence) -> Floats:
    """Gather what confidence is made of.

    Args:
        outlines: All graves of a cemetery.
        evidence: Of the same graves.

    Shapes:
        returns: (graves, features), in the order of FEATURES
    """
    unusual = np.abs(size_deviations(shapely.area(outlines.regular)))
    return np.column_stack(
        [
            evidence.body,
            1 - evidence.unsure,
            1 - evidence.line_inside,
            1 - evidence.second_seed,
            outlines.fit,
            1 - unusual.clip(0, _UNUSUAL) / _UNUSUAL,
        ]
    )


def size_deviations(areas: Floats) -> Floats:
    """Say by how many spreads the logarithm of each area is off the median of all.

    The spread is the median absolute deviation times 1.4826, which is the standard deviation of
    normally distributed values and which outliers do not widen.

    Source: Rousseeuw & Croux 1993, Alternatives to the median absolute deviation.
    """
    if len(areas) < _FEW:
        return np.zeros(len(areas))
    logs = np.log(areas)
    off = logs - np.median(logs)
    return np.asarray(off / max(1.4826 * float(np.median(np.abs(off))), _LEAST_SPREAD))
