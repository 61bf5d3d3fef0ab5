"""Processes and what they leave: owners of temporary files, and children without a parent.

A tag in a file's name tells which process made it.

`office-2~4711~1732612345` is process 4711 of host office-2, started at that second since 1970; the
number alone would be given to another process sooner or later.
"""

import os
import platform
import re
import threading
from contextlib import suppress
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


def end_with_parent(pipe: int) -> None:
    """End this process and its children when the other end of a pipe closes.

    The system closes it when the parent ends, also by SIGKILL.

    Args:
        pipe: Descriptor of the end to read from; the parent writes nothing.
    """

    def listen() -> None:
        with suppress(OSError):
            while os.read(pipe, 1):
                pass
        kill_children()
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()


def kill_children() -> None:
    """Kill all descendants of this process, including any that start meanwhile."""
    with suppress(psutil.Error):
        me = psutil.Process()
        while living := [one for one in me.children(recursive=True) if _is_alive(one)]:
            for child in living:
                with suppress(psutil.Error):
                    child.kill()
            psutil.wait_procs(living, timeout=1)


@lru_cache(maxsize=1)
def _tag_of(pid: int) -> str:
    return f"{_host()}~{pid}~{psutil.Process(pid).create_time():.0f}"


def _host() -> str:
    """Return the name of this machine without dots, which would look like a file's ending."""
    return re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:40]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _is_running(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < _CLOCK_S
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
