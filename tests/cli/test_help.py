"""What `gravecli --help` and the help of each command show on a terminal."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_type_hints

import pytest
from terminal import gravecli
from typer.testing import CliRunner

from grave_cli.cli.app import app

COMMANDS = (
    "train",
    "hpo",
    "check",
    "dataset-id",
    "predict-cemetery",
    "evaluate",
    "verify",
    "runs",
    "dashboard",
    "sample-data",
    "model-info",
    "config",
)


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_every_word(command: str, columns: int) -> None:
    """Rich takes `[hpo.studies]` for markup and leaves it out, without a warning."""
    screen = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [command, "--help"]).stdout
    assert max(map(len, screen.splitlines())) == columns
    shown = re.sub(r"[│\s]", "", screen)
    callback = next(one.callback for one in app.registered_commands if one.name == command)
    assert callback is not None
    for text in [callback.__doc__ or "", *help_texts(callback)]:
        for word in text.split():
            assert word in shown, f"{word!r} of {text!r}"


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_h_is_help(command: tuple[str, ...]) -> None:
    short, long = (CliRunner().invoke(app, [*command, option]) for option in ("-h", "--help"))
    assert short.exit_code == 0
    assert short.stdout == long.stdout


def help_texts(callback: Callable[..., object]) -> Iterator[str]:
    for name, hint in get_type_hints(callback, include_extras=True).items():
        if name != "return":
            (parameter,) = hint.__metadata__
            assert parameter.help, f"{name} has no help text"
            yield parameter.help


def test_help_lists_the_commands_and_the_exit_codes(tmp_path: Path) -> None:
    screen = gravecli("--help", cwd=tmp_path).stdout
    assert "Exit codes: 0 success, 2 usage or input error, 1 failure." in screen
    for command in COMMANDS:
        assert f" {command} " in screen
