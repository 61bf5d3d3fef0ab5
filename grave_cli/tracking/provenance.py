"""Provenance of a run: version of the program and kind of machine."""

import os
import platform
import subprocess
from pathlib import Path

import grave_cli
from grave_cli import __version__

# MLflow's pages show the tag of this name as the version of the source.
_COMMIT_TAG = "mlflow.source.git.commit"


def provenance_tags() -> dict[str, str]:
    """Return the tags for program and machine; the git commit only in a working copy."""
    host = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    tags = {"gravecli.version": __version__, "gravecli.host": host}
    commit = git_commit(Path(grave_cli.__file__).parent)
    return tags | ({_COMMIT_TAG: commit} if commit else {})


def git_commit(folder: Path) -> str:
    """Return the last commit that changed a folder; empty without git, or if it is untracked.

    A virtual environment inside another project's repository is untracked.
    """
    command = ["git", "-C", str(folder), "log", "-1", "--format=%H", "--", "."]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()
