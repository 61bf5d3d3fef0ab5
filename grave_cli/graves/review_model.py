"""What a model knows of its own mistakes: odds of candidates and of wrong graves, and their proof.

The defaults were fitted on generated cemeteries; a training fits them to its validation cemeteries.
"""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Floats = NDArray[np.float64]

CANDIDATE_FEATURES = (
    "body",
    "peak",
    "certainty",
    "steep",
    "fit",
    "usual",
    "row",
    "line",
    "both",
    "level",
)
"""Evidence for a candidate, each in [0, 1]: body probability, mean and peak; certainty of its
middle; steepness of its rim; share of its rectangle; a size usual around it; likeness to its
neighbours in the row, in direction and line alone, and on the less alike side; level of the body at
which it was found."""

DOUBTS = (
    "unsure",
    "off_row",
    "off_line",
    "row_end",
    "other_size",
    "small",
    "half",
    "seam",
    "faint_beside",
    "merge",
    "split",
    "ragged",
    "cut",
)
"""Doubts about a grave, each about 0 to 1: low confidence; unlike its row; off its line; a side
without a neighbour; a size unlike the graves around; smaller than they are; with a neighbour, it
fills a usual grave; no clear line to the neighbour that it touches; a candidate beside it; the
flags possible_merge and possible_split; no rectangle; at the edge of the imagery."""

_WIDEST_LOGIT = 6.0


class Odds(BaseModel):
    """A logistic model: 1 / (1 + exp(-(intercept + sum of weight x feature))).

    Args:
        intercept: Log odds if all features are 0.
        weights: Weight of each feature, by name; 0 for one that is missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    intercept: Annotated[float, Field(allow_inf_nan=False)]
    weights: Mapping[str, Annotated[float, Field(allow_inf_nan=False)]]

    def probability(self, features: Floats, names: tuple[str, ...]) -> Floats:
        """Return the probability of each row.

        Shapes:
            features: (n, names); returns: (n,)
        """
        weights = np.array([self.weights.get(name, 0.0) for name in names])
        logits = (self.intercept + features @ weights).clip(-20, 20)
        return np.asarray(1 / (1 + np.exp(-logits)), np.float64)


class Step(BaseModel):
    """Validation graves whose risk is below a limit: how many, and how many of them were wrong.

    Args:
        below: The limit.
        graves: Number of graves below it.
        wrong: Number of them that were wrong.
        spread: How many times more the share of wrong ones varies between the validation cemeteries
            than chance explains.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    below: Annotated[float, Field(gt=0, le=1)]
    graves: Annotated[int, Field(ge=0)]
    wrong: Annotated[int, Field(ge=0)]
    spread: Annotated[float, Field(ge=1, le=1000)] = 1.0


class ReviewModel(BaseModel):
    """How a model finds candidates and orders a review.

    Args:
        candidates: Odds that a candidate is a grave (IoU 0.5 at least).
        mistakes: Odds that a grave is wrong.
        min_probability: Least probability of a candidate that is shown.
        proof: Validation graves by risk, for the guarantee; empty if they were too few.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidates: Odds
    mistakes: Odds
    min_probability: Annotated[float, Field(ge=0, le=1)] = 0.05
    proof: tuple[Step, ...] = ()


def logit(probability: Floats) -> Floats:
    """Return the log odds of probabilities, at most 6 either way."""
    bounded = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(bounded / (1 - bounded)).clip(-_WIDEST_LOGIT, _WIDEST_LOGIT))


DEFAULT_REVIEW = ReviewModel(
    candidates=Odds(
        intercept=-10.4,
        weights={
            "certainty": 3.49,
            "steep": 1.25,
            "fit": 2.65,
            "usual": 3.44,
            "row": 0.93,
            "line": 1.07,
        },
    ),
    mistakes=Odds(
        intercept=-2.73,
        weights={
            "unsure": 1.62,
            "off_row": 0.51,
            "off_line": 1.25,
            "other_size": 1.93,
            "half": 3.15,
            "seam": 3.38,
            "merge": 1.23,
            "ragged": 0.32,
            "cut": 0.15,
        },
    ),
)
"""For models without one of their own: fitted to maps of twenty generated cemeteries by the starter
model."""
