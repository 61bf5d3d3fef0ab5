import shutil
import subprocess
from pathlib import Path

import pytest
from image_store import runs_of

from grave_cli import __version__
from grave_cli.settings.tree import Settings
from grave_cli.tracking.provenance import git_commit


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_the_one_that_changed_the_folder(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "environment").mkdir()
    (tmp_path / "package" / "code.py").write_text("1")
    assert git_commit(tmp_path / "package") == ""
    git(tmp_path, "init")
    assert git_commit(tmp_path / "package") == ""
    git(tmp_path, "add", "package")
    git(tmp_path, "commit", "-m", "first")
    first = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "else.txt").write_text("2")
    git(tmp_path, "add", "else.txt")
    git(tmp_path, "commit", "-m", "second")
    assert git_commit(tmp_path / "package") == first
    assert git_commit(tmp_path / "environment") == ""


def test_a_run_says_what_made_it(trained: Settings) -> None:
    (run,) = runs_of(trained)
    tags = run.data.tags
    assert tags["gravecli.version"] == __version__
    assert "cores" in tags["gravecli.host"]
    assert tags["gravecli.device"] == "cpu"
    assert tags["gravecli.channels"] == "rgb+dem"
    assert tags["gravecli.encoder"] == trained.model.encoder
