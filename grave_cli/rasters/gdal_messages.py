"""Text that is no UTF-8, on which rasterio and fiona fail: messages of GDAL and names of files.

The messages quote damaged files, and the libraries print tracebacks about them. The error that
follows is raised as usual.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from grave_cli.errors import GraveError

_RENAMED = "rename it, for example with `convmv -f latin1 -t utf8 --notest`"
_LOCK = RLock()  # the hooks belong to the whole process


@contextmanager
def unprinted() -> Iterator[list[str]]:
    """Collect errors that a library can only print, instead of printing them.

    Returns:
        Their texts, so far.
    """
    caught: list[str] = []
    with _LOCK:
        unraisable, uncaught = sys.unraisablehook, sys.excepthook
        sys.unraisablehook = lambda error: caught.append(str(error.exc_value))
        sys.excepthook = lambda kind, error, traceback: caught.append(str(error))
        try:
            yield caught
        finally:
            sys.unraisablehook, sys.excepthook = unraisable, uncaught


def check_name(path: Path, error: type[GraveError]) -> None:
    """Refuse a file whose name GDAL's libraries cannot pass on.

    Args:
        path: The file.
        error: Kind of the error.

    Raises:
        GraveError: Its name is no UTF-8.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise error(
            "file name is not UTF-8",
            where=path,
            found="letters of another encoding",
            expected="UTF-8",
            remedy=_RENAMED,
        ) from None
