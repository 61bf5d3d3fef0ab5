"""An evaluation in, one HTML file out that needs no other file and no network."""

from functools import partial
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from grave_cli import __version__
from grave_cli.atomic_writes import whole_file
from grave_cli.evaluation.evaluate import Evaluation
from grave_cli.evaluation.page.charts import reliability_chart, review_chart
from grave_cli.evaluation.page.drawn_map import draw_map
from grave_cli.outputs import FOREIGN, Output, seal
from grave_cli.wording import counted

_SEAL = "<!-- gravecli {} -->\n"
_SEAL_START, _SEAL_END = _SEAL.split("{}")


def page_output(path: Path, prediction: Path, truth: Path) -> Output:
    """Describe the page of an evaluation as an output.

    Args:
        path: The page.
        prediction: The map to be evaluated.
        truth: The ground truth.
    """
    why_keep = partial(why_keep_page, source=_source(prediction, truth))
    return Output("--report", path, "an HTML page", (".html", ".htm"), why_keep)


def why_keep_page(path: Path, source: str) -> str | None:
    """Return why an existing page must not be replaced; None if nothing is lost by it.

    Args:
        path: The page.
        source: Names of the two files of the new evaluation.
    """
    text, start, mark = path.read_text("utf-8", "surrogateescape").rpartition(_SEAL_START)
    if not start:
        return FOREIGN
    if mark == f"{seal(source, text)}{_SEAL_END}":
        return None
    return "was changed since gravecli wrote it, or is about other files"


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
    environment = Environment(
        loader=PackageLoader("grave_cli.evaluation.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "percent": percent, "counted": counted}
    review = evaluation.review
    page = environment.get_template("page.html").render(
        evaluation=evaluation,
        map=draw_map(evaluation),
        reliability_chart=reliability_chart(evaluation.scorecard.by_confidence),
        review_chart=None if review is None else review_chart(review),
        version=__version__,
    )
    source = _source(evaluation.prediction.path, evaluation.truth.path)
    return page + _SEAL.format(seal(source, page))


def _source(prediction: Path, truth: Path) -> str:
    return f"{prediction.name} and {truth.name}"


def number(value: float | None, form: str, unit: str = "") -> str:
    """Format a number, with a true minus sign; a dash for None."""
    return "–" if value is None else f"{value:{form}}{unit}".replace("-", "−")


def percent(share: float | None) -> str:
    """Format a share with one decimal; a dash for None."""
    return number(share, ".1%").replace("%", "\N{NO-BREAK SPACE}%")
