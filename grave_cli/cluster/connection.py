"""An address in, a connection to a Ray cluster for the time of a block out."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from grave_cli.errors import SettingsError

LOCAL = "local"
"""The address of a cluster that is started on this computer and ends with the command."""

_CLIENT = "ray://"
_OPTION = "--ray"


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
    _prepare(address)
    try:
        import ray
    except ImportError:
        raise SettingsError(
            f"{_OPTION} needs Ray", remedy="pip install 'gravemapper[cluster]'"
        ) from None
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
        raise SettingsError(
            "Ray cluster cannot be used",
            where=f"{_OPTION} {address}",
            found=str(error).strip().splitlines()[0],
            expected="HOST:PORT of the head node, auto, or local",
            remedy="check it with `ray status` on a computer of the cluster",
        ) from None


def _prepare(address: str) -> None:
    """Refuse addresses of another kind, and switch Ray's telemetry off before its import."""
    if not address.strip() or address.startswith(_CLIENT):
        raise SettingsError(
            f"{_OPTION} cannot be used with this address",
            found=address or "an empty address",
            expected="HOST:PORT of the head node, auto, or local",
            remedy="run gravecli on a computer of the cluster",
        )
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # The behaviour of future releases, and without the warning that announces it.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")


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
