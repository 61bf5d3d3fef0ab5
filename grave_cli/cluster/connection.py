"""An address in, a connection to a Ray cluster for the time of a block out."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from grave_cli.errors import SettingsError

LOCAL = "local"
"""The address of a cluster that is started on this computer and ends with the command."""

_HERE = "auto"
_ANSWER_S = 10.0


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Connect this process to a Ray cluster while the block runs.

    Args:
        address: HOST:PORT of the head node, `auto` for the cluster of this computer, or `local` to
            start one here.

    Raises:
        SettingsError: Ray is not installed, the address has no cluster, or the cluster has another
            version of Ray or Python.
    """
    check_cluster(address)
    import ray

    # A thread of Ray prints the messages of nodes to stdout, which belongs to the results.
    with redirect_stdout(sys.stderr):
        _connect(address)
        try:
            yield
        finally:
            with _sigterm_kept():
                ray.shutdown()


def _connect(address: str) -> None:
    import ray

    try:
        with _sigterm_kept():
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=False if address == LOCAL else None,
            )
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise _unusable(address, str(error).strip().splitlines()[0]) from None


def check_cluster(address: str) -> None:
    """Check, before any work, that there is Ray, and that something answers at an address.

    Raises:
        SettingsError: It is not so.
    """
    if address not in (LOCAL, _HERE):
        _check_answer(address)
    # Ray reads these when it is imported. It reports its use over the internet by default.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # The behaviour of future releases, and without the warning that announces it.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray  # noqa: F401
    except ImportError:
        raise SettingsError(
            "--ray needs Ray", remedy="pip install 'gravemapper[cluster]'"
        ) from None


def _check_answer(address: str) -> None:
    """Try the port of a head node: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise _unusable(address, "an address of another kind")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
    except OSError as error:
        raise _unusable(address, f"no answer ({error.strerror or error})") from None


def _unusable(address: str, found: str) -> SettingsError:
    return SettingsError(
        "Ray cluster cannot be used",
        where=f"--ray {address}",
        found=found,
        expected="HOST:PORT of its head node, auto, or local",
        remedy="run gravecli on a computer of the cluster, where `ray status` shows it",
    )


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Restore the handler of SIGTERM, which Ray replaces."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)
