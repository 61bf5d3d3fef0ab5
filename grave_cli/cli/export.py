"""`gravecli export`."""

from pathlib import Path
from typing import Annotated

import typer

from grave_cli.cli import options


def export(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help=f"Model: {options.MODEL_NAME}."),
    ],
    deepness: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="ONNX file to write for the QGIS plugin Deepness (*.onnx)."
        ),
    ],
    overwrite: options.Overwrite = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Export a model for another program.

    The file for Deepness takes tiles of prediction.tile_px pixels (512 by default). The plugin
    draws the pixels of graves; `gravecli predict-cemetery` makes one straight, numbered polygon of
    each grave.
    """
    from grave_cli.cli.console import print_json, print_line
    from grave_cli.model.deepness import check_exportable, deepness_output, write_deepness
    from grave_cli.outputs import checked_outputs
    from grave_cli.tracking.models import resolve_model

    settings = options.load(config, assignments).settings
    progress = options.show_progress(quiet, verbose)
    found = resolve_model(model, settings)
    check_exportable(found.bundle)
    parts = (found.bundle.weights, found.bundle.onnx)
    inputs = {"--config": config, **{f"{path.name} of MODEL": path for path in parts}}
    output = deepness_output(deepness, found.bundle)
    with (
        checked_outputs([output], inputs, overwrite=overwrite),
        progress.task("Exporting", None),
    ):
        written = write_deepness(found.bundle, deepness, settings.prediction)
    for note in written.notes:
        progress.note(note)
    name = found.bundle.card.name
    if json:
        print_json(
            {
                "written": str(written.path),
                "model": name,
                "sha256": found.bundle.sha256,
                "tile_px": written.tile_px,
                "overlap_percent": written.overlap_percent,
                "resolution_cm": written.resolution_cm,
                "threshold": written.threshold,
                "notes": list(written.notes),
            }
        )
        return
    print_line(
        f"wrote {written.path}: tiles of {written.tile_px} pixels, {written.resolution_cm:g} "
        f"cm/px, threshold {written.threshold:g} (model {name})"
    )
