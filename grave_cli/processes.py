"""Owners of temporary files: a tag in a file's name tells which process made it.

`office-2~4711~1732612345` is process 4711 of host office-2, started at that second since 1970; the
number alone would be given to another process sooner or later.
"""

import os
import platform
import re
from functools import lru_cache
from typing import Literal

import psutil

_CLOCK_S = 10  # the start of a process is derived from the clock, which may be corrected meanwhile
_TAG = re.compile(r"([A-Za-z0-9.-]*)~(\d+)~(\d+)")


def owner_tag() -> str:
    """Return the tag of this process."""
    return _tag_of(os.getpid())


def owner_of(tag: str) -> Literal["none", "here", "elsewhere", "unknown"]:
    """Return where the owner of a file is alive, as far as can be known from here.

    Args:
        tag: A tag of `owner_tag`; any other text has an unknown owner.
    """
    found = _TAG.fullmatch(tag)
    if found is None:
        return "unknown"
    if found[1] != _host():
        return "elsewhere"
    return "here" if _is_running(int(found[2]), int(found[3])) else "none"


@lru_cache(maxsize=1)
def _tag_of(pid: int) -> str:
    return f"{_host()}~{pid}~{psutil.Process(pid).create_time():.0f}"


def _host() -> str:
    """Return the name of this machine without dots, which would look like a file's ending."""
    return re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:40]


def _is_running(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < _CLOCK_S
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
