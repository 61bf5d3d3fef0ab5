"""`gravecli tidy`."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.tidying.tidy import Tidying


def tidy(
    map: Annotated[
        Path,
        typer.Argument(metavar="MAP", help="A map of gravecli that was edited, such as in QGIS."),
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Only report. The exit code is 1 if MAP is not tidy.")
    ] = False,
    dem: Annotated[
        Path | None,
        typer.Option(
            help="DEM for the heights of new outlines. Default: the DEM that MAP names, beside it, "
            "in this folder or in the data folder.",
        ),
    ] = None,
    dtm: Annotated[
        Path | None,
        typer.Option(help="DTM below the DEM. Default: found in the same way as the DEM."),
    ] = None,
    lang: options.Lang = None,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Tidy a map after it was corrected in QGIS, and seal it again.

    Accepted candidates become graves, refused ones and deleted graves are
    recorded, new graves get a number, old ids stay, and changed outlines are
    measured anew. Small overlaps and invalid outlines are repaired. Columns
    of the office are not touched. A second run changes nothing.

    The exit code is 1 if something is left that only a person can decide.
    """
    from grave_cli.cli.console import print_json
    from grave_cli.outputs import check_outputs, written_alone
    from grave_cli.tidying.edited_map import read_edited_map
    from grave_cli.tidying.heights import Elevation
    from grave_cli.tidying.tidy import plan_tidying
    from grave_cli.tidying.write import tidied_output, write_tidying

    settings = options.load(config, assignments, {"output.language": lang}).settings
    progress = options.show_progress(quiet, verbose)
    inputs = {"--dem": dem, "--dtm": dtm, "--config": config}
    with ExitStack() as stack:
        if map.is_file() and not check:
            stack.enter_context(written_alone(map))
        edited = read_edited_map(map)
        if not check:
            check_outputs([tidied_output(map)], inputs, overwrite=False)
        plan = plan_tidying(edited, settings, Elevation(dem, dtm))
        if not check:
            write_tidying(plan, settings.output.language)
    for note in plan.report.notes:
        progress.note(note)
    for problem in plan.report.problems:
        progress.warn(problem)
    if json:
        print_json(plan.as_dict())
    else:
        _print(plan, check)
    if plan.report.problems or (check and plan.is_needed):
        raise typer.Exit(1)


def _print(plan: "Tidying", check: bool) -> None:
    from grave_cli.cli.console import print_line
    from grave_cli.cli.tables import make_table, print_table
    from grave_cli.wording import counted

    rows = [*plan.report.lines()]
    if rows:
        headings = ("", "number", "which")
        print_table(make_table(headings, rows, left=("which",)), expendable=("which",))
    name, graves = plan.edited.path, counted(plan.as_dict()["graves"], "grave")
    if plan.is_needed:
        state = "would be changed" if check else "tidied and sealed"
    else:
        state = "nothing to change"
    left = len(plan.report.problems)
    rest = f"; {counted(left, 'problem')} left, see above" if left else ""
    print_line(f"{name}: {state}, {graves}{rest}")
