"""The files of the QGIS plugin: a folder or a ZIP, replaced only if nobody has changed them."""

import ast
import configparser
import json
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from grave_cli import __version__
from grave_cli.errors import ExportError, SettingsError
from grave_cli.outputs import check_outputs
from grave_cli.qgis_plugin.write_plugin import check_program, write_plugin, zip_output

PROGRAM = Path(sys.executable)


def test_a_folder_for_the_plugins_of_qgis(tmp_path: Path) -> None:
    folder = write_plugin(tmp_path, PROGRAM)
    assert folder == tmp_path / "gravecli"
    metadata = configparser.ConfigParser()
    metadata.read(folder / "metadata.txt", "utf-8")
    general = metadata["general"]
    assert general["version"] == __version__
    assert general["hasProcessingProvider"] == "yes"
    assert "Gräber" in general["description[de]"]
    assert (folder / general["icon"]).is_file()
    assert "classFactory" in (folder / "__init__.py").read_text("utf-8")
    assert json.loads((folder / "defaults.json").read_text("utf-8")) == {"program": str(PROGRAM)}


def test_the_files_suit_the_python_of_qgis_3_22(tmp_path: Path) -> None:
    """It is 3.9 on Windows, and it has nothing of gravecli but these files."""
    folder = write_plugin(tmp_path, PROGRAM)
    own = {path.stem for path in folder.glob("*.py")}
    known = {"processing", "qgis"} | set(sys.stdlib_module_names)
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                first, *rest = str(node.module).split(".")
                assert first in known or (first == "gravecli" and rest[0] in own), node.module
            assert not isinstance(node, ast.Import) or node.names[0].name in known


def test_a_zip_holds_the_same_files(tmp_path: Path) -> None:
    folder = write_plugin(tmp_path, PROGRAM)
    first, second = (write_plugin(tmp_path / f"{n}.zip", PROGRAM).read_bytes() for n in "ab")
    assert first == second
    with ZipFile(tmp_path / "a.zip") as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {f"gravecli/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_an_unchanged_plugin_is_replaced_and_a_changed_one_kept(tmp_path: Path) -> None:
    folder = write_plugin(tmp_path, PROGRAM)
    (folder / "__pycache__").mkdir()  # QGIS has run it
    write_plugin(tmp_path, PROGRAM)
    (folder / "words.py").write_text("")
    with pytest.raises(ExportError, match="plugin exists and was changed since"):
        write_plugin(tmp_path, PROGRAM)
    write_plugin(tmp_path, PROGRAM, overwrite=True)
    assert (folder / "words.py").read_text("utf-8")
    (folder / "seal.txt").unlink()
    with pytest.raises(ExportError, match="was not written by gravecli"):
        write_plugin(tmp_path, PROGRAM)


@pytest.mark.parametrize("content", [b"notes", b"PK\x03\x04", b""])
def test_another_zip_is_kept(tmp_path: Path, content: bytes) -> None:
    path = write_plugin(tmp_path / "a.zip", PROGRAM)
    check_outputs([zip_output(path)], {}, overwrite=False)
    path.write_bytes(content)
    if content:
        with pytest.raises(ExportError, match="was not written by gravecli"):
            check_outputs([zip_output(path)], {}, overwrite=False)
    else:
        check_outputs([zip_output(path)], {}, overwrite=False)


def test_a_program_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    for path in (tmp_path / "notes.txt", tmp_path / "nothing", tmp_path):
        with pytest.raises(SettingsError, match="--program is not a program"):
            check_program(path)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_plugin_is_never_deleted(tmp_path: Path, overwrite: bool) -> None:
    """Such as a copy of gravecli's own sources, which has the same name."""
    work = tmp_path / "gravecli" / "sources" / "work.py"
    work.parent.mkdir(parents=True)
    work.write_text("")
    with pytest.raises(ExportError, match="exists and is no plugin of QGIS"):
        write_plugin(tmp_path, PROGRAM, overwrite=overwrite)
    assert work.is_file()


def test_a_zip_whose_content_is_damaged_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "graves " * 500)
    content = bytearray(path.read_bytes())
    content[35:38] = b"\xff\xff\xff"  # the first bytes of the text
    path.write_bytes(content)
    with pytest.raises(ExportError, match="was not written by gravecli"):
        check_outputs([zip_output(path)], {}, overwrite=False)
