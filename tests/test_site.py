"""The documentation site builds without a broken link, and its errors are those of the program."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from grave_cli.cli.app import app
from grave_cli.settings.nested import flatten
from grave_cli.settings.tree import Settings

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    answer = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return folder


def test_every_command_and_setting_has_its_place(site: Path) -> None:
    commands = (site / "commands.html").read_text("utf-8")
    for command in app.registered_commands:
        assert f'id="gravecli-{command.name}"' in commands
    settings = (site / "settings.html").read_text("utf-8")
    for key, _ in flatten(Settings().model_dump(exclude={"hpo"})):
        assert f"<code>{key}</code>" in settings, key


def test_every_page_is_there_and_the_api_is_filled(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):  # one without a place in the menu fails the build
        assert (site / f"{page.stem}.html").is_file(), page
    api = (site / "api.html").read_text("utf-8")
    for words in ("predict_cemetery", "Ground truth to score the map against", "CemeteryMap"):
        assert words in api
    notebook = (site / "python-api.html").read_text("utf-8")
    assert "data:image/jpeg;base64" in notebook
    assert "not run:" not in (site / "quick-start.html").read_text("utf-8")


def test_the_errors_of_the_questions_are_errors_of_the_program() -> None:
    page = (ROOT / "docs" / "faq.md").read_text("utf-8").partition("## Errors")[2]
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "grave_cli").rglob("*.py"))
    errors = ROW.findall(page)
    assert len(errors) > 15
    assert [error for error in errors if error not in source] == []
