"""`gravecli qgis-plugin`."""

from pathlib import Path
from typing import Annotated

import typer

from grave_cli.cli import options


def qgis_plugin(
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE.zip|DIR",
            help="ZIP file to write, which QGIS installs; or the folder of QGIS's plugins, where "
            "the plugin becomes the folder gravecli.",
        ),
    ] = Path("gravecli-qgis.zip"),
    program: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Program gravecli that the plugin calls. Default: this one."
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write the plugin that adds gravecli to the Processing toolbox of QGIS.

    It maps graves, compares surveys and evaluates maps by calling the installed gravecli, and loads
    the styled results. It needs QGIS 3, from 3.22 on.
    """
    from grave_cli.cli.console import print_json, print_line
    from grave_cli.outputs import check_outputs
    from grave_cli.qgis_plugin.write_plugin import (
        check_program,
        this_program,
        write_plugin,
        zip_output,
    )

    options.load(config, assignments)  # wrong ones are refused by all commands
    options.show_progress(quiet, verbose)
    called = check_program(program) if program else this_program()
    is_zip = out.suffix.lower() == ".zip"
    if is_zip:
        check_outputs([zip_output(out)], {"--program": called}, overwrite=overwrite)
    path = write_plugin(out, called, overwrite=overwrite)
    if json:
        print_json({"written": str(path), "program": str(called)})
        return
    print_line(f"wrote {path}; it calls {called}")
    if is_zip:
        print_line("in QGIS: Plugins > Manage and Install Plugins > Install from ZIP")
    else:
        print_line("in QGIS: Plugins > Manage and Install Plugins > Installed: tick gravecli")
