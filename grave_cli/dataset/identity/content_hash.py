"""SHA-256 digests of the files of a data set, cached.

The cache is a JSON file with the digest of each file, its size and its modification time in
nanoseconds. A damaged cache is rebuilt.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from grave_cli.atomic_writes import whole_file
from grave_cli.dataset.identity.sidecars import DatasetFile
from grave_cli.errors import DatasetError, ExportError
from grave_cli.progress import SILENT, Advance, Progress
from grave_cli.remote import Remote, find_remote, is_link, open_bytes, stamp_of

_MEGA = 1e6
_BLOCK = 1 << 20  # bytes per read
_VERSION = 1

_SETTLED_NS = 2_000_000_000
"""A file younger than this (ns) is not cached: it could change again within the same time stamp.

Source: git's "racy" entries, https://git-scm.com/docs/racy-git; FAT keeps even seconds.
"""

Stamp = tuple[int, int]
"""Size in bytes, modification time in nanoseconds."""


@dataclass(frozen=True)
class _Known:
    """A digest, and the size and time of the file when it was computed."""

    stamp: Stamp
    sha256: str


def content_hashes(
    files: Sequence[DatasetFile], cache: Path, progress: Progress = SILENT
) -> list[str]:
    """Hash the bytes of files, or take their digests from the cache.

    Digests are kept even if the work is interrupted. A change that keeps path, size and time to the
    nanosecond is not noticed; delete the cache after such a change.

    Args:
        files: Files to hash.
        cache: JSON file with digests; created when needed, replaced as a whole.
        progress: Progress listener; it counts MB.

    Returns:
        SHA-256 of each file, as 64 hexadecimal digits, in the order of `files`.

    Raises:
        DatasetError: A file cannot be read, or changes while it is being read.
    """
    known = _load(cache)
    new = [file for file in files if not _is_known(file, known)]
    if new:
        known |= _hash_all(new, cache, progress)
    return [known[file.location].sha256 for file in files]


def _stamp(file: DatasetFile) -> Stamp:
    return file.size, file.mtime_ns


def _is_known(file: DatasetFile, known: dict[str, _Known]) -> bool:
    entry = known.get(file.location)
    return entry is not None and entry.stamp == _stamp(file)


def _hash_all(files: Sequence[DatasetFile], cache: Path, progress: Progress) -> dict[str, _Known]:
    fresh: dict[str, _Known] = {}
    try:
        with progress.task("Reading files", sum(f.size for f in files) / _MEGA, "MB") as advance:
            for file in files:
                fresh[file.location] = _Known(_stamp(file), _hash(file, advance))
    finally:
        _remember(fresh, cache, progress)
    return fresh


def _hash(file: DatasetFile, advance: Advance) -> str:
    digest = hashlib.sha256()
    try:
        with _opened(file) as (source, stamp):
            while block := source.read(_BLOCK):
                digest.update(block)
                advance(len(block) / _MEGA)
            now = stamp()
    except OSError as error:
        raise DatasetError(
            "file of the data set cannot be read", where=file.location, found=error.strerror
        ) from None
    if now != _stamp(file):
        raise DatasetError(
            "file changes while it is being read",
            where=file.location,
            remedy="wait until it is complete, then try again",
        )
    return digest.hexdigest()


@contextmanager
def _opened(file: DatasetFile) -> Iterator[tuple[IO[bytes], Callable[[], Stamp]]]:
    """Open the bytes of a file, on this machine or behind a link, and a way to ask its state."""
    if is_link(Path(file.path)):
        remote = find_remote(Path(file.location))
        with open_bytes(remote) as answer:
            yield answer, lambda: _remote_stamp(remote)
        return
    with open(file.location, "rb") as source:
        yield source, lambda: _local_stamp(os.fstat(source.fileno()))


def _remote_stamp(remote: Remote) -> Stamp:
    found = stamp_of(remote)
    return found.size, found.mtime_ns


def _local_stamp(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns


def _load(cache: Path) -> dict[str, _Known]:
    try:
        stored = json.loads(cache.read_text("utf-8", "surrogateescape"))
        if stored["version"] != _VERSION:
            return {}
        return {
            str(place): _Known((int(size), int(mtime_ns)), _digest(sha256))
            for place, (size, mtime_ns, sha256) in stored["files"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}  # missing or damaged: all files are hashed again


def _digest(value: object) -> str:
    if not isinstance(value, str) or len(value) != hashlib.sha256().digest_size * 2:
        raise ValueError
    return value


def _remember(fresh: dict[str, _Known], cache: Path, progress: Progress) -> None:
    """Add digests to the cache as it is by now: another process may have added its own."""
    settled = time.time_ns() - _SETTLED_NS
    # A server that tells no time gives 0.
    fresh = {place: entry for place, entry in fresh.items() if 0 < entry.stamp[1] < settled}
    if not fresh:
        return
    rows = {place: [*entry.stamp, entry.sha256] for place, entry in (_load(cache) | fresh).items()}
    text = json.dumps({"version": _VERSION, "files": rows}, ensure_ascii=False)
    try:
        with whole_file(cache) as new:
            new.write_bytes(text.encode("utf-8", "surrogateescape"))
    except ExportError as error:
        progress.warn(f"hashes cannot be remembered: {error}")
