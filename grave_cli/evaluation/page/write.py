"""An evaluation in, one HTML file that needs nothing else, not even a network, out."""

from html import escape
from pathlib import Path

from grave_cli import __version__
from grave_cli.atomic_writes import whole_file
from grave_cli.evaluation.evaluate import Evaluation
from grave_cli.evaluation.page.charts import draw_reliability, draw_review
from grave_cli.evaluation.page.drawn_map import draw_map
from grave_cli.evaluation.page.style import CSS, SCRIPT
from grave_cli.evaluation.page.tables import (
    confidence_table,
    kinds_table,
    matches_table,
    number,
    percent,
)
from grave_cli.evaluation.scorecard import Scorecard

_TERMS = {
    "right": "A grave on the map that overlaps a true one by an IoU (common area / area of both "
    "together) of at least 0.5. Each true grave counts for one grave on the map.",
    "found, recall": "True graves that a right one stands for, and their share.",
    "precision": "Share of the graves on the map that are right.",
    "F1": "Both in one number: 2 × right / (graves there are + graves drawn).",
    "panoptic quality": "F1 × mean IoU of the right ones (Kirillov et al. 2019).",
    "several in one": "Covers at least half of each of two or more true graves.",
    "piece of a grave": "Lies at least half in a true grave, as does another one.",
    "outline": "Distance from points along each outline of a right pair to the other outline, both "
    "ways.",
    "calibration error": "Mean gap between confidence and the share that is right (Guo et al. "
    "2017), over ten groups of equal size.",
}


def write_page(evaluation: Evaluation, path: Path) -> None:
    """Write the page.

    Args:
        evaluation: What it shows.
        path: The file; one that is there is replaced.

    Raises:
        ExportError: It cannot be written.
    """
    with whole_file(path) as new:
        new.write_text(render_page(evaluation), encoding="utf-8")


def render_page(evaluation: Evaluation) -> str:
    """Write the page as text."""
    name = escape(evaluation.prediction.path.stem)
    parts = [
        f"<h1>How good is the map “{name}”?</h1>",
        f'<p class="soft">{escape(str(evaluation.prediction.path))} against '
        f"{escape(str(evaluation.truth.path))}</p>",
        f'<p class="lead">{_lead(evaluation.scorecard)}</p>',
        _tiles(evaluation.scorecard),
        _map(evaluation),
        '<div class="columns">',
        _section("How many match", matches_table(evaluation.scorecard)),
        _section("Which kinds of grave", kinds_table(evaluation)),
        _review(evaluation),
        _confidence(evaluation.scorecard),
        "</div>",
        _terms(),
        _notes(evaluation.notes),
        f'<p class="soft" style="margin-top:16px">gravecli {__version__}</p>',
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}: evaluation</title><style>{CSS}</style></head>"
        f"<body><main>{''.join(parts)}</main><script>{SCRIPT}</script></body></html>\n"
    )


def _lead(card: Scorecard) -> str:
    found = card.at_50
    if not card.truths:
        return f"There are no true graves to compare with; {card.predictions} were drawn."
    return (
        f"Of {card.truths} graves {found.matches} were found ({percent(found.recall)}). Of "
        f"{card.predictions} graves drawn {found.matches} are right ({percent(found.precision)})."
    )


def _tiles(card: Scorecard) -> str:
    tiles = [
        (f"{card.at_50.f1:.3f}", "F1 at IoU 0.5"),
        (f"{card.at_75.f1:.3f}", "F1 at IoU 0.75"),
        (f"{card.at_50.panoptic_quality:.3f}", "panoptic quality"),
        (number(card.count_error, "+d"), "graves too many or few"),
        (str(card.merges), f"times several in one, {card.merged_truths} graves"),
        (str(card.splits), f"graves in pieces, {card.split_pieces} of them"),
        (number(card.boundary_mean_cm, ".1f", " cm"), _outline_words(card)),
        (number(card.corner_rmse_cm, ".1f", " cm"), f"corners of {card.rectangles} rectangles"),
        (number(card.area_error_m2, ".2f", " m²"), _area_words(card)),
    ]
    cells = (
        f'<div class="tile"><b>{value}</b><span>{words}</span></div>' for value, words in tiles
    )
    return f'<div class="tiles">{"".join(cells)}</div>'


def _outline_words(card: Scorecard) -> str:
    return f"outline; 95 % within {number(card.boundary_p95_cm, '.1f', ' cm')}"


def _area_words(card: Scorecard) -> str:
    return f"area; {number(card.area_bias_m2, '+.2f', ' m²')} on average"


def _map(evaluation: Evaluation) -> str:
    drawn = draw_map(evaluation)
    if not drawn:
        return ""
    hint = (
        "Wheel: zoom. Drag: move. Double click: all. Hover: what it is. North is up. A right grave "
        "that is also several in one, or a piece, is shown as that."
    )
    return _section("Where", f'{drawn}<p class="soft" style="margin-top:8px">{hint}</p>')


def _confidence(card: Scorecard) -> str:
    if not card.by_confidence:
        return ""
    words = (
        f"Calibration error {number(card.calibration_error, '.3f')}. On the dashed line a "
        "confidence means what it says; below it the map is too sure of itself."
    )
    chart = draw_reliability(card.by_confidence)
    table = confidence_table(card.by_confidence)
    return _section("Is the confidence to be trusted?", f"<p>{words}</p>{chart}{table}")


def _review(evaluation: Evaluation) -> str:
    review = evaluation.review
    if review is None or not review.wrong:
        return ""
    order = "at the least confident first"
    if review.flagged:
        order = (
            f"first at those that the map flags ({percent(review.flagged)} of all; they hold "
            f"{percent(review.flagged_caught)} of the wrong ones, the dot), then at the least "
            "confident"
        )
    words = f"Wrong graves on the map: {review.wrong}. Looking {order} finds them like this."
    return _section("What does a review find?", f"<p>{words}</p>{draw_review(review)}")


def _terms() -> str:
    entries = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in _TERMS.items())
    return _section("What the words mean", f"<dl>{entries}</dl>")


def _notes(notes: tuple[str, ...]) -> str:
    if not notes:
        return ""
    lines = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return _section("On reading the files", f"<ul>{lines}</ul>")


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"
