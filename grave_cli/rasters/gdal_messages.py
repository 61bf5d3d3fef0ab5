"""GDAL's messages that are no UTF-8: rasterio and fiona fail on them and print tracebacks.

The messages quote damaged files. The error that follows them is raised as usual.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

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
