"""The QGIS plugin: a folder for QGIS's plugins, or a ZIP that QGIS installs.

The plugin calls the gravecli that wrote it; its user can set another path. A seal tells whether
somebody has changed the files since.
"""

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from grave_cli import __version__
from grave_cli.atomic_writes import whole_file, whole_folder
from grave_cli.errors import ExportError, SettingsError
from grave_cli.outputs import FOREIGN, Output, seal

NAME = "gravecli"
"""Name of the plugin's folder, by which its files import each other."""

_SOURCES = Path(__file__).parent / "sources"
_SEAL = "seal.txt"
_METADATA_FILE = "metadata.txt"
_CACHE = "__pycache__"
_WRITTEN_ON = (2024, 1, 1, 0, 0, 0)  # in the ZIP: equal content gives equal files
_METADATA = f"""[general]
name=gravecli
qgisMinimumVersion=3.22
hasProcessingProvider=yes
version={__version__}
author=gravecli developers
category=Raster
icon=icon.svg
tags=cemetery,graves,orthophoto,drone,segmentation,Friedhof,Gräber
experimental=False
description=Map graves from drone orthophotos: one clean polygon per grave
description[de]=Gräber aus Orthofotos von Drohnen kartieren: eine saubere Fläche je Grab
about=Adds gravecli to the Processing toolbox: map graves, compare surveys, evaluate a map. It calls
    the installed program gravecli, whose path is a setting of Processing.
about[de]=Fügt gravecli zur Werkzeugkiste hinzu: Gräber kartieren, Aufnahmen vergleichen, Karten
    bewerten. Es ruft das installierte Programm gravecli auf, dessen Pfad eine Einstellung der
    Verarbeitung ist.
"""
_ENTRY = '''"""gravecli as a Processing provider of QGIS."""


def classFactory(iface):
    """Return the plugin."""
    from gravecli.entry import GravecliPlugin

    return GravecliPlugin()
'''


def write_plugin(out: Path, program: Path, *, overwrite: bool = False) -> Path:
    """Write the plugin.

    Args:
        out: A ZIP file, or the folder of QGIS's plugins.
        program: The program that the plugin calls.
        overwrite: Also replace a plugin that gravecli did not write, or that was changed since.

    Returns:
        The ZIP file, or the folder of the plugin.

    Raises:
        ExportError: It cannot be written, or a changed one would be lost.
    """
    files = plugin_files(program)
    if out.suffix.lower() == ".zip":
        _write_zip(out, files)
        return out
    folder = out / NAME
    if os.path.lexists(folder):
        _remove(folder, overwrite)
    with whole_folder(folder) as new:
        for name, content in files.items():
            (new / name).write_bytes(content)
    return folder


def zip_output(path: Path) -> Output:
    """Describe the ZIP file to `check_outputs`."""
    return Output("--out", path, "a ZIP file of a plugin", (".zip",), _why_keep_zip)


def plugin_files(program: Path) -> dict[str, bytes]:
    """Return the files of the plugin by name.

    Args:
        program: The program that it calls.
    """
    paths = (path for path in sorted(_SOURCES.iterdir()) if path.is_file())
    files = {path.name: path.read_bytes() for path in paths}
    files["__init__.py"] = _ENTRY.encode()
    files[_METADATA_FILE] = _METADATA.encode()
    files["defaults.json"] = f"{json.dumps({'program': str(program)})}\n".encode()
    return {**files, _SEAL: f"{_seal_of(files)}\n".encode()}


def this_program() -> Path:
    """Return the program gravecli of this installation.

    Raises:
        SettingsError: There is none; it was started in another way.
    """
    ending = ".exe" if sys.platform == "win32" else ""
    beside = Path(sysconfig.get_path("scripts"), f"gravecli{ending}")
    found = beside if beside.is_file() else shutil.which("gravecli")
    if found is None:
        raise SettingsError(
            "the program gravecli is not found",
            where=beside,
            remedy="name it with --program",
        )
    return Path(found).absolute()


def check_program(program: Path) -> Path:
    """Check the program that the plugin shall call, and return its full path.

    Raises:
        SettingsError: It is not a file that can be run.
    """
    if not program.is_file() or not os.access(program, os.X_OK):
        raise SettingsError(
            "--program is not a program",
            where=program,
            expected="the program gravecli, such as .venv/bin/gravecli",
        )
    return program.absolute()


def _write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    with whole_file(path) as new, ZipFile(new, "w") as archive:
        for name, content in files.items():
            archive.writestr(ZipInfo(f"{NAME}/{name}", _WRITTEN_ON), content)


def _remove(folder: Path, overwrite: bool) -> None:
    """Remove an earlier plugin.

    Raises:
        ExportError: Somebody has changed it, it is another one, or a folder of something else.
    """
    _refuse_other_folder(folder)
    reason = None if overwrite else _why_keep_folder(folder)
    if reason is not None:
        raise ExportError(
            f"plugin exists and {reason}",
            where=folder,
            remedy="choose another folder, or replace it with --overwrite",
        )
    try:
        if folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder)
        else:
            folder.unlink()
    except OSError as error:
        raise ExportError(f"cannot be replaced: {error.strerror}", where=folder) from None


def _refuse_other_folder(folder: Path) -> None:
    """Refuse a folder that only has the name of the plugin: all that is in it would be deleted."""
    if folder.is_symlink() or not folder.is_dir() or (folder / _METADATA_FILE).is_file():
        return
    try:
        is_full = any(folder.iterdir())
    except OSError as error:
        raise ExportError(f"cannot be replaced: {error.strerror}", where=folder) from None
    if is_full:
        raise ExportError(
            "folder exists and is no plugin of QGIS",
            where=folder,
            found=f"no {_METADATA_FILE}",
            remedy="choose another folder for --out, or move it away",
        )


def _why_keep_folder(folder: Path) -> str | None:
    if not folder.is_dir():
        return FOREIGN
    files = {
        path.name: path.read_bytes() if path.is_file() else b""
        for path in folder.iterdir()
        if path.name != _CACHE
    }
    return _why_keep(files)


def _why_keep_zip(path: Path) -> str | None:
    try:
        with ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # damaged ZIPs raise errors of zlib, struct and others
        return FOREIGN
    return _why_keep({name.removeprefix(f"{NAME}/"): content for name, content in files.items()})


def _why_keep(files: dict[str, bytes]) -> str | None:
    sealed = files.pop(_SEAL, None)
    if sealed is None:
        return FOREIGN
    if sealed.decode("ascii", "replace").strip() != _seal_of(files):
        return "was changed since gravecli wrote it"
    return None


def _seal_of(files: Mapping[str, bytes]) -> str:
    return seal(*(part for name in sorted(files) for part in (name, files[name])))[:16]
