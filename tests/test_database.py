import errno
import os
import sqlite3
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from grave_cli.database import Database, sqlite_file, sqlite_url
from grave_cli.errors import TrackingError


@pytest.mark.parametrize(
    "name", ["runs/a.db", "/runs/a.db", "/a?b/c%20d/e.db", "/Köln #2 {x}/e.db", "/a@b:c/e.db"]
)
def test_a_file_is_the_same_after_its_url(name: str) -> None:
    url = sqlite_url(Path(name))
    assert make_url(url).database == name
    assert sqlite_file(url) == Path(name)


@pytest.mark.parametrize("url", ["http://a/b.db", "sqlite://", "sqlite+x://a:b:c/d", "C:/a.db"])
def test_other_stores_are_no_files(url: str) -> None:
    assert sqlite_file(url) is None


@pytest.mark.parametrize("answer", ["here", TimeoutError("the driver's own words")])
def test_an_answer_at_the_last_moment_counts(
    answer: str | Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hesitant(Future[str]):
        def result(self, timeout: float | None = None) -> str:
            if timeout is not None:
                self.exception()  # it comes just after the time is over
                raise TimeoutError
            return super().result()

    def ask() -> str:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("grave_cli.database.Future", Hesitant)
    store = Database("postgresql://a/b", "storage", "hpo.storage", 1, ("t",), TrackingError)
    if isinstance(answer, Exception):
        with pytest.raises(TimeoutError, match="own words"):
            store.answer(ask)
    else:
        assert store.answer(ask) == answer


def test_a_full_disk_is_named_as_such(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    store = Database(sqlite_url(file), "tracking store", "tracking.uri", 1, ("t",), TrackingError)
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA max_page_count = 2")
        database.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.OperationalError) as full:
            database.execute("INSERT INTO t VALUES (zeroblob(100000))")
    for error in (full.value, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))):
        assert str(store.fault(error)).endswith("; free some disk space")
