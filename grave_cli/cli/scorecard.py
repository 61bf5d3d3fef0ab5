"""Evaluations as tables on the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from grave_cli.cli.console import print_line
from grave_cli.cli.tables import make_table, print_table
from grave_cli.evaluation.breakdown import ConfidenceGroup, Group
from grave_cli.evaluation.evaluate import Evaluation
from grave_cli.evaluation.review_curve import ReviewCurve
from grave_cli.evaluation.scorecard import Scorecard
from grave_cli.evaluation.verdicts import VerdictCounts
from grave_cli.wording import counted

if TYPE_CHECKING:
    from grave_cli.training.cross_validate import CrossValidation


def print_evaluation(evaluation: Evaluation) -> None:
    """Print the tables of an evaluation."""
    scorecard = evaluation.scorecard
    print_line(f"{evaluation.prediction.path} against {evaluation.truth.path}")
    print_table(_matches(scorecard), ("mean IoU", "matched"))
    print_table(_verdicts(scorecard))
    for line in _sentences(scorecard):
        print_line(line)
    print_table(_kinds(evaluation), ("predicted", "found", "ground truth"))
    if scorecard.by_confidence:
        print_table(_confidence(scorecard.by_confidence), ("mean", "matched"))
        print_line(f"calibration error     {_number(scorecard.calibration_error, '.3f')}")
    if evaluation.review is not None and evaluation.review.to_correct:
        print_line(review_sentence(evaluation.review))


def print_cross_validation(result: "CrossValidation") -> None:
    """Print the scores of each fold, their mean and their standard deviation."""
    table = make_table((f"cross-validation {result.identity}", *_SHOWN.values()))
    for fold in result.folds:
        table.add_row(fold.cemetery, *(_number(fold.scores.get(name), ".3f") for name in _SHOWN))
    table.add_section()
    scores = [result.scores.get(name) for name in _SHOWN]
    table.add_row("mean", *("–" if score is None else f"{score.mean:.3f}" for score in scores))
    table.add_row("± spread", *("–" if score is None else f"{score.std:.3f}" for score in scores))
    print_table(table, _LESS_IMPORTANT)


_SHOWN = {
    "object_f1": "F1@0.5",
    "object_f1_75": "F1@0.75",
    "object_f1_mean": "mean F1",
    "object_precision": "precision",
    "object_recall": "recall",
    "panoptic_quality": "panoptic",
    "merges": "merges",
    "splits": "splits",
    "boundary_cm": "outline cm",
    "area_error_m2": "area m²",
}


# In a narrow terminal these give way first.
_LESS_IMPORTANT = ("area m²", "outline cm", "panoptic", "F1@0.75", "merges", "splits", "mean F1")


def review_sentence(review: ReviewCurve) -> str:
    """Summarise the review curve in one line."""
    at_15 = review.caught[review.reviewed.index(0.15)]
    sentence = f"review                {counted(review.to_correct, 'polygon')} to correct: "
    if review.flagged:
        sentence += f"the {_number(review.flagged, '.0%')} flagged contain "
        sentence += f"{_number(review.flagged_caught, '.0%')} of them, "
    return sentence + f"the first 15 % reviewed contain {_number(at_15, '.0%')}"


def _matches(scorecard: Scorecard) -> Table:
    table = make_table(("matched at", "precision", "recall", "F1", "mean IoU", "matched"))
    for name, score in (("IoU 0.5", scorecard.at_50), ("IoU 0.75", scorecard.at_75)):
        rates = (score.precision, score.recall, score.f1, score.mean_iou)
        cells = (f"{value:.3f}" for value in rates)
        table.add_row(name, *cells, f"{score.matches} of {score.truths}")
    means = (scorecard.mean_precision, scorecard.mean_recall, scorecard.mean_f1)
    table.add_row("mean of 0.5 … 0.95", *(f"{value:.3f}" for value in means))
    return table


def verdict_sentence(counts: VerdictCounts) -> str:
    """Write the verdicts in one line: "found 52 of 64 graves; merged 0 polygons; …"."""
    return "; ".join(f"{kind} {words}" for kind, words in counts.in_words().items())


def _verdicts(scorecard: Scorecard) -> Table:
    table = make_table(("verdict", "number"), left=("number",))
    for kind, words in scorecard.verdicts.in_words().items():
        table.add_row(kind, words)
    return table


def _sentences(card: Scorecard) -> list[str]:
    return [
        f"graves                {card.truths} in the ground truth, {card.predictions} predicted "
        f"({card.count_error:+d})",
        f"panoptic quality      {card.at_50.panoptic_quality:.3f}",
        f"area                  bias {_number(card.area_bias_m2, '+z.3f', ' m²')} "
        f"({_number(card.area_bias_share, '+z.1%')}), "
        f"error {_number(card.area_error_m2, '.3f', ' m²')} "
        f"({_number(card.area_error_share, '.1%')})",
        f"outline               mean {_number(card.boundary_mean_cm, '.1f', ' cm')}, "
        f"95 % within {_number(card.boundary_p95_cm, '.1f', ' cm')}",
        f"corners               RMSE {_number(card.corner_rmse_cm, '.1f', ' cm')} "
        f"({counted(card.rectangles, 'rectangle')})",
    ]


def _kinds(evaluation: Evaluation) -> Table:
    card = evaluation.scorecard
    table = make_table(
        ("kind of grave", "ground truth", "found", "recall", "predicted", "precision")
    )
    families: list[Sequence[Group]] = [card.by_size, card.by_neighbours, evaluation.by_attribute]
    for family in families:
        for group in family:
            table.add_row(
                group.name,
                str(group.truths),
                str(group.found),
                _number(group.recall, ".3f"),
                str(group.predictions),
                _number(group.precision, ".3f"),
            )
        table.add_section()
    return table


def _confidence(groups: Sequence[ConfidenceGroup]) -> Table:
    table = make_table(("confidence", "mean", "predicted", "matched", "precision"))
    for group in groups:
        table.add_row(
            f"{group.lowest:.2f} – {group.highest:.2f}",
            f"{group.mean:.3f}",
            str(group.predictions),
            str(group.right),
            f"{group.precision:.3f}",
        )
    return table


def _number(value: float | None, form: str, unit: str = "") -> str:
    """Format a number; None becomes a dash."""
    return "–" if value is None else f"{value:{form}}{unit}".replace("%", " %")
