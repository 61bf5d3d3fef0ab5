"""The command line, run as its user runs it."""

import subprocess
import sys
from pathlib import Path

from support import TINY

from grave_cli.settings.example import to_toml_value

SETS = [text for key, value in TINY.items() for text in ("--set", f"{key}={to_toml_value(value)}")]


def gravecli(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from grave_cli.cli.app import main; main()"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("gravecli: ")
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in line
