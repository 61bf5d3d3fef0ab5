"""An evaluation in, one HTML file out that needs no other file and no network."""

from functools import partial
from pathlib import Path

from grave_cli.atomic_writes import whole_file
from grave_cli.evaluation.evaluate import Evaluation
from grave_cli.evaluation.page.charts import reliability_chart, review_chart
from grave_cli.evaluation.page.drawn_map import draw_map
from grave_cli.outputs import Output
from grave_cli.pages.page import render, why_keep_page


def page_output(path: Path, prediction: Path, truth: Path) -> Output:
    """Describe the page of an evaluation as an output.

    Args:
        path: The page.
        prediction: The map to be evaluated.
        truth: The ground truth.
    """
    why_keep = partial(why_keep_page, source=_source(prediction, truth))
    return Output("--report", path, "an HTML page", (".html", ".htm"), why_keep)


def write_page(evaluation: Evaluation, path: Path) -> None:
    """Write the page.

    Args:
        evaluation: What it shows.
        path: The file; an existing one is replaced.

    Raises:
        ExportError: It cannot be written.
    """
    with whole_file(path) as new:
        new.write_text(render_page(evaluation), encoding="utf-8")


def render_page(evaluation: Evaluation) -> str:
    """Render the page as text; every name and value from the files is escaped."""
    review = evaluation.review
    return render(
        "grave_cli.evaluation.page",
        "page.html",
        _source(evaluation.prediction.path, evaluation.truth.path),
        evaluation=evaluation,
        map=draw_map(evaluation),
        reliability_chart=reliability_chart(evaluation.scorecard.by_confidence),
        review_chart=None if review is None else review_chart(review),
    )


def _source(prediction: Path, truth: Path) -> str:
    return f"{prediction.name} and {truth.name}"
