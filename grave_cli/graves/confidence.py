"""Evidence in, confidence out: the probability that a grave overlaps a true one by half (IoU)."""

from typing import TYPE_CHECKING, Annotated

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:  # a model is described without the libraries that find graves
    from grave_cli.graves.evidence import Evidence
    from grave_cli.outlines.polygons import Outlines

Floats = NDArray[np.float64]

FEATURES = ("body", "sure", "undivided", "single", "fit", "usual")
"""Inputs of the confidence, each in [0, 1], higher is better: mean body probability; share of sure
pixels; no contact line across the grave; one seed, not two; IoU with its rectangle; a size usual in
the cemetery."""

_FEW = 8  # graves; among fewer, no size is unusual
_LEAST_SPREAD = 0.15  # of log areas; even uniform graves differ this much
_UNUSUAL = 5.0  # spreads from the median; sizes beyond are equally unusual


class Calibration(BaseModel):
    """Logistic model of the confidence: 1 / (1 + exp(-(intercept + sum of weight x feature))).

    Args:
        intercept: Log odds if all features are 0.
        weights: Weight of each feature by name; none is negative, so that better evidence never
            lowers the confidence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intercept: Annotated[float, Field(allow_inf_nan=False)]
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]

    def confidence(self, features: Floats) -> Floats:
        """Return the confidence of each grave.

        Shapes:
            features: (graves, features); returns: (graves,)
        """
        weights = np.array([self.weights.get(name, 0.0) for name in FEATURES])
        return np.asarray(1 / (1 + np.exp(-(self.intercept + features @ weights))))


def confidence_features(outlines: "Outlines", evidence: "Evidence") -> Floats:
    """Compute the features of the confidence.

    Args:
        outlines: All graves of a cemetery.
        evidence: Evidence for the same graves.

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
    """Measure how many spreads the logarithm of each area lies from the median of all.

    The spread is the median absolute deviation times 1.4826: the standard deviation of normally
    distributed values, but not widened by outliers.

    Source: Rousseeuw & Croux 1993, Alternatives to the median absolute deviation.
    """
    if len(areas) < _FEW:
        return np.zeros(len(areas))
    logs = np.log(areas)
    off = logs - np.median(logs)
    return np.asarray(off / max(1.4826 * float(np.median(np.abs(off))), _LEAST_SPREAD))
