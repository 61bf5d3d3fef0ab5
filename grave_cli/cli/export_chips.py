"""`gravecli export-chips`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.exchange.export_chips import ExportedChips


def export_chips(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write; new or empty.")],
    data: options.DataArgument = None,
    form: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="Format of the labels: coco or yolo-seg."),
    ] = "coco",
    size_px: Annotated[
        int, typer.Option(help="Edge of a chip, in working pixels (a multiple of 32).")
    ] = 640,
    overlap_px: Annotated[
        int,
        typer.Option(
            help="Overlap of neighbouring chips, in working pixels. Graves smaller than it are "
            "whole on at least one chip."
        ),
    ] = 96,
    split: Annotated[
        bool,
        typer.Option(
            "--split/--no-split",
            help="Separate training, validation and test chips as `gravecli train` does; or cut "
            "all cemeteries as a whole, also those without labels, to annotate them.",
        ),
    ] = True,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Cut the orthophotos into PNG chips with labels, for other programs and annotation tools.

    Chips have the ground sampling distance of the settings (grid.gsd_m). Annotations drawn on them
    come back with `gravecli import-annotations FILE --orthophotos DIR`.
    """
    from grave_cli.exchange.export_chips import check_chips
    from grave_cli.exchange.export_chips import export_chips as run

    known = check_chips(form, size_px, overlap_px)
    chosen = {"data.root": data, "data.channels": "rgb"}  # chips have no heights
    settings = options.load(config, assignments, chosen).settings
    progress = options.show_progress(quiet, verbose)
    result = run(settings, known, out, size_px, overlap_px, by_split=split, progress=progress)
    _show(result, json)


def _show(result: "ExportedChips", json: bool) -> None:
    from grave_cli.cli.console import print_json, print_line
    from grave_cli.wording import counted

    if json:
        print_json(
            {
                "folder": str(result.folder),
                "dataset_id": result.dataset_id,
                "chips": result.chips,
                "annotations": result.annotations,
            }
        )
        return
    for split, chips in result.chips.items():
        graves = counted(result.annotations[split], "annotation")
        print_line(f"{split}: {counted(chips, 'chip')}, {graves}")
    print_line(f"written to {result.folder} (data set {result.dataset_id})")
