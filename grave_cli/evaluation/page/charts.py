"""Two small charts as SVG: is the confidence to be trusted, and what does a review find."""

from collections.abc import Sequence

from grave_cli.evaluation.breakdown import ConfidenceGroup
from grave_cli.evaluation.review_curve import ReviewCurve

_SIDE, _LEFT, _TOP = 300, 46, 10  # SVG units; the plot is a square
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def draw_reliability(groups: Sequence[ConfidenceGroup]) -> str:
    """Draw precision over confidence; on the diagonal a confidence means what it says.

    Each dot is a group of graves, about a tenth of them; the pale line is its range of confidence.
    """
    points = [(group.mean, group.precision) for group in groups]
    ranges = [
        _line([(group.lowest, group.precision), (group.highest, group.precision)], "span")
        for group in groups
    ]
    content = "".join([*ranges, _line([(0, 0), (1, 1)], "ideal"), _line(points, "curve")])
    content += "".join(
        f'<circle cx="{_x(group.mean):.1f}" cy="{_y(group.precision):.1f}" r="3.5">'
        f"<title>{group.right} of {group.predictions} right</title></circle>"
        for group in groups
    )
    return _chart("confidence", "share that is right", content)


def draw_review(review: ReviewCurve) -> str:
    """Draw the share of the wrong graves that is found over the share that is looked at."""
    curve = [
        (looked, caught)
        for looked, caught in zip(review.reviewed, review.caught, strict=True)
        if caught is not None
    ]
    content = _line([(0, 0), (1, 1)], "ideal") + _line(curve, "curve")
    if review.flagged and review.flagged_caught is not None:
        content += (
            f'<circle cx="{_x(review.flagged):.1f}" cy="{_y(review.flagged_caught):.1f}" r="4.5">'
            "<title>the flagged graves</title></circle>"
        )
    return _chart("share of the graves looked at", "share of the wrong ones found", content)


def _chart(across: str, up: str, content: str) -> str:
    ticks = "".join(
        f'<text x="{_x(tick):.0f}" y="{_y(0) + 16:.0f}" text-anchor="middle">{tick:g}</text>'
        f'<text x="{_LEFT - 7}" y="{_y(tick) + 4:.0f}" text-anchor="end">{tick:g}</text>'
        for tick in _TICKS
    )
    middle = _TOP + _SIDE / 2
    titles = (
        f'<text x="{_LEFT + _SIDE / 2}" y="{_y(0) + 34:.0f}" text-anchor="middle">{across}</text>'
        f'<text transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">{up}</text>'
    )
    axes = _line([(0, 1), (0, 0), (1, 0)], "axis")
    size = f"{_LEFT + _SIDE + 14} {_TOP + _SIDE + 42}"
    return (
        f'<svg class="chart" viewBox="0 0 {size}" role="img">{axes}{ticks}{titles}{content}</svg>'
    )


def _line(points: Sequence[tuple[float, float]], kind: str) -> str:
    places = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points)
    return f'<polyline class="{kind}" fill="none" points="{places}"/>'


def _x(value: float) -> float:
    return _LEFT + value * _SIDE


def _y(value: float) -> float:
    return _TOP + (1 - value) * _SIDE
