"""`gravecli config`."""

from pathlib import Path
from typing import Annotated

import typer

from grave_cli.cli import options


def config(
    init: Annotated[
        bool,
        typer.Option("--init", help="Write gravecli.toml with all defaults and their help texts."),
    ] = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
) -> None:
    """Show all settings and where each value comes from."""
    if init:
        _init(config)
        return
    from grave_cli.cli.console import print_json, print_line
    from grave_cli.settings.example import to_toml_value
    from grave_cli.settings.load import flatten

    loaded = options.load(config, assignments)
    values = dict(flatten(loaded.settings.model_dump(mode="json")))
    if json:
        print_json({k: {"value": v, "origin": loaded.origin(k)} for k, v in values.items()})
        return
    for key, value in values.items():
        print_line(f"{key} = {to_toml_value(value)}   # {loaded.origin(key)}")


def _init(path: Path | None) -> None:
    from grave_cli.atomic_writes import whole_file
    from grave_cli.errors import ExportError
    from grave_cli.settings.example import example_toml
    from grave_cli.settings.load import DEFAULT_CONFIG

    path = path or DEFAULT_CONFIG
    if path.exists():
        raise ExportError("file already exists", where=path, remedy="move or delete it first")
    with whole_file(path) as new:
        new.write_text(example_toml(), encoding="utf-8")
    typer.echo(f"wrote {path}")
