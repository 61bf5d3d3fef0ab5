"""MLflow's pages on this machine, in a child process that ends with the block that opens it.

It also ends when this process is killed.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import IO

import psutil

from grave_cli.errors import TrackingError
from grave_cli.masking import mask
from grave_cli.settings.tree import Settings
from grave_cli.tracking.run_files import record_locations
from grave_cli.tracking.store import (
    artifact_root,
    is_server,
    open_client,
    silence_mlflow,
    tracking_uri,
)
from grave_cli.tracking.unfinished import settle

HOST = "127.0.0.1"
_START_S = 120  # the server imports MLflow twice, and creates the tables of a new database
_STOP_S = 10


@contextmanager
def mlflow_pages(settings: Settings, first_port: int) -> Iterator[str]:
    """Serve the pages of the tracking store while the block runs.

    If the store is an MLflow server, it has its own pages and nothing is started.

    Args:
        settings: Tracking store; a missing SQLite file is created.
        first_port: Port on 127.0.0.1; if it is in use, the next free one.

    Yields:
        URL of the pages.

    Raises:
        TrackingError: The store cannot be opened, or the server does not start.
    """
    if is_server(settings):
        yield f"{settings.tracking.uri.rstrip('/')}/"
        return
    settle(open_client(settings), settings)
    record_locations(settings)
    options = ["--no-serve-artifacts", "--default-artifact-root", artifact_root(settings)]
    # Not an option: everybody on this machine sees the command lines of its processes.
    store = {"MLFLOW_BACKEND_STORE_URI": tracking_uri(settings)}
    with mlflow_server(options, free_port(first_port), store) as url:
        yield url


@contextmanager
def mlflow_server(
    arguments: Sequence[str], port: int, environ: Mapping[str, str] = MappingProxyType({})
) -> Iterator[str]:
    """Run `mlflow server` while the block runs, then end it and its children.

    Args:
        arguments: Options of `mlflow server` for its stores.
        port: Free port on 127.0.0.1.
        environ: Variables for the server, in addition to those of this process.

    Yields:
        URL of the server, once it answers.

    Raises:
        TrackingError: The server does not start.
    """
    silence_mlflow()
    command = [sys.executable, "-m", "grave_cli.tracking.served", "server", *arguments]
    command += ["--host", HOST, "--port", str(port), "--workers", "1"]
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # closes when this process ends, also by SIGKILL
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,  # Ctrl-C reaches only this process, which then ends the child
        )
        try:
            url = f"http://{HOST}:{port}/"
            _await_answer(child, url, log)
            yield url
        finally:
            _end(child)


def free_port(first: int, host: str = HOST) -> int:
    """Find the first free port from a number on.

    Args:
        first: First number to try.
        host: Address of this machine to listen on.

    Raises:
        TrackingError: A hundred ports in a row are in use.
    """
    for port in range(first, min(first + 100, 65536)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise TrackingError("no free port", found=f"{first} to {first + 99} are in use")


def _await_answer(child: subprocess.Popen[bytes], url: str, log: IO[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while child.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    log.seek(0)
    said = log.read().decode(errors="replace").strip().splitlines()
    reason = mask(said[-1]) if said else "no output"
    raise TrackingError(f"MLflow's server did not start: {reason}")


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a process and all of its children, by force if necessary."""
    family = [psutil.Process(child.pid)] if child.poll() is None else []
    family += [one for parent in family for one in parent.children(recursive=True)]
    for send in (psutil.Process.terminate, psutil.Process.kill):
        for process in family:
            with suppress(psutil.NoSuchProcess):
                send(process)
        _, family = psutil.wait_procs(family, _STOP_S)
    child.wait()
    if child.stdin is not None:
        child.stdin.close()
