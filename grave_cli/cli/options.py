"""Options that several commands share, and their conversion to settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grave_cli.progress import Progress

if TYPE_CHECKING:
    from grave_cli.settings.load import LoadedSettings

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file. Default: gravecli.toml in this folder, if any."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a setting of `gravecli config`. Can be repeated.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", help="Data folder. Default: data.root in the settings (data/)."),
]
DataArgument = Annotated[
    Path | None,
    typer.Argument(metavar="DATA", help="Data folder. Default: data.root in the settings (data/)."),
]
Channels = Annotated[
    str | None,
    typer.Option("--channels", metavar="rgb|rgb+dem", help="Input: orthophoto alone, or with DEM."),
]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Maximum number of epochs.")]
MaxTime = Annotated[
    str | None,
    typer.Option(
        "--max-time",
        metavar="DURATION",
        help="Time limit of a training, such as 90s, 10m or 1h30m; in seconds without a unit.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Random seed of the training.")]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Also replace existing files that gravecli did not write, that were changed since, or "
        "that were made from something else.",
    ),
]
Formats = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="Also write another format beside the map: gpkg, geojson, shp, fgb, csv, dxf or "
        "parquet. Can be repeated. The ending of --out tells the format of the map itself.",
    ),
]
Lang = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="en|de",
        help="Language of legends, column titles and descriptions. Default: output.language in the "
        "settings (en).",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON (docs/json.md).")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show only the result, warnings and errors.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show log messages of libraries.")]

MODEL_NAME = "starter, a folder, name or id of a run, or models:/graves@champion"
STORAGE_HELP = "Optuna storage. Default: hpo.storage in the settings (runs/optuna.db)."


def load(
    config: Path | None,
    assignments: Sequence[str] | None,
    options: Mapping[str, Any] | None = None,
) -> "LoadedSettings":
    """Resolve the settings of a command, and sweep its work folder.

    Raises:
        SettingsError: A setting is unknown or out of bounds, a file is missing, or `work_dir` is no
            folder.
    """
    from grave_cli.api.prepared import prepare
    from grave_cli.settings.load import load_settings

    return prepare(load_settings(config, assignments or (), options))


def refuse_empty(option: str, name: str | None) -> None:
    """Refuse a name that is empty, or blank: nobody could name the thing later.

    Raises:
        SettingsError: It is.
    """
    from grave_cli.errors import SettingsError

    if name is not None and not name.strip():
        raise SettingsError(f"{option} is empty", found=repr(name), expected="a name")


def refuse_both(one: str, value: object, other: str, other_value: object) -> None:
    """Refuse two names of one option with different values.

    Raises:
        SettingsError: Both are given, and differ.
    """
    from grave_cli.errors import SettingsError

    if None not in (value, other_value) and value != other_value:
        raise SettingsError(
            f"{one} and {other} are one option", found=f"{value} and {other_value}", expected="one"
        )


def read_crs(text: str | None) -> str | None:
    """Parse a CRS that the user named; None, and nothing between the quotes, mean none.

    Raises:
        GridError: It is not a CRS, or not tied to the Earth.
    """
    from grave_cli.rasters.crs import parse_crs

    return parse_crs(text) if text else None


def show_progress(quiet: bool, verbose: bool) -> Progress:
    """Set up the terminal and return its progress listener."""
    from grave_cli.cli.console import QuietProgress, TerminalProgress, set_up_logging
    from grave_cli.cli.line_progress import LineProgress, wants_lines

    set_up_logging(verbose)
    if wants_lines():
        return LineProgress(quiet)
    return QuietProgress() if quiet else TerminalProgress()


def training_settings(
    data: Path | None,
    channels: str | None,
    epochs: int | None,
    max_time: str | None,
    seed: int | None,
) -> dict[str, Any]:
    """Map the options of a training to settings; None stands for an option that is not given.

    Raises:
        SettingsError: The time limit cannot be read.
    """
    from grave_cli.settings.durations import parse_duration

    return {
        "data.root": data,
        "data.channels": channels,
        "training.epochs": epochs,
        "training.max_time_s": parse_duration(max_time),
        "training.seed": seed,
    }
