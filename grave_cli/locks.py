"""A lock file that is there only while something is made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def one_at_a_time(
    lock_file: Path, timeout_s: float = -1, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Let the other processes of this machine wait while the block makes something.

    The system releases the lock when the process ends, however it ends. Because the file is removed
    with the lock, two processes may hold it in turn when a third has just made the thing: look
    inside the block whether it is there by now.

    Args:
        lock_file: The file; its folder is created.
        timeout_s: Longest wait, in seconds; negative for no limit.
        on_wait: Called once if another process holds the lock.

    Raises:
        OSError: The file cannot be created, or the wait took too long.
    """
    lock = FileLock(lock_file, timeout=timeout_s)
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if on_wait is not None:
            on_wait()
        lock.acquire()
    try:
        yield
    finally:
        with suppress(OSError):  # Windows keeps the name of an open file
            lock_file.unlink(missing_ok=True)
        lock.release()
