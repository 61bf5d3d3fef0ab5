"""Atomic writes: a file or folder appears whole, or not at all.

Each is written under a hidden, unique name beside its place, flushed to the disk and renamed. The
name tells the process, so that the next write removes what a dead one has left. A reader sees the
old file or the new one, and so does everybody after a crash or a power cut. Two processes that
write the same file do not disturb each other, and one that was taken for dead writes nothing.
"""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from grave_cli.errors import ExportError
from grave_cli.owners.claims import check_claims
from grave_cli.owners.leftovers import kept_folder, remove, sweep, temporary_path

# On Windows a virus scanner or another process may hold a file for a moment.
_PAUSES_S = (0.05, 0.1, 0.2, 0.4)
_DENIED = "close it in other programs, and check the permissions of its folder"
_REMEDIES = {
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ENOENT: "another process has removed its folder or temporary file; try again",
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some disk space",
}
_LEAST_BYTES = 1 << 16  # less is left when a library could not write on


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all.

    The block writes to the path that it is given, which has the suffix of the file, so that drivers
    recognise the format. If the block fails, the old file stays and nothing is left of the new one.

    Args:
        path: The file; an existing one is replaced, missing folders are created. A symbolic link
            stays and the file behind it is replaced.

    Yields:
        A path in the same folder where no file exists yet.

    Raises:
        ExportError: The file cannot be written, another program holds it open (Windows), or it is a
            folder or device: renaming a file to /dev/null would delete the device.
        InUseError: Another process has taken over what this one works on.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    if path.exists() and not path.is_file():
        raise ExportError("cannot be written: not a regular file", where=path)
    with _beside(path) as new:
        yield new
        _flush_file(new)
        check_claims()
        _rename(new, path)
        _flush_entries(path.parent)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Write a folder whole or not at all.

    For caches whose name identifies their content: if the folder exists by the time the block ends,
    because another process was faster, that one stays and the new one is discarded.

    Args:
        path: The folder; missing parents are created.

    Yields:
        An empty folder beside it.

    Raises:
        ExportError: The folder cannot be written.
        InUseError: Another process has taken over what this one works on.
    """
    with _beside(path) as new:
        new.mkdir()
        yield new
        for inside in new.rglob("*"):
            (_flush_entries if inside.is_dir() else _flush_file)(inside)
        _flush_entries(new)
        check_claims()
        try:
            _rename(new, path)
        except OSError:
            if not path.is_dir():
                raise
        _flush_entries(path.parent)


@contextmanager
def cache_errors(cache: Path) -> Iterator[None]:
    """Raise errors of the file system as errors of a cache.

    Args:
        cache: The folder, in `work_dir`.

    Raises:
        ExportError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise ExportError(
            f"cannot be written: {error.strerror or error}",
            where=cache,
            remedy="check the permissions of work_dir, or set another one",
        ) from None


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Yield a unique name beside a path; in the end, remove everything that still has it."""
    check_claims()
    try:
        with kept_folder(path.parent):
            sweep(path.parent)
            new = temporary_path(path.parent, path.suffix)
            try:
                yield new
            except Exception as error:
                if _is_full(path.parent):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
                raise
            finally:
                remove(new)
    except OSError as error:
        check_claims()  # whoever took them over has removed the file
        raise ExportError(
            f"cannot be written: {error.strerror or error}",
            where=path,
            remedy=_REMEDIES.get(error.errno or 0),
        ) from error


def _is_full(folder: Path) -> bool:
    """Tell whether a disk is full: libraries that write report anything else."""
    return shutil.disk_usage(folder).free < _LEAST_BYTES


def _flush_file(path: Path) -> None:
    with path.open("r+b") as file:  # Windows flushes only files that are open for writing
        os.fsync(file.fileno())


def _flush_entries(folder: Path) -> None:
    """Flush the names in a folder, where the system can: Windows and some network drives cannot."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _rename(new: Path, path: Path) -> None:
    for pause_s in _PAUSES_S:
        try:
            os.replace(new, path)
        except PermissionError:
            time.sleep(pause_s)
        else:
            return
    os.replace(new, path)
