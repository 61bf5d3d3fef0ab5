"""Bad places and programs for the QGIS plugin: each is refused in one line."""

import sys
from pathlib import Path

import pytest
from office import assert_refuses


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--out notes.txt", "notes.txt"),
        ("--out notes.txt/plugins", "notes.txt"),
        ("--out taken", "taken/gravecli: plugin exists and was not written by gravecli"),
        ("--out file", "file/gravecli: plugin exists and was not written by gravecli"),
        ("--out notes.zip", "notes.zip: file exists and was not written by gravecli"),
        ("--program notes.txt", "--program is not a program"),
        ("--program nothing", "--program is not a program"),
        ("--set prediction.tta=3", "prediction.tta"),
        ("--config nothing.toml", "nothing.toml"),
    ],
)
def test_a_bad_plugin(office: Path, options: str, words: str) -> None:
    (office / "taken" / "gravecli").mkdir(parents=True)
    (office / "taken" / "gravecli" / "metadata.txt").write_text("[general]\n")
    (office / "file").mkdir()
    (office / "file" / "gravecli").write_text("")
    (office / "notes.zip").write_text("not to be lost")
    program = "" if "--program" in options else f"--program {sys.executable}"
    assert_refuses(office, f"qgis-plugin -q {program} {options}", words)
