"""What identifies a data set: a short fingerprint of the files its manifest names.

In: a manifest. Out: eight hexadecimal digits, and the list of files they stand for.

There are two ids, which never agree with each other:

    by times     relative path, size and modification time (whole seconds) of each file; what train,
                 hpo and `gravecli dataset-id` use. Survives copies that keep times (cp -a, rsync
                 -t, tar); any touch changes it.
    by content   relative path and SHA-256 of each file; `--content`. Survives lost times, too
                 (git clone, cp), and sees what a same-size change within a second hides.

Which files count, and how they are spelled, is decided in `sidecars.py`. A GeoPackage that QGIS
opened and closed has other bytes and times: that is a change.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grave_cli.dataset.identity.content_hash import content_hashes
from grave_cli.dataset.identity.sidecars import DatasetFile, dataset_files
from grave_cli.dataset.manifest import Manifest
from grave_cli.progress import SILENT, Progress

_DIGITS = 8
_NANO = 1_000_000_000

Basis = Literal["times", "content"]
"""What an id is made from."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What is remembered of one file.

    Args:
        path: Relative to the data folder, with `/`, in Unicode's composed form (NFC).
        size: Bytes.
        mtime: Modification time, whole seconds since 1970.
        sha256: Hash of its bytes; None when they were not read.
    """

    path: str
    size: int
    mtime: int
    sha256: str | None = None


@dataclass(frozen=True)
class Fingerprint:
    """A data set's id and the list of files it stands for.

    Args:
        id: Eight hexadecimal digits.
        basis: What they were made from.
        files: The files, sorted by path.
    """

    id: str
    basis: Basis
    files: tuple[FileRecord, ...]


def dataset_id(manifest: Manifest) -> str:
    """Fingerprint a data set by its files' relative paths, sizes and modification times.

    The same for any spelling of the folder and after a copy that keeps times (whole seconds).

    Args:
        manifest: The data set.

    Returns:
        Eight hexadecimal digits.

    Raises:
        DatasetError: A file is gone, or a GeoPackage has edits that are not in the file yet.
    """
    return fingerprint(manifest).id


def fingerprint(manifest: Manifest) -> Fingerprint:
    """Fingerprint a data set by paths, sizes and times, and keep the list.

    Args:
        manifest: The data set.

    Raises:
        DatasetError: A file is gone, or a GeoPackage has edits that are not in the file yet.
    """
    records = tuple(_record(file) for file in dataset_files(manifest))
    lines = (f"{record.path}\t{record.size}\t{record.mtime}" for record in records)
    return Fingerprint(_digest(lines), "times", records)


def content_fingerprint(
    manifest: Manifest, cache: Path, progress: Progress = SILENT
) -> Fingerprint:
    """Fingerprint a data set by paths and the bytes of its files, and keep the list.

    Args:
        manifest: The data set.
        cache: JSON file that remembers hashes, so that only new bytes are read.
        progress: Is told of the reading, in MB.

    Raises:
        DatasetError: A file is gone or changes while it is read, or a GeoPackage has edits that
            are not in the file yet.
    """
    files = dataset_files(manifest)
    hashes = content_hashes(files, cache, progress)
    records = tuple(_record(file, sha256) for file, sha256 in zip(files, hashes, strict=True))
    lines = (f"{record.path}\t{record.sha256}" for record in records)
    return Fingerprint(_digest(lines), "content", records)


def _record(file: DatasetFile, sha256: str | None = None) -> FileRecord:
    return FileRecord(file.path, file.size, file.mtime_ns // _NANO, sha256)


def _digest(lines: Iterable[str]) -> str:
    listing = "\n".join(sorted(lines))
    return hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
