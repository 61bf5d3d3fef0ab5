"""`gravecli compare`."""

from pathlib import Path
from typing import Annotated

import typer

from grave_cli.cli import options


def compare(
    old: Annotated[
        Path, typer.Argument(metavar="OLD", help="Graves of the old survey: a vector file.")
    ],
    new: Annotated[
        Path,
        typer.Argument(metavar="NEW", help="Graves of the new survey: a vector file in any CRS."),
    ],
    out: Annotated[Path, typer.Option(help="GeoPackage to write.")] = Path("changes.gpkg"),
    id_column: Annotated[
        str | None,
        typer.Option(
            "--id", metavar="COLUMN", help="Column of OLD that holds the ids. Default: grave_id."
        ),
    ] = None,
    old_layer: Annotated[
        str | None, typer.Option(help="Layer of OLD. Default: graves, or the only polygon layer.")
    ] = None,
    new_layer: Annotated[
        str, typer.Option(help="Layer of NEW. Default: graves, or the only polygon layer.")
    ] = "",
    lang: options.Lang = None,
    overwrite: options.Overwrite = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Compare two surveys of a cemetery: keep the ids, and show the changes.

    Writes the graves of NEW with the ids and columns of OLD, and each
    grave that is unchanged, moved, resized, new, gone, split or merged.
    """
    from grave_cli.cli.change_lines import print_changes
    from grave_cli.cli.console import print_json, print_line
    from grave_cli.dataset.named_files import cemetery_name
    from grave_cli.outputs import checked_outputs
    from grave_cli.resurvey.compare import compare_surveys
    from grave_cli.resurvey.comparison_file import comparison_output, write_comparison
    from grave_cli.resurvey.survey import read_survey
    from grave_cli.wording import counted

    chosen = {"compare.id_column": id_column, "compare.layer": old_layer, "output.language": lang}
    settings = options.load(config, assignments, chosen).settings
    progress = options.show_progress(quiet, verbose)
    inputs = {"OLD": old, "NEW": new, "--config": config}
    with checked_outputs([comparison_output(out, old, new)], inputs, overwrite=overwrite):
        after = read_survey(new, new_layer, "--new-layer")
        before = read_survey(old, settings.compare.layer, "--old-layer", after.crs)
        result = compare_surveys(before, after, settings, cemetery_name(new))
        write_comparison(result, out, settings, settings.output.language)
    if old.samefile(new):
        progress.warn("OLD and NEW are the same file")
    for note in result.notes:
        progress.note(note)
    for doubt in result.doubts:
        progress.warn(doubt)
    summary = result.as_dict() | {"geopackage": str(out)}
    if json:
        print_json(summary)
        return
    print_changes(summary)
    graves = counted(len(result.new.rows), "grave")
    print_line(f"{graves} and their changes in {out}")
