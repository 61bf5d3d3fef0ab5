"""A PostgreSQL server of the tests' own, on 127.0.0.1, that is gone after them."""

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ports import unused_port

_DEBIAN = "/usr/lib/postgresql"
_OWNER = "postgres"  # initdb refuses root


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a server while the block runs, and yield its URL, for `database`; skip without one."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    owner = _OWNER if os.geteuid() == 0 else getpass.getuser()
    as_owner: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp(prefix="gravecli-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, owner, owner)
        as_owner = {"user": owner, "group": owner, "extra_groups": []}
    cluster, port = folder / "cluster", unused_port()
    # "C" sorts by bytes and needs no language of the machine; nothing here outlives a crash.
    options = ["-A", "trust", "-E", "UTF8", "--locale", "C", "-U", "gravecli", "--no-sync"]
    try:
        subprocess.run(
            [programs / "initdb", *options, "-D", cluster],
            check=True, capture_output=True, cwd=folder, **as_owner,
        )  # fmt: skip
        command = [programs / "postgres", "-D", cluster, "-p", str(port), "-k", folder]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        server = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **as_owner
        )
        try:
            url = f"postgresql://gravecli@127.0.0.1:{port}"
            _await_answer(f"{url}/postgres", server)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # does not wait for clients to go
            server.wait(30)
    finally:
        shutil.rmtree(folder)


def new_database(server: str, name: str) -> str:
    """Make an empty database and return its URL, as SQLAlchemy takes it."""
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server.replace('postgresql:', 'postgresql+psycopg:')}/{name}"


def _programs() -> Path | None:
    """Find the folder with initdb: Debian keeps it off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    return next((p.parent for p in sorted(Path(_DEBIAN).glob("*/bin/initdb"), reverse=True)), None)


def _await_answer(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "PostgreSQL did not start"
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("PostgreSQL did not answer")
