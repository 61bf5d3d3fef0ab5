"""A database that MLflow or Optuna is about to use: its URL, whether it answers, and its errors.

Both libraries try a server that is down for minutes, and create missing tables without a word. So
each database is asked first, for a bounded time.
"""

import math
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from grave_cli.errors import GraveError, InUseError
from grave_cli.masking import mask, mask_url
from grave_cli.owners.claims import claimed, is_claimed, refuse_claimed

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

T = TypeVar("T")

_SQLITE = "sqlite:///"
# SQLAlchemy decodes these in the path of a URL. MLflow would create the folder of the encoded name,
# unless the URL also names the driver.
_ENCODED = frozenset("%?")
_WITH_DRIVER = "sqlite+pysqlite"
_CREATION_S = 120  # MLflow needs seconds for its tables, on a slow disk many
_TIMEOUTS = {"sqlite": "timeout", "postgresql": "connect_timeout", "mysql": "connect_timeout"}
# Words in a database's answer, and the way out.
_FULL = "free some disk space"
_REMEDIES = {
    "locked": "another program is writing it; try again when it has finished",
    "readonly": "check the permissions of the file and its folder",
    "unable to open": "check the permissions of the file and its folder",
    "not a database": "restore it from a backup, or move it away to begin a new one",
    "No module named": "install the driver, for PostgreSQL by pip install 'gravemapper[postgres]'",
    "No space left": _FULL,
    "disk is full": _FULL,  # as SQLite and PostgreSQL say it
    "quota exceeded": _FULL,
    "malformed": "restore it from a backup, or move it away to begin a new one",
}


def sqlite_url(file: Path) -> str:
    """Return the URL of a SQLite file."""
    path = file.as_posix()
    if _ENCODED.isdisjoint(path):
        return f"{_SQLITE}{path}"
    from sqlalchemy import URL

    return URL.create(_WITH_DRIVER, database=path).render_as_string()


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL; None if it is that of a server or cannot be read."""
    if not url.startswith("sqlite"):
        return None
    if url.startswith(_SQLITE) and _ENCODED.isdisjoint(url):
        return Path(url.removeprefix(_SQLITE))
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        path = make_url(url).database
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        return None
    return Path(path) if path else None


def sqlite_exists(url: str) -> bool:
    """Return whether a SQLite file holds anything; True for servers.

    A process that was killed while it created the file leaves an empty one.
    """
    file = sqlite_file(url)
    return file is None or (file.is_file() and file.stat().st_size > 0)


@dataclass(frozen=True)
class Database:
    """A database as the settings name it.

    Args:
        url: Its URL.
        name: Its name in messages, such as "tracking store".
        setting: Setting with the URL.
        wait_s: Longest wait for its first answer, in seconds.
        tables: Tables that it holds. The first one holds its version and gets its row last.
        error: Class of its errors.
    """

    url: str
    name: str
    setting: str
    wait_s: float
    tables: tuple[str, ...]
    error: type[GraveError]

    def check(self) -> None:
        """Connect once, and look for the tables; a missing or empty SQLite file is fine.

        Raises:
            GraveError: It does not answer in time, is damaged, locked or not readable, lacks
                tables, or the URL cannot be read.
        """
        url = self._parsed()
        if not sqlite_exists(self.url):
            self._check_place()
            return
        try:
            if sqlite_file(self.url) is not None:  # gives up by itself, whatever happens
                missing = self._missing_table(url)
            else:
                missing = self.answer(lambda: self._missing_table(url))
        except GraveError:
            raise
        except Exception as error:  # each driver has classes of its own
            raise self.fault(error) from None
        if missing is not None:
            raise self.error(
                f"{self.name} is damaged: table {missing} is missing",
                where=mask_url(self.url),
                remedy=f"restore it from a backup, or check {self.setting}",
            )

    def check_writable(self) -> None:
        """Write into a SQLite file as a test, and take it back; a missing one is not created.

        Raises:
            GraveError: It is read-only, locked, or its folder cannot be written.
        """
        file = sqlite_file(self.url)
        if file is None:
            return
        if not sqlite_exists(self.url):
            self._check_place()
            return
        try:
            with closing(sqlite3.connect(file, timeout=self.wait_s)) as database:
                database.execute("BEGIN IMMEDIATE")
                (number,) = database.execute("PRAGMA user_version").fetchone()
                database.execute(f"PRAGMA user_version = {number}")
                database.rollback()
        except sqlite3.Error as error:
            raise self.fault(error) from None

    def answer(self, ask: Callable[[], T]) -> T:
        """Call a function that may block, for at most the time that the settings allow.

        Raises:
            GraveError: It took longer. Its thread goes on but keeps no process alive.
        """
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(ask())
            except BaseException as error:  # handed over to the caller
                result.set_exception(error)

        Thread(target=run, daemon=True).start()
        try:
            # A driver's own message, at about the same time, says more.
            return result.result(self.wait_s + 0.5)
        except TimeoutError as error:
            if result.done():  # it timed out by itself, or came a moment later
                return result.result()
            raise self.no_answer() from error

    def no_answer(self) -> GraveError:
        """Return the error of a server that stays silent."""
        return self.error(
            f"{self.name} does not answer",
            where=mask_url(self.url),
            found=f"nothing within {self.wait_s:g} s",
            remedy=f"start it, or check {self.setting}",
        )

    def fault(self, error: Exception) -> GraveError:
        """Say in one line, without secrets, why the database cannot be used."""
        reason = self.masked(cause_of(error))
        known = (remedy for words, remedy in _REMEDIES.items() if words in reason)
        return self.error(
            f"{self.name} cannot be used: {reason}",
            where=mask_url(self.url),
            remedy=next(known, f"check {self.setting}"),
        )

    def masked(self, text: str) -> str:
        """Hide the secrets of the URL in a text."""
        return mask(text, self.url)

    @contextmanager
    def created_once(self) -> Iterator[None]:
        """Let other processes of this machine wait while the block creates a SQLite file.

        Raises:
            GraveError: The folder cannot be written.
            InUseError: A process of another machine uses the file.
        """
        file = sqlite_file(self.url)
        if file is None:
            yield
            return
        with self._one_machine():
            refuse_claimed(file, with_neighbours=True)
        creation = file.with_name(f"{file.name}.creating")
        if sqlite_exists(self.url) and not is_claimed(creation):
            yield
            return
        with ExitStack() as stack:
            try:
                stack.enter_context(claimed(creation, _CREATION_S))
            except OSError as error:
                raise self.fault(error) from None
            yield

    @contextmanager
    def on_one_machine(self) -> Iterator[None]:
        """Keep other machines from opening a SQLite file while the block runs.

        Its locks, and its write-ahead log in shared memory, are those of one machine.
        Source: https://sqlite.org/useovernet.html

        Raises:
            InUseError: A process of another machine uses it.
        """
        file = sqlite_file(self.url)
        with ExitStack() as stack:
            with suppress(OSError), self._one_machine():  # in a folder that cannot be written
                if file is not None:
                    stack.enter_context(claimed(file, with_neighbours=True))
            yield

    @contextmanager
    def _one_machine(self) -> Iterator[None]:
        try:
            yield
        except InUseError as error:
            raise error.with_news(f"several machines need a server ({self.setting})") from None

    def _check_place(self) -> None:
        """Refuse a place where no file can be made, which MLflow would try for minutes."""
        file = sqlite_file(self.url)
        if file is None:
            return
        there = next(path for path in (file, *file.absolute().parents) if os.path.exists(path))
        if not (os.path.isfile(there) if there == file else os.path.isdir(there)):
            reason = "not a file" if there == file else "not a folder"
        elif not os.access(there, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            reason = "it may not be written"
        else:
            return
        raise self.error(
            f"{self.name} cannot be created: {reason}",
            where=there,
            remedy=f"choose another work_dir, or check {self.setting}",
        )

    def _parsed(self) -> "URL":
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            return make_url(self.url)
        except (ArgumentError, ValueError):  # their messages quote parts of an unquoted password
            raise self.error(
                f"{self.setting} cannot be read",
                where=mask_url(self.url),
                expected="a URL such as postgresql+psycopg://host:5432/runs",
                remedy="write @ / : ? % in the password as %40 %2F %3A %3F %25",
            ) from None

    def _missing_table(self, url: "URL") -> str | None:
        """Return a table that is missing although the database has a version."""
        from sqlalchemy import create_engine, inspect
        from sqlalchemy.pool import NullPool

        engine = create_engine(url, poolclass=NullPool, connect_args=self._timeout(url))
        with engine.connect() as connection:
            found = set(inspect(connection).get_table_names())
            version, *others = self.tables
            if version not in found or not _has_rows(connection, version):
                return None
            return next((table for table in others if table not in found), None)

    def _timeout(self, url: "URL") -> Mapping[str, Any]:
        """Let the driver give up by itself, so that its thread ends."""
        option = _TIMEOUTS.get(url.get_backend_name())
        return {} if option is None or option in url.query else {option: math.ceil(self.wait_s)}


def cause_of(error: BaseException) -> str:
    """Return the first line of a database's answer, which libraries wrap in their own words."""
    seen: BaseException | None = error
    while seen is not None:
        answer = getattr(seen, "orig", None)  # SQLAlchemy keeps the driver's error there
        if answer is not None:
            return _first_line(answer)
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _has_rows(connection: "Connection", table: str) -> bool:
    from sqlalchemy import text

    return connection.execute(text(f"SELECT 1 FROM {table}")).first() is not None
