"""`gravecli runs`."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options
from grave_cli.wording import duration

if TYPE_CHECKING:
    from rich.text import Text

    from grave_cli.settings.tree import Settings
    from grave_cli.tracking.listing import RunRow

_COLORS = {"FINISHED": "green", "FAILED": "bold red", "KILLED": "yellow", "RUNNING": "cyan"}


def runs(
    limit: Annotated[
        int, typer.Option(min=1, help="Maximum number of runs, trials not counted.")
    ] = 20,
    trials: Annotated[bool, typer.Option("--all", help="Also list the trials of studies.")] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Delete the work files of interrupted runs. They cannot be resumed afterwards.",
        ),
    ] = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """List the recorded trainings, newest first."""
    from dataclasses import asdict

    from grave_cli.cli.console import print_json
    from grave_cli.tracking.listing import list_runs

    options.show_progress(quiet, verbose)
    settings = options.load(config, assignments).settings
    if prune:
        _prune(settings, json)
        return
    rows = list_runs(settings, limit, trials)
    if json:
        print_json({"runs": [asdict(row) for row in rows]})
    else:
        _print(rows)


def _prune(settings: "Settings", json: bool) -> None:
    from dataclasses import asdict

    from grave_cli.cli.console import print_json, print_line
    from grave_cli.tracking.unfinished import prune

    removed = prune(settings)
    if json:
        print_json({"removed": [asdict(one) for one in removed]})
        return
    for one in removed:
        print_line(f"removed {one.size_bytes / 1e6:.1f} MB of {one.name or 'a run'} ({one.run_id})")
    if not removed:
        print_line("nothing to remove")


_HEADINGS = (
    *("name", "date", "data set", "channels", "encoder", "objective"),
    *("best dice", "object F1", "test F1", "epochs", "duration", "status"),
)
_TEXTS = ("date", "data set", "channels", "encoder", "objective", "status")
# In a narrow terminal these give way first, the status last.
_EXPENDABLE = (
    *("objective", "encoder", "duration", "epochs", "data set", "channels"),
    *("best dice", "test F1", "date", "object F1", "status"),
)


def _print(rows: list["RunRow"]) -> None:
    from grave_cli.cli.console import print_line
    from grave_cli.cli.tables import make_table, print_table

    if not rows:
        print_line("no runs yet")
        return
    table = make_table(_HEADINGS, left=_TEXTS)
    for row in rows:
        table.add_row(*_cells(row), style="dim" if row.parent_run_id else "")
    print_table(table, _EXPENDABLE)


def _cells(row: "RunRow") -> "tuple[str | Text, ...]":
    scores = (row.best_dice, row.best_object_f1, row.test_object_f1)
    return (
        f"  {row.name}" if row.parent_run_id else row.name,
        f"{datetime.fromisoformat(row.started).astimezone():%Y-%m-%d %H:%M}",
        row.dataset_id,
        row.channels,
        row.encoder,
        row.objective,
        *("" if score is None else f"{score:.3f}" for score in scores),
        "" if row.epochs is None else str(row.epochs),
        duration(row.duration_s),
        _status(row),
    )


def _status(row: "RunRow") -> "Text":
    from rich.text import Text

    marks = {"resumable": row.is_resumable, "champion": row.is_champion}
    shown = ", ".join(mark for mark, holds in marks.items() if holds)
    colored = (row.status, _COLORS.get(row.status, "default"))
    return Text.assemble(colored, f" ({shown})" if shown else "")
