from pathlib import Path

import pytest
from sqlalchemy import make_url

from grave_cli.database import sqlite_file, sqlite_url


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
