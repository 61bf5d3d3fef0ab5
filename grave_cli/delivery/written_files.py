"""A memory of written files, for formats that cannot hold a seal.

A note in the work folder, named by the fingerprint of a file's bytes, says from which orthophoto
gravecli wrote it. A file that was changed has no note, and a lost note only means that the file is
kept.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from grave_cli.atomic_writes import whole_file
from grave_cli.outputs import seal


def remember_files(notes: Path, parts: Sequence[Path], source: str) -> None:
    """Note that gravecli has written a file.

    Args:
        notes: Folder of the notes.
        parts: The parts of the file.
        source: `outputs.source_of` the orthophoto.
    """
    with whole_file(notes / _name(parts)) as new:
        new.write_text(source, "ascii")


def why_keep_files(path: Path, notes: Path, parts: Sequence[Path], source: str) -> str | None:
    """Return why an existing file must not be replaced; None if nothing is lost by it.

    Args:
        path: The file, or one of its parts.
        notes: Folder of the notes.
        parts: All parts of the file.
        source: `outputs.source_of` the orthophoto of the new map.
    """
    with suppress(OSError):
        note = notes / _name(parts)
        if path in parts and note.is_file():
            if source and note.read_text("ascii", "replace") == source:
                return None
            return "is the map of another orthophoto"
    return "was changed since gravecli wrote it, or was not written by gravecli"


def _name(parts: Sequence[Path]) -> str:
    return seal(*(part.read_bytes() for part in parts))[:32]
