"""`gravecli evaluate`."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.evaluation.evaluate import Evaluation
    from grave_cli.progress import Progress
    from grave_cli.settings.tree import Settings


def evaluate(
    prediction: Annotated[
        Path | None,
        typer.Argument(
            metavar="PREDICTION", help="Predicted graves: a vector file (GeoPackage, GeoJSON, …)."
        ),
    ] = None,
    truth: Annotated[
        Path | None, typer.Argument(metavar="TRUTH", help="Ground truth: a vector file in any CRS.")
    ] = None,
    by_attribute: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Column of TRUTH. Also report the score for each of its values."
        ),
    ] = None,
    area: Annotated[
        Path | None,
        typer.Option(help="Polygon file: score only graves with their centroid inside."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="HTML page to write: map, tables and charts in one file.")
    ] = None,
    prediction_layer: Annotated[
        str | None,
        typer.Option(help="Layer of PREDICTION. Default: graves, or the only polygon layer."),
    ] = None,
    truth_layer: Annotated[
        str | None,
        typer.Option(help="Layer of TRUTH. Default: data.annotation_layer in the settings."),
    ] = None,
    cross_validate: Annotated[
        bool,
        typer.Option(
            "--cross-validate",
            help="Instead of files: train once per cemetery on the others and score the model on "
            "it. Repeat the command to continue after an interruption.",
        ),
    ] = False,
    overwrite: options.Overwrite = False,
    data: options.Data = None,
    channels: options.Channels = None,
    epochs: options.Epochs = None,
    max_time: options.MaxTime = None,
    seed: options.Seed = None,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Score a map against ground truth, or a training by cross-validation.

    --data, --channels, --epochs, --max-time and --seed belong to
    --cross-validate.
    """
    of_files = {
        "PREDICTION": prediction,
        "TRUTH": truth,
        "--by-attribute": by_attribute,
        "--area": area,
        "--report": report,
        "--overwrite": overwrite or None,
        "--prediction-layer": prediction_layer,
        "--truth-layer": truth_layer,
    }
    of_training = {
        "--data": data,
        "--channels": channels,
        "--epochs": epochs,
        "--max-time": max_time,
        "--seed": seed,
    }
    _refuse_mixed(of_files, of_training, cross_validate)
    chosen = options.training_settings(data, channels, epochs, max_time, seed)
    chosen["data.annotation_layer"] = truth_layer
    settings = options.load(config, assignments, chosen).settings
    progress = options.show_progress(quiet, verbose)
    if prediction is None or truth is None:
        _cross_validate(settings, json, progress)
        return
    inputs = {"PREDICTION": prediction, "TRUTH": truth, "--area": area, "--config": config}
    with _checked_report(report, prediction, truth, inputs, overwrite):
        from grave_cli.evaluation.evaluate import evaluate_files

        result = evaluate_files(
            prediction,
            truth,
            settings.data,
            prediction_layer=prediction_layer or "",
            attribute=by_attribute or "",
            area=area,
        )
        _show(result, report, json, progress)


def _refuse_mixed(
    of_files: Mapping[str, Any], of_training: Mapping[str, Any], cross_validate: bool
) -> None:
    """Refuse arguments of the other kind of evaluation, and missing ones of this kind.

    Raises:
        SettingsError: The arguments do not go together.
    """
    from grave_cli.errors import SettingsError

    unused = of_files if cross_validate else of_training
    found = [name for name, value in unused.items() if value is not None]
    if found and cross_validate:
        raise SettingsError(
            "evaluate takes PREDICTION TRUTH or --cross-validate, not both",
            found=f"--cross-validate and {', '.join(found)}",
        )
    if found:
        raise SettingsError(
            "these options are for a training", found=", ".join(found), expected="--cross-validate"
        )
    if not cross_validate and None in (of_files["PREDICTION"], of_files["TRUTH"]):
        raise SettingsError(
            "nothing to evaluate",
            expected="two vector files, PREDICTION and TRUTH, or --cross-validate",
        )


def _checked_report(
    report: Path | None,
    prediction: Path,
    truth: Path,
    inputs: Mapping[str, Path | None],
    overwrite: bool,
) -> AbstractContextManager[None]:
    if report is None:
        return nullcontext()
    from grave_cli.evaluation.page.write import page_output
    from grave_cli.outputs import checked_outputs

    return checked_outputs([page_output(report, prediction, truth)], inputs, overwrite=overwrite)


def _show(result: "Evaluation", report: Path | None, json: bool, progress: "Progress") -> None:
    from grave_cli.cli.console import print_json
    from grave_cli.cli.scorecard import print_evaluation
    from grave_cli.evaluation.page.write import write_page

    for note in result.notes:
        progress.warn(note)
    if report is not None:
        write_page(result, report)
        progress.note(f"report in {report}")
    if json:
        print_json(result.as_dict())
    else:
        print_evaluation(result)


def _cross_validate(settings: "Settings", json: bool, progress: "Progress") -> None:
    from dataclasses import asdict

    from grave_cli.cli.console import print_json
    from grave_cli.cli.scorecard import print_cross_validation
    from grave_cli.training.cross_validate import cross_validate

    result = cross_validate(settings, progress)
    if json:
        print_json(asdict(result))
    else:
        print_cross_validation(result)
