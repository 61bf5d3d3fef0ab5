"""Heartbeats: a small file that its process writes again and again, as a sign of life.

A process that no longer writes its file for `PULSE.dead_after_s` counts as dead. The age of a file
is the difference to a file written now in the same folder: both times come from the file system,
because the clocks of two computers differ. Files are opened before their time is read, because
network file systems show times of closed files from a cache.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pulse:
    """How often a process gives a sign of life.

    Args:
        interval_s: Seconds between two signs.
        dead_after_s: Seconds without one after which a process out of sight counts as dead.
    """

    interval_s: float = 10.0
    dead_after_s: float = 120.0


PULSE = Pulse()
"""The same on all computers that share a folder."""


class _Heart:
    """The files of this process, and the thread that writes them while there are any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: set[Path] = set()
        self._thread: threading.Thread | None = None

    def add(self, file: Path) -> None:
        """Write a file from now on."""
        with self._lock:
            self._files.add(file)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
                self._thread.start()

    def remove(self, file: Path) -> None:
        """Forget a file; it is not being written when this returns."""
        with self._lock:
            self._files.discard(file)

    def _run(self) -> None:
        while True:
            time.sleep(PULSE.interval_s)
            with self._lock:
                files = list(self._files)
                if not files:
                    self._thread = None
                    return
            for file in files:
                with self._lock, suppress(OSError):  # it was removed, or the next one succeeds
                    if file in self._files:
                        _write(file, "r+b")


_HEART = _Heart()


@contextmanager
def beating(file: Path) -> Iterator[None]:
    """Make a file the heartbeat of this process while the block runs; it is removed at the end.

    Args:
        file: A new file.

    Raises:
        OSError: It exists, or cannot be created.
    """
    _write(file, "xb")
    _HEART.add(file)
    try:
        yield
    finally:
        _HEART.remove(file)
        with suppress(OSError):
            file.unlink()


def is_there(file: Path) -> bool:
    """Tell whether a file is there, past the cache of a network file system."""
    try:
        with file.open("rb"):
            return True
    except FileNotFoundError:
        return False
    except OSError:  # it cannot be known now
        return True


def seconds_since(files: list[Path], clock: Path) -> float | None:
    """Return the seconds since the newest change of files; None if that cannot be known.

    Args:
        files: Files and folders of one folder.
        clock: An unused name in that folder.
    """
    times = [found for file in files if (found := _time(file)) is not None]
    try:
        _write(clock, "xb")
        now = _time(clock)
    except OSError:
        return None
    finally:
        with suppress(OSError):
            clock.unlink()
    return now - max(times) if times and now is not None else None


def _time(path: Path) -> float | None:
    with suppress(OSError):
        if path.is_dir():
            return path.stat().st_mtime
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime
    return None


def _write(file: Path, mode: str) -> None:
    """Write a byte, because it is the server that then sets the time of the file."""
    with open(file, mode, buffering=0) as opened:
        try:
            opened.write(b".")
        except OSError:  # the disk is full
            os.utime(file)
