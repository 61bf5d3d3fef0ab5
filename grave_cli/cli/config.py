"""`gravecli config`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from grave_cli.cli import options
from grave_cli.cli.streams import say


def config(
    init: Annotated[
        bool,
        typer.Option(
            "--init",
            help="Write gravecli.toml with all defaults and their help texts, and its schema.",
        ),
    ] = False,
    schema: Annotated[
        bool,
        typer.Option(
            "--schema",
            help="Write gravecli.schema.json, the JSON Schema by which editors complete and check "
            "gravecli.toml.",
        ),
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
    if init or schema:
        from grave_cli.settings.load import DEFAULT_CONFIG

        _refuse_assignments(assignments)
        files = _write(config or DEFAULT_CONFIG, with_settings=init, overwrite=overwrite)
        if json:
            print_json(files)
        for path in () if json else files.values():
            say(f"wrote {path}")
        return
    from grave_cli.settings.example import to_toml_value
    from grave_cli.settings.nested import flatten
    from grave_cli.settings.record import masked_value

    loaded = options.load(config, assignments)
    leaves = flatten(loaded.settings.model_dump(mode="json"))
    values = {key: masked_value(key, value) for key, value in leaves}
    if json:
        print_json({k: {"value": v, "origin": loaded.origin(k)} for k, v in values.items()})
        return
    for key, value in values.items():
        print_line(f"{key} = {to_toml_value(value)}   # {loaded.origin(key)}")


def _refuse_assignments(assignments: Sequence[str] | None) -> None:
    """Refuse values for a file that holds the defaults alone.

    Raises:
        SettingsError: There are some.
    """
    from grave_cli.errors import SettingsError

    if assignments:
        raise SettingsError(
            "--set does not go with --init and --schema, which write the defaults",
            found=assignments[0],
            remedy="change the value in the file",
        )


def _write(path: Path, *, with_settings: bool, overwrite: bool) -> dict[str, str]:
    """Write the schema beside a settings file, and the settings file if it is wanted."""
    from grave_cli.atomic_writes import whole_file
    from grave_cli.outputs import Output, check_outputs
    from grave_cli.settings.example import example_toml, why_keep_config
    from grave_cli.settings.schema import SCHEMA_FILE, schema_text, why_keep_schema

    schema = path.with_name(SCHEMA_FILE)
    option = "--init" if with_settings else "--schema"
    settings = Output("--init", path, "a TOML file", (".toml",), why_keep_config)
    beside = Output(option, schema, "a JSON Schema", (".json",), why_keep_schema)
    outputs = [*([settings] if with_settings else []), beside]
    check_outputs(outputs, {}, overwrite=overwrite)
    texts = {"written": (path, example_toml)} if with_settings else {}
    texts |= {"schema": (schema, schema_text)}
    for target, text in texts.values():
        with whole_file(target) as new:
            new.write_text(text(), encoding="utf-8")
    return {key: str(target) for key, (target, _) in texts.items()}
