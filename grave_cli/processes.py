"""Children of a process: they end with their parent, and with each other."""

import os
import threading
from contextlib import suppress

import psutil


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


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def usable_cores() -> int:
    """Return the number of cores that this process may use; a scheduler may allow it a few."""
    if hasattr(os, "sched_getaffinity"):  # not on Windows and macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
