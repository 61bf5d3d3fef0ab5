"""The Optuna dashboard on this machine."""

import socket
import threading
import webbrowser
from collections.abc import Callable

from grave_cli.errors import TuningError
from grave_cli.settings.tree import Settings
from grave_cli.tuning.storage import open_storage, storage_exists, storage_url

HOST = "127.0.0.1"
_BROWSER_DELAY_S = 1.0


def serve_dashboard(
    settings: Settings, port: int, *, browser: bool, ready: Callable[[str], None]
) -> None:
    """Show the studies of a storage in the browser, until interrupted.

    Args:
        settings: Where the storage is.
        port: Port on 127.0.0.1; the next free one is taken when it is in use.
        browser: Whether to open one.
        ready: Is given the URL before the server starts.

    Raises:
        TuningError: There is no study yet, or the storage cannot be opened.
    """
    from optuna import get_all_study_summaries
    from optuna_dashboard import run_server

    no_study = TuningError(
        "there is no study yet",
        where=storage_url(settings),
        remedy="`gravecli hpo --study pilot --trials 20` makes one",
    )
    if not storage_exists(settings):
        raise no_study
    storage = open_storage(settings)
    if not get_all_study_summaries(storage):
        raise no_study
    port = free_port(port)
    url = f"http://{HOST}:{port}/"
    ready(url)
    if browser:
        threading.Timer(_BROWSER_DELAY_S, webbrowser.open, [url]).start()
    run_server(storage, host=HOST, port=port)


def free_port(first: int) -> int:
    """Find the first port from a number on that nothing listens on.

    Raises:
        TuningError: The next hundred are all in use.
    """
    for port in range(first, min(first + 100, 65536)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise TuningError("no free port", found=f"{first} to {first + 99} are in use")
