"""Options that several commands share, and how they become settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grave_cli.progress import SILENT, Progress

if TYPE_CHECKING:
    from grave_cli.settings.load import LoadedSettings

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default: gravecli.toml here, if there is one."),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change any setting; can be repeated."),
]
Data = Annotated[
    Path | None, typer.Option("--data", help="Data folder; default: setting data.root (data/).")
]
Channels = Annotated[
    str | None, typer.Option("--channels", metavar="rgb|rgb+dem", help="What the network sees.")
]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Epochs at most.")]
MaxTime = Annotated[
    str | None,
    typer.Option(
        "--max-time",
        metavar="DURATION",
        help="Wall clock of a training at most: 90s, 10m, 1h30m.",
    ),
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of everything random.")]
Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show the libraries' own logs.")]


def load(
    config: Path | None,
    assignments: Sequence[str] | None,
    options: Mapping[str, Any] | None = None,
) -> "LoadedSettings":
    """Resolve the settings of a command.

    Raises:
        SettingsError: A setting is unknown or out of bounds, or a file is missing.
    """
    from grave_cli.settings.load import load_settings

    return load_settings(config, assignments or (), options)


def show_progress(quiet: bool, verbose: bool) -> Progress:
    """Set the terminal up and return what draws progress on it."""
    from grave_cli.cli.console import TerminalProgress, set_up_logging

    set_up_logging(verbose)
    return SILENT if quiet else TerminalProgress()


def parse_duration(text: str | None) -> float | None:
    """Read a duration such as 90, 90s, 10m, 1.5h or 1h30m, in seconds.

    Raises:
        SettingsError: It cannot be read.
    """
    import re

    from grave_cli.errors import SettingsError

    if text is None:
        return None
    units = {"": 1, "s": 1, "m": 60, "h": 3600}
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh]?)", text.strip().lower())
    if not parts or "".join(number + unit for number, unit in parts) != text.strip().lower():
        raise SettingsError("duration cannot be read", found=text, expected="90s, 10m or 1h30m")
    return float(sum(float(number) * units[unit] for number, unit in parts))
