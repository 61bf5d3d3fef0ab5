"""The list of files behind a dataset id: written as JSON, and compared with an older list."""

import json
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from grave_cli.atomic_writes import whole_file
from grave_cli.dataset.identity.dataset_id import Basis, FileRecord, Fingerprint, id_of
from grave_cli.errors import DatasetError
from grave_cli.outputs import FOREIGN, Output

_BASES: dict[str, Basis] = {"times": "times", "content": "content"}

ChangeKind = Literal["added", "removed", "renamed", "changed", "touched only"]


@dataclass(frozen=True)
class Change:
    """A change of one file.

    Args:
        kind: Kind of change.
        path: The file's path; the old path if it was renamed.
        detail: Its old and new state in words; the new path if it was renamed.
    """

    kind: ChangeKind
    path: str
    detail: str = ""

    def __str__(self) -> str:
        """Write the change as one line."""
        if self.kind == "renamed":
            return f"renamed: {self.path} -> {self.detail}"
        return f"{self.kind}: {self.path}" + (f" ({self.detail})" if self.detail else "")


def list_output(path: Path, new: Fingerprint | None = None) -> Output:
    """Describe a list of files as an output.

    Args:
        path: The JSON file.
        new: The list to be written; None if it is not known yet, or the older one has been shown.
    """
    return Output("--manifest", path, "a JSON list", (".json",), partial(why_keep_list, new=new))


def why_keep_list(path: Path, new: Fingerprint | None) -> str | None:
    """Return why an existing list must not be replaced; None if nothing is lost by it.

    A list of earlier data is kept, because it is the only record of later changes.

    Args:
        path: The list.
        new: The list to be written; None to ask only whether gravecli wrote this one.
    """
    try:
        old = read_list(path)
    except DatasetError:
        return FOREIGN
    if old.id != id_of(old.basis, old.files):
        return "was changed since gravecli wrote it"
    if new is not None and old.id != new.id:
        return f"lists other files (data set {old.id}, not {new.id})"
    return None


def write_list(found: Fingerprint, path: Path) -> None:
    """Write the files of a data set as JSON: id, basis, and each file's path, size, mtime, sha256.

    Args:
        found: The fingerprint; sha256 is omitted where the bytes were not read.
        path: The JSON file; an existing one is replaced.

    Raises:
        ExportError: It cannot be written; an existing file is untouched.
    """
    text = json.dumps(_as_json(found), indent=1, ensure_ascii=False) + "\n"
    with whole_file(path) as new:
        new.write_bytes(text.encode("utf-8", "surrogateescape"))


def read_list(path: Path) -> Fingerprint:
    """Read a list that `write_list` wrote.

    Args:
        path: The JSON file.

    Raises:
        DatasetError: It is missing, or is not such a list.
    """
    try:
        stored = json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
        files = tuple(_checked(FileRecord(**row)) for row in stored["files"])
        return Fingerprint(str(stored["id"]), _BASES[stored["basis"]], files)
    except OSError as error:
        raise DatasetError("list cannot be read", where=path, found=error.strerror) from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise DatasetError(
            "not a list of files",
            where=path,
            expected="a file from `gravecli dataset-id DATA --manifest FILE`",
        ) from None


def compare(old: Fingerprint, new: Fingerprint) -> tuple[Change, ...]:
    """List the changes of a data set since an older list was written.

    A removed and an added file are one renamed file if their hashes agree, or their sizes and times
    if a list has no hashes. "Touched only" needs hashes in both lists.

    Args:
        old: The older list.
        new: The data set now.

    Returns:
        The changes, sorted by path; none if both have the same files.
    """
    unchanged = set(old.files) & set(new.files)
    gone = {file.path: file for file in old.files if file not in unchanged}
    came = {file.path: file for file in new.files if file not in unchanged}
    both = [(gone.pop(path), came.pop(path)) for path in gone.keys() & came.keys()]
    renamed = list(_pair(gone, came))
    changes = [
        *(Change("added", path, _amount(file)) for path, file in came.items()),
        *(Change("removed", path, _amount(file)) for path, file in gone.items()),
        *(Change("renamed", before.path, after.path) for before, after in renamed),
        *(change for before, after in both if (change := _change(before, after))),
    ]
    return tuple(sorted(changes, key=lambda change: (change.path, change.kind)))


def _as_json(found: Fingerprint) -> dict[str, Any]:
    files = [
        {key: value for key, value in asdict(file).items() if value is not None}
        for file in found.files
    ]
    return {"id": found.id, "basis": found.basis, "files": files}


def _checked(file: FileRecord) -> FileRecord:
    kinds = ((file.path, str), (file.size, int), (file.mtime, int), (file.sha256 or "", str))
    if not all(isinstance(value, kind) for value, kind in kinds):
        raise TypeError
    return file


def _pair(
    gone: dict[str, FileRecord], came: dict[str, FileRecord]
) -> Iterator[tuple[FileRecord, FileRecord]]:
    """Take the renamed files out of the removed and the added ones."""
    hashed = all(file.sha256 for file in (*gone.values(), *came.values()))
    key: Callable[[FileRecord], Hashable] = _content if hashed else _size_and_time
    waiting: dict[Hashable, list[str]] = {}
    for path in sorted(came, reverse=True):
        waiting.setdefault(key(came[path]), []).append(path)
    for path in sorted(gone):
        if candidates := waiting.get(key(gone[path])):
            yield gone.pop(path), came.pop(candidates.pop())


def _content(file: FileRecord) -> Hashable:
    return file.sha256


def _size_and_time(file: FileRecord) -> Hashable:
    return file.size, file.mtime


def _change(before: FileRecord, after: FileRecord) -> Change | None:
    """Describe how a file has changed; None if only a hash has been added."""
    hashed = before.sha256 is not None and after.sha256 is not None
    if hashed and before.sha256 == after.sha256:
        return Change("touched only", after.path, _times(before, after))
    if before.size != after.size:
        return Change("changed", after.path, f"{_amount(after)}, was {_amount(before)}")
    if before.mtime != after.mtime:
        doubt = "" if hashed else ", perhaps touched only (compare lists with hashes to find out)"
        return Change("changed", after.path, f"same size{doubt}; {_times(before, after)}")
    return Change("changed", after.path, "same size, same time") if hashed else None


def _times(before: FileRecord, after: FileRecord) -> str:
    now, then = (
        datetime.fromtimestamp(file.mtime, UTC).strftime("%Y-%m-%d %H:%M:%S")
        for file in (after, before)
    )
    return f"time {now} UTC, was {then}"


def _amount(file: FileRecord) -> str:
    return f"{file.size:,} byte{'' if file.size == 1 else 's'}"


def in_words(old: Fingerprint, new: Fingerprint) -> Iterable[str]:
    """Describe the changes since an older list, one line each.

    Args:
        old: The older list.
        new: The data set now.
    """
    changes = compare(old, new)
    if old.basis == new.basis:
        yield f"data set {old.id} is now {new.id}" if old.id != new.id else f"still {new.id}"
    else:
        yield f"the old id {old.id} is by {old.basis}, {new.id} by {new.basis}: not comparable"
    yield from map(str, changes) if changes else ("nothing changed",)
