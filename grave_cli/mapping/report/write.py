"""The report of a mapped cemetery as one HTML file, which opens from a stick without a network."""

from functools import partial
from pathlib import Path

from grave_cli.atomic_writes import whole_file
from grave_cli.mapping.report.content import make_report
from grave_cli.mapping.report.texts import texts
from grave_cli.mapping.result import PredictionResult
from grave_cli.outputs import Output, source_of
from grave_cli.pages.page import render, why_keep_page
from grave_cli.settings.output import Language


def report_output(path: Path, orthophoto: Path) -> Output:
    """Describe the report on an orthophoto as an output.

    Args:
        path: The page.
        orthophoto: The orthophoto to be mapped.
    """
    why_keep = partial(why_keep_page, source=source_of(orthophoto))
    return Output("--report", path, "an HTML page", (".html", ".htm"), why_keep)


def write_report(
    orthophoto: Path, result: PredictionResult, path: Path, language: Language = "en"
) -> None:
    """Write the report.

    Args:
        orthophoto: The mapped image.
        result: The graves.
        path: The page; an existing one is replaced.
        language: Of its words and numbers.

    Raises:
        ExportError: It cannot be written.
        RasterReadError: The orthophoto is damaged.
    """
    page = render(
        "grave_cli.mapping.report",
        "report.html",
        source_of(orthophoto),
        decimal="," if language == "de" else ".",
        report=make_report(orthophoto, result, language),
        language=language,
        t=texts(language),
    )
    with whole_file(path) as new:
        new.write_text(page, encoding="utf-8")
