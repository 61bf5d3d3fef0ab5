"""Input files: each must be a file on this machine, not a pipe, a device or an address."""

import re
from collections.abc import Callable
from pathlib import Path

_ADDRESS = re.compile(r"^[A-Za-z][A-Za-z+]+:/|/vsi[a-z0-9_]+/", re.IGNORECASE)


def check_regular(path: Path, error: Callable[..., Exception], expected: str) -> None:
    """Refuse a path that is not a file, before anything opens it.

    Whoever opens a pipe or a socket waits for a writer, perhaps for ever, and a device has no end.

    Args:
        path: The file, or a link to it.
        error: Kind of the error, of the tree in `errors.py`.
        expected: What the file should be, such as "a raster".

    Raises:
        GraveError: It is missing, out of reach, or not a file.
    """
    address = bool(_ADDRESS.search(path.as_posix()))
    try:
        if path.is_file() and not address:
            return
        is_there, is_folder = path.exists(), path.is_dir()
    except OSError as fault:  # a name that is too long, a folder that may not be entered
        raise error(
            "cannot be opened", where=path, found=fault.strerror, expected=expected
        ) from None
    if address:
        raise error(
            "remote files and files in archives are not read",
            where=path,
            expected=f"{expected} on this machine",
            remedy="download or unpack it first",
        )
    if not is_there:
        raise error(
            "file is missing",
            where=path,
            found="nothing",
            expected=expected,
            remedy="check the name and the folder",
        )
    raise error(
        "not a file",
        where=path,
        found="a folder" if is_folder else "a pipe, socket or device",
        expected=expected,
        remedy="name the file in it" if is_folder else "copy its data to a file",
    )
