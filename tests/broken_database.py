"""Ways in which a SQLite file is broken, each with words of the refusal."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

Break = Callable[[Path], None]


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        for statement in statements:
            database.execute(statement)


def garbled(file: Path) -> None:
    """Damage everything behind the first pages."""
    content = file.read_bytes()
    file.write_bytes(content[: 3 * 4096] + bytes(range(256)) * ((len(content) >> 8) - 48))


BROKEN: dict[str, tuple[Break, str]] = {
    "web page": (lambda file: file.write_text("<html>" * 999), "file is not a database; restore"),
    "cut off": (lambda file: os.truncate(file, 40_000), "malformed; restore it from a backup"),
    "garbled": (garbled, "malformed; restore it from a backup"),
}


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock that keeps others from reading."""
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield
