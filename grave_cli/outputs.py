"""Files that a command writes: checked before the work, and never replaced without a word.

One rule holds for all commands. An existing file is replaced if it is empty, or if gravecli wrote
it from the same source and nobody has changed it since. Every other file needs `--overwrite`. A
file that the command reads is never replaced.
"""

import hashlib
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from grave_cli.errors import ExportError, RasterReadError
from grave_cli.owners.claims import PATIENCE_S, claimed
from grave_cli.owners.leftovers import kept_folder, sweep
from grave_cli.remote import fingerprint_of, is_link

_SAMPLES = 16
_SAMPLE_BYTES = 1 << 16
_REMEDY = "choose another name, or replace the file with --overwrite"

FOREIGN = "was not written by gravecli"
"""Why a file is kept that holds no seal of gravecli."""


@dataclass(frozen=True)
class Output:
    """A file that a command is about to write.

    Args:
        option: The option that names it, for messages.
        path: The file.
        content: Its format in words ("a GeoPackage").
        endings: Allowed file name endings, in lower case.
        why_keep: Returns why an existing file must not be replaced, as the end of the sentence "the
            file exists and …"; None if it may be replaced.
        refuse_in_use: Raises ExportError if the file cannot be replaced now, not even on request.
    """

    option: str
    path: Path
    content: str
    endings: tuple[str, ...]
    why_keep: Callable[[Path], str | None]
    refuse_in_use: Callable[[Path], None] | None = None


def check_outputs(
    outputs: Iterable[Output], inputs: Mapping[str, Path | None], *, overwrite: bool
) -> None:
    """Check that files can be written and that nothing is lost by it; nothing is left behind.

    Args:
        outputs: The files to write.
        inputs: The files that the command reads, by name in words; None for one not given.
        overwrite: Replace files that the rule would keep.

    Raises:
        ExportError: A file has the wrong ending, is an input or another output, cannot be written,
            is in use, or would be lost.
    """
    taken = {name: path for name, path in inputs.items() if path is not None}
    for output in outputs:
        try:
            _check_place(output, taken)
            if output.refuse_in_use is not None:
                output.refuse_in_use(output.path)
            if not overwrite:
                _refuse_loss(output)
        except OSError as error:
            raise ExportError(
                f"cannot be written: {error.strerror or error}", where=output.path
            ) from None
        taken[output.option] = output.path


@contextmanager
def checked_outputs(
    outputs: Sequence[Output], inputs: Mapping[str, Path | None], *, overwrite: bool
) -> Iterator[None]:
    """Check files as `check_outputs` does, and make them alone while the block runs.

    They are checked again once no other process makes them: it may have finished one just now.

    Raises:
        ExportError: See `check_outputs`.
        InUseError: Another process makes one of them.
    """
    check_outputs(outputs, inputs, overwrite=overwrite)
    with written_alone(*(output.path for output in outputs)):
        check_outputs(outputs, inputs, overwrite=overwrite)
        yield


@contextmanager
def written_alone(
    *paths: Path, wait_s: float = PATIENCE_S, on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Keep other processes from making the same files while the block makes them.

    Args:
        paths: The files.
        wait_s: Longest wait for another process, in seconds.
        on_wait: Called if another process makes one of them.

    Raises:
        ExportError: A folder cannot be written.
        InUseError: Another process makes one of them.
    """
    with ExitStack() as stack:
        for path in sorted(set(paths)):  # in one order, so that no two wait for each other
            try:
                stack.enter_context(claimed(path, wait_s, on_wait))
            except OSError as error:
                raise ExportError(
                    f"cannot be written: {error.strerror or error}", where=path
                ) from None
        yield


def seal(*parts: str | bytes) -> str:
    """Fingerprint the content of an output, so that gravecli knows its own unchanged file again."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(b"%d:" % len(raw))
        digest.update(raw)
    return digest.hexdigest()


def source_of(path: Path) -> str:
    """Fingerprint an input by its size and samples of its bytes; it may be moved or renamed.

    Args:
        path: The file, however large.

    Returns:
        16 hexadecimal digits; empty if it is not a regular file that can be read, or a link to a
        raster on a server that does not answer.
    """
    if is_link(path):
        with suppress(RasterReadError):
            return fingerprint_of(path)
        return ""
    with suppress(OSError):
        if path.is_file():
            size = path.stat().st_size
            last = max(size - _SAMPLE_BYTES, _SAMPLE_BYTES * (_SAMPLES - 1))
            with path.open("rb", buffering=0) as file:
                offsets = (last * index // (_SAMPLES - 1) for index in range(_SAMPLES))
                samples = [_read_at(file, offset) for offset in offsets]
            return seal(str(size), *samples)[:16]
    return ""


def is_same_file(one: Path, other: Path) -> bool:
    """Tell whether two paths lead to one file, whatever their spelling.

    Spellings that differ in case alone count as one file: on some systems they are.
    """
    with suppress(OSError):
        if os.path.samefile(one, other):
            return True
    return _folded(one) == _folded(other)


def free_name(path: Path) -> Path:
    """Return an unused name beside a file: `map-2.gpkg` for `map.gpkg`."""
    number = 2
    while (free := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
        number += 1
    return free


def _read_at(file: FileIO, offset: int) -> bytes:
    file.seek(offset)
    return file.read(_SAMPLE_BYTES)


def _folded(path: Path) -> str:
    return unicodedata.normalize("NFC", os.path.realpath(path)).casefold()


def _check_place(output: Output, taken: Mapping[str, Path]) -> None:
    path = output.path
    with suppress(FileNotFoundError, NotADirectoryError):
        path.stat()  # fails on a name that is too long and on links that go in a circle
    if path.is_dir():
        raise ExportError(
            "path is a folder",
            where=path,
            expected=f"the name of a file, such as {path / f'map{output.endings[0]}'}",
        )
    if path.suffix.lower() not in output.endings:
        raise ExportError(
            f"{output.option} writes {output.content}",
            where=path,
            found=path.suffix or "no ending",
            expected=f"a name that ends in {' or '.join(output.endings)}",
        )
    for name, other in taken.items():
        if is_same_file(path, other):
            raise ExportError(
                f"{output.option} and {name} are the same file",
                where=path,
                remedy=f"choose another name for {output.option}",
            )
    if path.exists() and not path.is_file():
        raise ExportError("cannot be written: not a regular file", where=path)
    if path.exists() and not os.access(path, os.W_OK):
        raise ExportError("file is write-protected", where=path, remedy="choose another name")
    _try_to_write(Path(os.path.realpath(path)))


def _try_to_write(path: Path) -> None:
    """Create an empty file beside a place, with its folders, and remove it and older left-overs."""
    new_folders = [folder for folder in path.parents if not folder.exists()]
    above = path.parents[len(new_folders)]
    if not above.is_dir():
        raise NotADirectoryError(0, f"{above} is not a folder")
    try:
        with kept_folder(path.parent):
            sweep(path.parent)
    finally:
        for folder in new_folders:
            with suppress(OSError):
                folder.rmdir()


def _refuse_loss(output: Output) -> None:
    path = output.path
    if not path.exists() or not path.stat().st_size:
        return
    reason = output.why_keep(path)
    if reason is not None:
        raise ExportError(f"file exists and {reason}", where=path, remedy=_REMEDY)
