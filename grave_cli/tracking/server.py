"""MLflow's pages on this machine, in a child process that ends with the block that opens it.

It also ends when this process is killed.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import IO
from urllib.request import ProxyHandler, build_opener

import psutil

from grave_cli.errors import TrackingError
from grave_cli.masking import mask
from grave_cli.settings.tree import Settings
from grave_cli.tracking.addresses import HOST, free_port, own_hosts
from grave_cli.tracking.pages_app import START
from grave_cli.tracking.run_files import record_locations
from grave_cli.tracking.store import (
    artifact_root,
    experiment_id,
    is_server,
    one_machine,
    open_client,
    silence_mlflow,
    tracking_uri,
)
from grave_cli.tracking.unfinished import settle

# MLflow's pages start with what they offer for language models, whatever the kind of an experiment.
_FOR_TRAININGS = "workflowType=machine_learning"
_START_S = 120  # the server imports MLflow twice, and creates the tables of a new database
_STOP_S = 10
_OWN_ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    # Whoever opens a server of their own to others by these does not mean this one.
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",
    "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "",
}


@contextmanager
def mlflow_pages(settings: Settings, first_port: int) -> Iterator[str]:
    """Serve the pages of the tracking store while the block runs.

    If the store is an MLflow server, it has its own pages and nothing is started.

    Args:
        settings: Tracking store; a missing SQLite file is created.
        first_port: Port on 127.0.0.1; if it is in use, the next free one.

    Yields:
        URL of the list of runs; on an MLflow server, of the list of experiments.

    Raises:
        TrackingError: The store cannot be opened, or the server does not start.
    """
    if is_server(settings):
        yield f"{settings.tracking.uri.rstrip('/')}/#/experiments?{_FOR_TRAININGS}"
        return
    with one_machine(settings), _pages_of_database(settings, first_port) as url:
        yield url


@contextmanager
def _pages_of_database(settings: Settings, first_port: int) -> Iterator[str]:
    client = open_client(settings)
    settle(client, settings)
    experiment = experiment_id(client, settings)
    record_locations(settings)
    options = ["--no-serve-artifacts", "--default-artifact-root", artifact_root(settings)]
    options += ["--app-name", "gravecli"]
    # Not an option: everybody on this machine sees the command lines of its processes.
    store = {"MLFLOW_BACKEND_STORE_URI": tracking_uri(settings)}
    with mlflow_server(options, free_port(first_port), store) as url:
        yield f"{url}{START}#/experiments/{experiment}/runs"


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
    command += ["--allowed-hosts", ",".join(sorted(own_hosts(HOST, port)))]
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # closes when this process ends, also by SIGKILL
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environ, **_OWN_ENVIRONMENT},
            start_new_session=True,  # Ctrl-C reaches only this process, which then ends the child
        )
        try:
            url = f"http://{HOST}:{port}/"
            _await_answer(child, port, log)
            yield url
        finally:
            _end(child)


def _await_answer(child: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    direct = build_opener(ProxyHandler({}))  # no proxy leads to this machine itself
    deadline = time.monotonic() + _START_S
    while child.poll() is None and time.monotonic() < deadline:
        if _listens(child, port):
            with suppress(OSError):
                direct.open(f"http://{HOST}:{port}/health", timeout=5).close()
                return
        time.sleep(0.1)
    if child.poll() is not None and free_port(port) != port:
        raise TrackingError(
            "MLflow's server did not start",
            found=f"port {port} has just been taken by another program",
            remedy="try again",
        )
    log.seek(0)
    said = log.read().decode(errors="replace").strip().splitlines()
    reason = mask(said[-1]) if said else "no output"
    raise TrackingError(f"MLflow's server did not start: {reason}")


def _listens(child: subprocess.Popen[bytes], port: int) -> bool:
    """Tell whether a child listens on a port: another server may have taken it meanwhile."""
    try:
        parent = psutil.Process(child.pid)
        family = [parent, *parent.children(recursive=True)]
        sockets = [one for process in family for one in process.net_connections("tcp")]
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it cannot be known
        return True
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets)


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
