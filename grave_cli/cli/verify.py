"""`gravecli verify`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.verification.verify_map import Verification

_COLORS = {"equal": "green", "none": "dim", "changed": "bold red"}


def verify(
    map: Annotated[
        Path, typer.Argument(metavar="MAP", help="A GeoPackage that predict-cemetery wrote.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help=f"Model to compare: {options.MODEL_NAME}. Default: the run that the map names.",
        ),
    ] = None,
    orthophoto: Annotated[
        Path | None,
        typer.Option(
            help="Orthophoto to compare. Default: the file of that name beside the map, in this "
            "folder or in the data folder.",
        ),
    ] = None,
    dem: Annotated[
        Path | None,
        typer.Option(help="DEM to compare. Default: found in the same way as the orthophoto."),
    ] = None,
    dtm: Annotated[
        Path | None,
        typer.Option(help="DTM to compare. Default: found in the same way as the orthophoto."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data folder of the training. Default: data.root in the settings, then the folder "
            "that the map names.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Compare only this part: graves, tables, model, orthophoto, dem, dtm or dataset. "
            "Can be repeated.",
        ),
    ] = None,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Compare a map with the record that gravecli wrote into it.

    Reports whether graves were edited since, and whether the model, the
    orthophoto, the DEM (with its DTM) and the data set of the training are still the same.
    The exit code is 0 if all parts are equal, and 1 if one differs or cannot
    be found.
    """
    from dataclasses import asdict

    from grave_cli.cli.console import print_json
    from grave_cli.verification.sources import Sources
    from grave_cli.verification.verify_map import verify_map

    options.show_progress(quiet, verbose)
    settings = options.load(config, assignments).settings
    sources = Sources(model, orthophoto, dem, data, dtm)
    result = verify_map(map, settings, sources, tuple(only or ()))
    if json:
        print_json({**asdict(result), "matches": not result.differing})
    else:
        _print(result, whole=not only)
    if result.differing:
        raise typer.Exit(1)


def _print(result: "Verification", *, whole: bool) -> None:
    from rich.text import Text

    from grave_cli.cli.console import OUT, print_line

    for name, part in result.parts.items():
        status = Text(f"{part.status:11}", style=_COLORS.get(part.status, "yellow"))
        OUT.print(f"{name:11}", status, part.detail, soft_wrap=True)
    if result.differing:
        print_line(f"not as recorded: {', '.join(result.differing)}")
    elif whole:
        print_line("everything is as recorded")
    else:
        print_line(f"as recorded: {', '.join(result.parts)}")
