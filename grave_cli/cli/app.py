"""The `gravecli` command: its subcommands, and errors as one line and an exit code.

Nothing heavy is imported here; each command imports its libraries when it runs.
"""

import sys
from typing import Annotated, Any

import typer

from grave_cli import __version__
from grave_cli.cli.check import check
from grave_cli.cli.compare import compare
from grave_cli.cli.config import config
from grave_cli.cli.dashboard import dashboard
from grave_cli.cli.dataset_id import dataset_id
from grave_cli.cli.evaluate import evaluate
from grave_cli.cli.export import export
from grave_cli.cli.export_chips import export_chips
from grave_cli.cli.help_texts import PlainCommand, PlainGroup, examples_of
from grave_cli.cli.hpo import hpo
from grave_cli.cli.import_annotations import import_annotations
from grave_cli.cli.join import join
from grave_cli.cli.model_info import model_info
from grave_cli.cli.predict import predict_cemetery
from grave_cli.cli.qgis_plugin import qgis_plugin
from grave_cli.cli.runs import runs
from grave_cli.cli.sample_data import sample_data
from grave_cli.cli.streams import (
    StdoutError,
    run_with_streams,
    say_error,
    system_fault,
)
from grave_cli.cli.surroundings import forget_other_programs
from grave_cli.cli.tidy import tidy
from grave_cli.cli.train import train
from grave_cli.cli.verify import verify
from grave_cli.errors import GraveError, OutOfMemoryError, TrainingError, memory_fault
from grave_cli.interrupts import INTERRUPTED, orders_obeyed, was_interrupted

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]  # Typer does not export it

_reserve = bytearray(1 << 22)  # given back to say that the memory is exhausted

app = typer.Typer(
    name="gravecli",
    cls=PlainGroup,
    help="Map graves from drone orthophotos: one clean polygon per grave.",
    epilog="Exit codes: 0 success, 2 usage or input error, 1 failure.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.command("train")(train)
app.command("hpo")(hpo)
app.command("check")(check)
app.command("dataset-id")(dataset_id)
app.command("predict-cemetery")(predict_cemetery)
app.command("evaluate")(evaluate)
app.command("compare")(compare)
app.command("join")(join)
app.command("tidy")(tidy)
app.command("verify")(verify)
app.command("runs")(runs)
app.command("dashboard")(dashboard)
app.command("sample-data")(sample_data)
app.command("model-info")(model_info)
app.command("export")(export)
app.command("qgis-plugin")(qgis_plugin)
app.command("import-annotations")(import_annotations)
app.command("export-chips")(export_chips)
app.command("config")(config)
for command in app.registered_commands:
    command.cls = PlainCommand
    command.epilog = examples_of(command.name or "")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gravecli {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Map graves from drone orthophotos: one clean polygon per grave."""


def main() -> None:
    """Run the command line; an error becomes one line on stderr and an exit code."""
    forget_other_programs()
    with orders_obeyed() as exit_code:
        code = exit_code(run_with_streams(_run))
    sys.exit(code)


def _run() -> int:
    try:
        return int(app(prog_name="gravecli", standalone_mode=False) or 0)
    except KeyboardInterrupt:  # Typer catches it, unless it comes while Typer begins or ends
        return INTERRUPTED
    except GraveError as error:
        _reserve.clear()
        # A library may have said so while a file was read, which then looks damaged.
        named = isinstance(error, TrainingError | OutOfMemoryError)
        fault = None if named else memory_fault(error)
        if fault is not None:
            return _explain_memory(fault)
        say_error(str(error))
        return INTERRUPTED if was_interrupted(error) else error.exit_code
    except _UsageError as error:
        return _explain(error)
    except typer.Abort:
        say_error("aborted")
        return 1
    except StdoutError:
        raise
    except Exception as error:
        _reserve.clear()
        if was_interrupted(error):  # while a library was being imported: "initialization failed"
            return INTERRUPTED
        code = _explain_resources(error)
        if code is None:  # a mistake in the program keeps its traceback
            raise
        return code


def _explain_resources(error: Exception) -> int | None:
    """Print a fault of the system or exhausted memory as one line; None if neither is the cause."""
    system, fault = system_fault(error), memory_fault(error)
    if system:
        say_error(system)
        return GraveError.exit_code
    return None if fault is None else _explain_memory(fault)


def _explain_memory(fault: str) -> int:
    """Print that the memory is exhausted, in one line."""
    say_error(
        f"not enough memory: {fault}; close other programs, or set a smaller "
        "prediction.tile_px, prediction.memory_mpx or chips.batch_size"
    )
    return TrainingError.exit_code


def _explain(error: Any) -> int:
    """Print a wrong use as one line, and the help where nothing was asked for."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
    else:
        command = error.ctx.command_path if error.ctx else "gravecli"
        say_error(f"{error.format_message().rstrip('.')}; see {command} --help")
    return int(error.exit_code)
