"""Confidence groups and a review in, the two charts of the page out, as points in the unit square.

The charts answer two questions: can the confidence be trusted, and what does a review find?
"""

from collections.abc import Sequence
from dataclasses import dataclass

from grave_cli.evaluation.breakdown import ConfidenceGroup
from grave_cli.evaluation.review_curve import ReviewCurve

Point = tuple[float, float]


@dataclass(frozen=True)
class Dot:
    """A point to hover over.

    Args:
        x: Across, in [0, 1].
        y: Up, in [0, 1].
        radius: In SVG units; the chart is 300 of them wide.
        title: Text shown on hovering.
    """

    x: float
    y: float
    radius: float
    title: str


@dataclass(frozen=True)
class Chart:
    """A curve over the diagonal of the unit square.

    Args:
        across: Title of the horizontal axis.
        up: Title of the vertical axis.
        curve: Its points.
        dots: Points to hover over.
        spans: Pale horizontal lines, by their ends.
    """

    across: str
    up: str
    curve: Sequence[Point]
    dots: Sequence[Dot]
    spans: Sequence[tuple[Point, Point]] = ()


def reliability_chart(groups: Sequence[ConfidenceGroup]) -> Chart:
    """Plot precision against confidence; a calibrated confidence lies on the diagonal.

    Each dot is a group of predictions, about a tenth of them; the pale line is its range of
    confidence.
    """
    return Chart(
        across="confidence",
        up="share matched",
        curve=[(group.mean, group.precision) for group in groups],
        dots=[
            Dot(group.mean, group.precision, 3.5, f"{group.right} of {group.predictions} matched")
            for group in groups
        ],
        spans=[
            ((group.lowest, group.precision), (group.highest, group.precision)) for group in groups
        ],
    )


def review_chart(review: ReviewCurve) -> Chart:
    """Plot the share of the predictions to correct that a review of part of them finds."""
    dots = []
    if review.flagged and review.flagged_caught is not None:
        dots.append(Dot(review.flagged, review.flagged_caught, 4.5, "flagged predictions"))
    found = zip(review.reviewed, review.caught, strict=True)
    return Chart(
        across="share of predictions reviewed",
        up="share of polygons to correct found",
        curve=[(reviewed, caught) for reviewed, caught in found if caught is not None],
        dots=dots,
    )
