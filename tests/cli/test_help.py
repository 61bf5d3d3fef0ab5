"""What `gravecli --help` and the help of each command show on a terminal."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, get_type_hints

import pytest
import typer
from terminal import gravecli
from typer.testing import CliRunner

from grave_cli.cli.app import app
from grave_cli.cli.help_texts import EXAMPLES, PlainCommand, PlainGroup, examples_of

COMMANDS = tuple(one.name or "" for one in app.registered_commands)
GROUP = typer.main.get_command(app)


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_word(command: str, columns: int) -> None:
    """Rich takes `[hpo.studies]` for markup and leaves it out, without a warning."""
    screen = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [command, "--help"]).stdout
    assert max(map(len, screen.splitlines())) == columns
    shown = re.sub(r"[│\s]", "", screen)
    callback = next(one.callback for one in app.registered_commands if one.name == command)
    assert callback is not None
    for text in [callback.__doc__ or "", *help_texts(callback), *EXAMPLES[command]]:
        for word in text.split():
            assert word in shown, f"{word!r} of {text!r}"


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_switches_show_no_type(command: str | None) -> None:
    """A switch with a type reads as if it took a value."""
    arguments = ["--help"] if command is None else [command, "--help"]
    screen = CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments).stdout
    assert "<bool>" not in screen
    assert "<list" not in screen


BRACKETS = ("[data]", "rgb[+dem]", "[bold]", "[/bold]", "[1, 2]", "[A-Z]", "[red]x[/red]", "a[]b")


def test_square_brackets_are_shown_and_not_taken_for_markup() -> None:
    many = " ".join(BRACKETS)
    bare = typer.Typer(cls=PlainGroup, help=f"group {many}", epilog=f"end {many}")

    @bare.command("first", cls=PlainCommand, help=f"first {many}", epilog=f"Examples: {many}")
    def first(
        name: Annotated[str, typer.Argument(help=f"name {many}")],
        size: Annotated[str, typer.Option(help=f"size {many}", metavar="[x]")] = "[green]",
    ) -> None: ...

    bare.command("second", cls=PlainCommand, help=f"second {many}")(lambda: None)
    runner = CliRunner(env={"COLUMNS": "200"})
    group = runner.invoke(bare, ["--help"]).stdout
    command = runner.invoke(bare, ["first", "--help"]).stdout
    for words in ("group", "end", "first", "second"):
        assert f"{words} {many}" in group
    for words in ("first", "Examples:", "name", "size"):
        assert f"{words} {many}" in command
    assert "[default: [green]]" in command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_that_fit_a_narrow_terminal(command: str) -> None:
    assert EXAMPLES.get(command), f"no examples for {command} in cli/help_texts.py"
    screen = CliRunner(env={"COLUMNS": "80"}).invoke(app, [command, "--help"]).stdout
    assert " Examples:" in screen
    for line in examples_of(command).splitlines():
        assert line.strip() in [shown.strip() for shown in screen.splitlines()]


@pytest.mark.parametrize("example", [line for lines in EXAMPLES.values() for line in lines])
def test_every_example_can_be_parsed(example: str) -> None:
    program, name, *arguments = shlex.split(example)
    assert program == "gravecli"
    command = GROUP.commands[name]  # type: ignore[attr-defined]
    with command.make_context(name, arguments, resilient_parsing=False) as context:
        assert context.command is command


def test_an_example_with_a_mistake_is_found() -> None:
    command = GROUP.commands["runs"]  # type: ignore[attr-defined]
    with pytest.raises(typer.BadParameter.__bases__[0], match="--limits"):
        command.make_context("runs", ["--limits", "3"])


@pytest.mark.parametrize("command", COMMANDS)
def test_all_commands_have_the_same_common_options(command: str) -> None:
    parameters = GROUP.commands[command].params  # type: ignore[attr-defined]
    options = {name for parameter in parameters for name in parameter.opts}
    assert {"--json", "--quiet", "-q", "--verbose", "-v", "--config", "--set"} <= options | (
        {"--config", "--set"} if command == "sample-data" else set()
    )


@pytest.mark.parametrize("command", ["check", "dataset-id", "train", "hpo", "evaluate"])
def test_data_is_the_default_folder(command: str, tmp_path: Path) -> None:
    options = {"hpo": ["--study", "s"], "evaluate": ["--cross-validate"]}.get(command, [])
    result = gravecli(command, *options, cwd=tmp_path)
    assert result.returncode == 2
    assert "data" in result.stderr + result.stdout
    assert "DATA" not in result.stderr


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_h_is_help(command: tuple[str, ...]) -> None:
    short, long = (CliRunner().invoke(app, [*command, option]) for option in ("-h", "--help"))
    assert short.exit_code == 0
    assert short.stdout == long.stdout


def help_texts(callback: Callable[..., object]) -> Iterator[str]:
    for name, hint in get_type_hints(callback, include_extras=True).items():
        if name != "return":
            (parameter,) = hint.__metadata__
            if getattr(parameter, "hidden", False):  # another name, told by the first
                continue
            assert parameter.help, f"{name} has no help text"
            yield parameter.help


def test_help_lists_the_commands_and_the_exit_codes(tmp_path: Path) -> None:
    screen = gravecli("--help", cwd=tmp_path).stdout
    assert "Exit codes: 0 success, 2 usage or input error, 1 failure." in screen
    for command in COMMANDS:
        assert f" {command} " in screen
