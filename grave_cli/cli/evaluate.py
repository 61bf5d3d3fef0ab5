"""`gravecli evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from grave_cli.cli import options


def evaluate(
    prediction: Annotated[
        Path, typer.Argument(help="Graves drawn: a vector file (GeoPackage, GeoJSON, …).")
    ],
    truth: Annotated[
        Path, typer.Argument(help="Graves there are: a vector file, in whatever CRS.")
    ],
    by_attribute: Annotated[
        str, typer.Option(metavar="COLUMN", help="Score by the values of a column of TRUTH, too.")
    ] = "",
    area: Annotated[
        Path | None, typer.Option(help="Polygons: score only the graves whose centroid is in them.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="HTML page to write: map, tables, charts in one file.")
    ] = None,
    prediction_layer: Annotated[
        str, typer.Option(help="Layer of PREDICTION; default: graves, or the only one of polygons.")
    ] = "",
    truth_layer: Annotated[
        str | None, typer.Option(help="Layer of TRUTH; default: setting data.annotation_layer.")
    ] = None,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Say how good a map is: graves found, merged and split, and how many centimetres are off."""
    from grave_cli.cli.console import print_json
    from grave_cli.cli.scorecard import print_evaluation
    from grave_cli.evaluation.evaluate import evaluate_files

    progress = options.show_progress(quiet, verbose)
    data = options.load(config, assignments, {"data.annotation_layer": truth_layer}).settings.data
    result = evaluate_files(
        prediction,
        truth,
        data,
        prediction_layer=prediction_layer,
        attribute=by_attribute,
        area=area,
    )
    for note in result.notes:
        progress.note(note)
    if report is not None:
        from grave_cli.evaluation.page.write import write_page

        write_page(result, report)
    if json:
        print_json(result.as_dict())
    else:
        print_evaluation(result)
