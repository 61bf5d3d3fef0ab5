"""The command line: run in this process, or in one of its own where a test is about the process."""

import logging
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from unittest.mock import patch

from support import TINY

from grave_cli.cli.app import main
from grave_cli.settings.example import to_toml_value

SETS = [text for key, value in TINY.items() for text in ("--set", f"{key}={to_toml_value(value)}")]
PROGRAM = "from grave_cli.cli.app import main; main()"


def gravecli(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in this process; a traceback fails the test."""
    command = ["gravecli", *map(str, arguments)]
    out, err = (TextIOWrapper(BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code: str | int | None = 0
    with (
        chdir(cwd),
        patch.object(sys, "argv", command),
        redirect_stdout(out),
        redirect_stderr(err),
        _process_restored(),
        warnings.catch_warnings(),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
    said = [file.buffer.getvalue().decode() for file in (out, err)]  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(command, int(code or 0), *said)


def start_gravecli(*arguments: object, cwd: Path, program: str = PROGRAM) -> subprocess.Popen[str]:
    """Start a command in a process of its own, which Ctrl-C interrupts."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", program, *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell ignores SIGINT for what it starts in the background; so would the child.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for the end of a process."""
    out, err = process.communicate(timeout=250)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("gravecli: ")
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in line


@contextmanager
def _process_restored() -> Iterator[None]:
    """Undo changes that a command makes to the whole process: logging, and signals."""
    root, disabled = logging.getLogger(), logging.root.manager.disable
    handlers, level = list(root.handlers), root.level
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.disable(disabled)
