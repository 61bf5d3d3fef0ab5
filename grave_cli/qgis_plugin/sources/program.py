"""The installed gravecli: found, started, watched and stopped."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import threading
from pathlib import Path
from queue import Empty, Queue

from gravecli.words import say
from processing.core.ProcessingConfig import ProcessingConfig, Setting
from qgis.core import QgsProcessingException, QgsProcessingFeedback

SETTING = "GRAVECLI_PROGRAM"
_DEFAULTS = Path(__file__).with_name("defaults.json")
_ERROR = "gravecli: "
_POLL_S = 0.1
_PATIENCE_S = 15  # for a program that was told to stop


def add_setting(group: str, icon) -> None:
    """Add the path of the program to QGIS's settings (Options > Processing > Providers)."""
    ProcessingConfig.settingIcons[group] = icon
    title = say("Path of the gravecli program", "Pfad des Programms gravecli")
    setting = Setting(group, SETTING, title, default_program(), valuetype=Setting.FILE)
    ProcessingConfig.addSetting(setting)


def default_program() -> str:
    """Return the program that wrote this plugin, or one on the path; empty for none."""
    try:
        program = json.loads(_DEFAULTS.read_text("utf-8"))["program"]
    except (OSError, ValueError, KeyError):
        program = ""
    return program if program and os.path.isfile(program) else shutil.which("gravecli") or ""


def find_program() -> str:
    """Return the path of the program in the settings.

    Raises:
        QgsProcessingException: There is none.
    """
    program = ProcessingConfig.getSetting(SETTING) or default_program()
    if program and os.path.isfile(program):
        return program
    raise QgsProcessingException(
        say(
            f"gravecli is not found ({program or 'no path is set'}). Install it, and set its path "
            "in Settings > Options > Processing > Providers > gravecli.",
            f"gravecli wurde nicht gefunden ({program or 'kein Pfad ist eingestellt'}). "
            "Installieren Sie es und stellen Sie den Pfad ein: Einstellungen > Optionen > "
            "Verarbeitung > Datenanbieter > gravecli.",
        )
    )


def run(arguments: list[str], folder: str, feedback: QgsProcessingFeedback) -> dict:
    """Run a command of gravecli, show its progress, and return its result.

    Args:
        arguments: The command and its arguments.
        folder: Folder to run it in: its `runs/` and `gravecli.toml` count.
        feedback: Receives progress, notes and warnings; it may cancel.

    Returns:
        The JSON that it prints; empty after a cancellation.

    Raises:
        QgsProcessingException: It failed; the message is its own.
    """
    command = [find_program(), *arguments, "--json"]
    feedback.pushCommandInfo(shlex.join(command))
    hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would open a console
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        creationflags=hidden,
    ) as process:
        said = _Listener(process)
        problem = ""
        while not said.is_done:
            if feedback.isCanceled():
                _stop(process)
                said.join()
                return {}
            problem = _tell(said.next_line(), feedback) or problem
        said.join()
    if process.returncode:
        ended = say("gravecli ended with the exit code", "gravecli endete mit dem Rückgabewert")
        raise QgsProcessingException(problem or f"{ended} {process.returncode}")
    return json.loads(said.result)


def environment() -> dict:
    """Return the environment of the program, without what QGIS sets for its own Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "GRAVECLI_PROGRESS": "lines", "PYTHONUTF8": "1"}


class _Listener:
    """Reads both streams of a program in threads, so that neither can block it."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._lines: Queue = Queue()
        self.result = ""
        self._process = process
        self._threads = [threading.Thread(target=one) for one in (self._read_out, self._read_err)]
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    @property
    def is_done(self) -> bool:
        """Whether all has been read and told."""
        return self._lines.empty() and not any(one.is_alive() for one in self._threads)

    def join(self) -> None:
        """Wait until the program has closed both streams."""
        for thread in self._threads:
            thread.join()

    def next_line(self) -> str:
        """Return the next line of stderr; empty if none comes soon."""
        try:
            return self._lines.get(timeout=_POLL_S)
        except Empty:
            return ""

    def _read_out(self) -> None:
        self.result = self._process.stdout.read()

    def _read_err(self) -> None:
        for line in self._process.stderr:
            self._lines.put(line.rstrip())


def _tell(line: str, feedback: QgsProcessingFeedback) -> str:
    """Show a line of the program; return an error, which is shown in the end."""
    try:
        news = json.loads(line) if line.startswith("{") else None
    except ValueError:
        news = None
    if not isinstance(news, dict):
        if line.startswith(_ERROR):
            return line[len(_ERROR) :]
        if line:
            feedback.pushInfo(line)
        return ""
    if "task" in news:
        feedback.setProgressText(news["task"])
    if news.get("progress") is not None:
        feedback.setProgress(100 * news["progress"])
    if "note" in news:
        feedback.pushInfo(news["note"])
    if "warning" in news:
        feedback.pushWarning(news["warning"])
    return ""


def _stop(process: subprocess.Popen) -> None:
    """Stop a program: on Linux and macOS it tidies up first."""
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
