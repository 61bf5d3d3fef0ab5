"""Data that is there but not where it is looked for, and the errors that name it."""

import os
from collections.abc import Sequence
from pathlib import Path

from grave_cli.dataset.file_kinds import ASTRAY, ORTHOPHOTO, Kind, conversion, misnamed
from grave_cli.errors import DatasetError

_LISTED = 5  # names in an error


def find_astray(root: Path, shared: Path | None = None) -> list[Path]:
    """Find data in the data folder itself instead of in the folder of its kind, and odd folders."""
    return [
        path
        for path in root.iterdir()
        if not path.name.startswith(".")
        and (path.suffix.lower() in ASTRAY or (misnamed(path) is not None and os.path.isdir(path)))
        and not (shared is not None and path.samefile(shared))
    ]


def misnamed_folder(unread: Sequence[Path], kind: Kind) -> Path | None:
    """Return the folder that holds files of a kind under another name; None without one."""
    return next((path for path in unread if misnamed(path) == kind.folder and path.is_dir()), None)


def no_folder(root: Path) -> DatasetError:
    """Make the error for a data folder that is none."""
    if root.exists():
        return DatasetError(
            "data folder is a file", where=root, remedy="name the folder that holds orthophotos/"
        )
    return DatasetError(
        "data folder is missing",
        where=root,
        remedy="name one with --data, or create one with `gravecli sample-data`",
    )


def no_orthophotos(root: Path, unread: list[Path]) -> DatasetError:
    """Make the error for a folder without orthophotos, with the data that lies there instead."""
    folder = root / ORTHOPHOTO.folder
    others = [path for path in unread if path.parent == folder]
    astray = find_astray(root)
    odd = misnamed_folder(astray, ORTHOPHOTO)
    found, remedy = ", ".join(path.name for path in others) or None, None
    if others:
        remedy = conversion(others[0])
    elif odd is not None:
        found, remedy = f"{odd.name}/", f"rename it to {ORTHOPHOTO.folder}"
    elif os.path.isdir(root.absolute().parent / ORTHOPHOTO.folder):
        found, remedy = f"a folder of a data folder: {root.name}", f"name {root.absolute().parent}"
    elif os.path.isdir(root / "data" / ORTHOPHOTO.folder):
        found, remedy = "a data folder in it", f"name {root / 'data'}"
    elif files := [path.name for path in sorted(astray) if path.is_file()]:
        found = ", ".join(files[:_LISTED]) + (", …" if len(files) > _LISTED else "")
        remedy = "move each file into the folder of its kind: orthophotos, dems, annotations"
    return DatasetError(
        "no orthophotos", where=folder, found=found, expected="<cemetery>.tif", remedy=remedy
    )
