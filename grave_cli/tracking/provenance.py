"""What made a run: which version of the program, on what kind of machine."""

import os
import platform
import subprocess
from pathlib import Path

import grave_cli
from grave_cli import __version__

# Under this name the pages show it as the run's source.
_COMMIT_TAG = "mlflow.source.git.commit"


def provenance_tags() -> dict[str, str]:
    """Return the tags of the program and the machine; the commit only in a working copy."""
    host = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    tags = {"gravecli.version": __version__, "gravecli.host": host}
    commit = git_commit(Path(grave_cli.__file__).parent)
    return tags | ({_COMMIT_TAG: commit} if commit else {})


def git_commit(folder: Path) -> str:
    """Return the commit that last changed a folder; empty without git, or if it is not tracked.

    An environment that lies in somebody else's repository is not tracked by it.
    """
    command = ["git", "-C", str(folder), "log", "-1", "--format=%H", "--", "."]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()
