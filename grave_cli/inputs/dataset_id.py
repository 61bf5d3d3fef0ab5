"""What identifies a data set: a short fingerprint of the files its manifest names."""

import hashlib
import os
from collections.abc import Iterator

from grave_cli.inputs.manifest import Manifest

_DIGITS = 8


def dataset_id(manifest: Manifest) -> str:
    """Fingerprint a data set by its files' relative paths, sizes and modification times.

    The same for any spelling of the folder and after a copy that keeps times (whole seconds).

    Args:
        manifest: The data set.

    Returns:
        Eight hexadecimal digits.
    """
    listing = "\n".join(sorted(_lines(manifest)))
    return hashlib.sha256(listing.encode("utf-8")).hexdigest()[:_DIGITS]


def _lines(manifest: Manifest) -> Iterator[str]:
    for cemetery in manifest.cemeteries:
        for path in cemetery.files:
            status = os.stat(path)
            relative = path.relative_to(manifest.root).as_posix()
            yield f"{relative}\t{status.st_size}\t{int(status.st_mtime)}"
