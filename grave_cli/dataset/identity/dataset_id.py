"""The id of a data set: a short fingerprint of the files in its manifest.

The id has eight hexadecimal digits and comes with the list of files that it stands for. There are
two kinds, which never agree with each other:

    by times     from the relative path, size and modification time (whole seconds) of each file.
                 Used by train, hpo and `gravecli dataset-id`. It survives copies that keep times
                 (cp -a, rsync -t, tar) and changes with any touch.
    by content   from the relative path and SHA-256 of each file; `--content`. It also survives
                 copies that lose times (git clone, cp), and notices a change that keeps size and
                 second.

`sidecars.py` decides which files count and how their paths are spelled. A GeoPackage that QGIS has
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
"""The basis of an id."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file in the list behind an id.

    Args:
        path: Relative to the data folder, with `/`, in Unicode's composed form (NFC).
        size: Size in bytes.
        mtime: Modification time, whole seconds since 1970.
        sha256: Hash of its bytes; None if they were not read.
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
        basis: Times or content.
        files: The files, sorted by path.
    """

    id: str
    basis: Basis
    files: tuple[FileRecord, ...]


def dataset_id(manifest: Manifest) -> str:
    """Fingerprint a data set by its files' relative paths, sizes and modification times.

    The id does not depend on the spelling of the folder, and survives copies that keep times.

    Args:
        manifest: The data set.

    Returns:
        Eight hexadecimal digits.

    Raises:
        DatasetError: A file is missing, or a GeoPackage has edits that are not in the file yet.
    """
    return fingerprint(manifest).id


def fingerprint(manifest: Manifest) -> Fingerprint:
    """Fingerprint a data set by paths, sizes and times, with the list of its files.

    Args:
        manifest: The data set.

    Raises:
        DatasetError: A file is missing, or a GeoPackage has edits that are not in the file yet.
    """
    records = tuple(_record(file) for file in dataset_files(manifest))
    return Fingerprint(id_of("times", records), "times", records)


def content_fingerprint(
    manifest: Manifest, cache: Path, progress: Progress = SILENT
) -> Fingerprint:
    """Fingerprint a data set by paths and contents, with the list of its files.

    Args:
        manifest: The data set.
        cache: JSON file that caches hashes, so that only changed files are read.
        progress: Progress listener; it counts MB.

    Raises:
        DatasetError: A file is missing or changes while it is being read, or a GeoPackage has edits
            that are not in the file yet.
    """
    files = dataset_files(manifest)
    hashes = content_hashes(files, cache, progress)
    records = tuple(_record(file, sha256) for file, sha256 in zip(files, hashes, strict=True))
    return Fingerprint(id_of("content", records), "content", records)


def id_of(basis: Basis, records: Iterable[FileRecord]) -> str:
    """Compute the id of a list of files.

    Args:
        basis: Times or content.
        records: The files, in any order.
    """
    if basis == "times":
        return _digest(f"{record.path}\t{record.size}\t{record.mtime}" for record in records)
    return _digest(f"{record.path}\t{record.sha256}" for record in records)


def _record(file: DatasetFile, sha256: str | None = None) -> FileRecord:
    return FileRecord(file.path, file.size, file.mtime_ns // _NANO, sha256)


def _digest(lines: Iterable[str]) -> str:
    listing = "\n".join(sorted(lines))
    return hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
