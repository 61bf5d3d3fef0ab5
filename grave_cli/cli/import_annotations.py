"""`gravecli import-annotations`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.exchange.import_annotations import Imported


def import_annotations(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            help="Annotations of a tool: COCO (.json), Label Studio (.json), or Pascal VOC (.xml, "
            "or a folder of them).",
        ),
    ],
    orthophotos: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the orthophotos that were annotated, or of chips of `gravecli "
            "export-chips`. Default: orthophotos/ in the data folder.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the annotation files, one for each cemetery. Default: annotations/ in "
            "the data folder.",
        ),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Category of graves. Can be repeated. Needed if there are several categories.",
        ),
    ] = None,
    lang: options.Lang = None,
    overwrite: options.Overwrite = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Turn annotations on images into annotation files that `gravecli train` reads.

    An image belongs to the orthophoto of the same name; it may be a smaller copy in any format.
    """
    from grave_cli.dataset.file_kinds import ANNOTATIONS, ORTHOPHOTO
    from grave_cli.exchange.import_annotations import import_annotations as run

    settings = options.load(config, assignments, {"output.language": lang}).settings
    progress = options.show_progress(quiet, verbose)
    root = settings.data.root
    with progress.task("Importing", None):
        result = run(
            source,
            orthophotos or root / ORTHOPHOTO.folder,
            out or root / ANNOTATIONS.folder,
            category or (),
            overwrite=overwrite,
            language=settings.output.language,
        )
    for note in result.notes:
        progress.warn(note)
    _show(result, json)


def _show(result: "Imported", json: bool) -> None:
    from grave_cli.cli.console import print_json, print_line
    from grave_cli.wording import counted

    if json:
        files: list[dict[str, Any]] = [
            {
                "cemetery": one.cemetery,
                "file": str(one.path),
                "graves": one.graves,
                "boxes": one.boxes,
            }
            for one in result.files
        ]
        print_json({"format": result.tool, "files": files, "notes": list(result.notes)})
        return
    for one in result.files:
        print_line(f"{one.cemetery}: {counted(one.graves, 'grave')} in {one.path}")
