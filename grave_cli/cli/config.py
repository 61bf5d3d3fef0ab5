"""`gravecli config`."""

from pathlib import Path
from typing import Annotated

import typer

from grave_cli.cli import options
from grave_cli.cli.streams import say


def config(
    init: Annotated[
        bool,
        typer.Option("--init", help="Write gravecli.toml with all defaults and their help texts."),
    ] = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    overwrite: options.Overwrite = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show all settings and where each value comes from."""
    from grave_cli.cli.console import print_json, print_line

    options.show_progress(quiet, verbose)
    if init:
        path = _init(config, overwrite)
        if json:
            print_json({"written": str(path)})
        else:
            say(f"wrote {path}")
        return
    from grave_cli.settings.example import to_toml_value
    from grave_cli.settings.load import flatten
    from grave_cli.settings.record import masked_value

    loaded = options.load(config, assignments)
    leaves = flatten(loaded.settings.model_dump(mode="json"))
    values = {key: masked_value(key, value) for key, value in leaves}
    if json:
        print_json({k: {"value": v, "origin": loaded.origin(k)} for k, v in values.items()})
        return
    for key, value in values.items():
        print_line(f"{key} = {to_toml_value(value)}   # {loaded.origin(key)}")


def _init(path: Path | None, overwrite: bool) -> Path:
    from grave_cli.atomic_writes import whole_file
    from grave_cli.outputs import Output, check_outputs
    from grave_cli.settings.example import example_toml, why_keep_config
    from grave_cli.settings.load import DEFAULT_CONFIG

    path = path or DEFAULT_CONFIG
    output = Output("--init", path, "a TOML file", (".toml",), why_keep_config)
    check_outputs([output], {}, overwrite=overwrite)
    with whole_file(path) as new:
        new.write_text(example_toml(), encoding="utf-8")
    return path
