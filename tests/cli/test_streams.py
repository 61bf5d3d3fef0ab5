"""Output that is closed, full or limited to ASCII, and names made to deceive a terminal."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table
from terminal import PROGRAM, assert_refused, gravecli

from grave_cli.cli.console import OUT
from grave_cli.cli.streams import system_fault, visible
from grave_cli.model.bundle import Bundle
from grave_cli.sample_data.write import write_sample_data

HOSTILE = "\x1b[31m[bold]anna:cross_mark:\u202e"


def shell(
    command: str, *arguments: object, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run gravecli by a line of the shell, in which `$G "$@"` is the command."""
    program = ["sh", "-c", command, "sh", *map(str, arguments)]
    variables = {**os.environ, "G": sys.executable, **environment}
    decoding = {"encoding": "utf-8", "errors": "replace"}
    return subprocess.run(
        program, cwd=cwd, env=variables, capture_output=True, timeout=120, check=False, **decoding
    )


COMMAND = f'"$G" -c "{PROGRAM}" "$@"'


@pytest.mark.skipif(os.name == "nt", reason="a shell of Unix")
def test_a_closed_stdout_ends_no_prediction_and_spoils_no_file(
    sample_data: Path, untrained: Bundle, tmp_path: Path
) -> None:
    orthophoto = sample_data / "orthophotos" / "sample_01.tif"
    arguments = ["predict-cemetery", orthophoto, "--model", untrained.folder, "--preview", "p.png"]
    result = shell(f"{COMMAND} >&-", *arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "sample_01.gpkg").read_bytes().startswith(b"SQLite format 3")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    result = shell(f"{COMMAND} <&- >&- 2>&-", "config", "--json", cwd=tmp_path)
    assert result.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is full")
@pytest.mark.parametrize("arguments", [["config"], ["config", "--json"], ["--help"], ["--version"]])
def test_a_full_stdout_is_one_line(tmp_path: Path, arguments: list[str]) -> None:
    result = shell(f"{COMMAND} >/dev/full", *arguments, cwd=tmp_path)
    assert result.returncode == 1
    said = "gravecli: the result cannot be printed: No space left on device\n"
    assert result.stderr == said


@pytest.mark.skipif(os.name == "nt", reason="a shell of Unix")
def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    result = shell(f"{COMMAND} | head -1", "config", cwd=tmp_path)
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_letters_that_stdout_lacks_are_replaced_and_json_stays_whole(
    sample_data: Path, tmp_path: Path, encoding: str
) -> None:
    arguments = ["check", sample_data, "--channels", "rgb+dem", "--set", "data.guard_m=0"]
    result = shell(COMMAND, *arguments, cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert "Traceback" not in result.stderr
    assert "sample_01" in result.stdout
    (tmp_path / "Süd – Ω").mkdir()
    (tmp_path / "gravecli.toml").write_text('[data]\nroot = "Süd – Ω"\n', "utf-8")
    result = shell(COMMAND, "config", "--json", cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert json.loads(result.stdout)["data.root"]["value"] == "Süd – Ω"


def test_names_reach_the_terminal_without_control_characters(tmp_path: Path) -> None:
    write_sample_data(tmp_path / "data", cemeteries=1, size_m=10)
    for path in list((tmp_path / "data").rglob("sample_01.*")):
        path.rename(path.with_name(path.name.replace("sample_01", HOSTILE)))
    result = gravecli("check", "data", cwd=tmp_path)
    assert "\\x1b[31m[bold]anna:cross_mark:\\u202e" in result.stdout
    result = gravecli("predict-cemetery", f"{HOSTILE}.tif", cwd=tmp_path)
    assert_refused(result, "\\x1b[31m[bold]anna:cross_mark:\\u202e.tif: file is missing")
    result = gravecli("config", "--init", "--config", f"{HOSTILE}.toml", cwd=tmp_path)
    assert result.stdout.startswith("wrote \\x1b[31m[bold]anna:cross_mark:\\u202e.toml\n")


def test_no_cell_of_a_table_is_markup(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("[red]", title="[/none]")
    table.add_row(HOSTILE)
    OUT.print(table)
    shown = capsys.readouterr().out
    for text in ("[red]", "[/none]", visible(HOSTILE)):
        assert text in shown


def test_ordinary_names_are_left_alone() -> None:
    for name in ("Süd – Ω", "nbsp\N{NO-BREAK SPACE}name", "族", "é"):
        assert visible(name) == name
    assert visible("a\nb\udce9", keep="\n") == "a\nb\\udce9"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], ["No such command 'trian'", "see gravecli --help"]),
        (["train", "--epoch", "3"], ["No such option", "--epoch", "see gravecli train --help"]),
        (["predict-cemetery"], ["Missing argument 'ORTHOPHOTO", "predict-cemetery --help"]),
        (["hpo", "--study", "a", "--workers", "0"], ["--workers", "or equal to 1"]),
        (["sample-data", "d", "--size-m", "x"], ["--size-m", "valid number"]),
    ],
)
def test_a_wrong_use_is_one_line(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    result = gravecli(*arguments, cwd=tmp_path)
    assert_refused(result, *words)
    assert result.stderr.count("\n") == 1


def test_a_full_disk_is_found_behind_the_errors_of_the_clean_up() -> None:
    first = OSError(errno.ENOSPC, "No space left on device", "runs/a.png")
    last = RuntimeError("the run cannot be closed")
    last.__context__ = TypeError("in between")
    last.__context__.__cause__ = first
    assert system_fault(last) == "runs/a.png: No space left on device; free some disk space"
    assert system_fault(FileNotFoundError(errno.ENOENT, "No such file")) == ""


def test_a_file_that_the_system_refuses_is_no_mistake_of_the_program() -> None:
    refused = PermissionError(errno.EACCES, "Permission denied", "data/areas")
    assert system_fault(refused) == "data/areas: Permission denied; check its permissions"


def test_gravecli_alone_shows_its_help(tmp_path: Path) -> None:
    result = gravecli(cwd=tmp_path)
    assert result.returncode == 2
    assert "predict-cemetery" in result.stdout + result.stderr
