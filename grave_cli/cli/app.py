"""The `gravecli` command: its sub-commands, and how errors become one line and an exit code.

Nothing heavy is imported here; each command imports what it needs when it runs.
"""

import sys
from typing import Annotated

import typer

from grave_cli import __version__
from grave_cli.cli import (
    config,
    dashboard,
    dataset_id,
    hpo,
    model_info,
    predict,
    sample_data,
    train,
)
from grave_cli.errors import GraveError

app = typer.Typer(
    name="gravecli",
    help="Map graves from drone orthophotos: one clean polygon per grave.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("train")(train.train)
app.command("hpo")(hpo.hpo)
app.command("dataset-id")(dataset_id.dataset_id)
app.command("predict-cemetery")(predict.predict_cemetery)
app.command("dashboard")(dashboard.dashboard)
app.command("sample-data")(sample_data.sample_data)
app.command("model-info")(model_info.model_info)
app.command("config")(config.config)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gravecli {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Map graves from drone orthophotos: one clean polygon per grave."""


def main() -> None:
    """Run the command line: exit 0 if the thing asked for happened, 2 if the user can mend it, 1 if it failed."""
    try:
        app()
    except GraveError as error:
        typer.echo(f"gravecli: {error}", err=True)
        sys.exit(error.exit_code)
