"""`gravecli dashboard`."""

import signal
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.settings.tree import Settings

_BROWSER_DELAY_S = 1.0
_BESIDE = 1000  # from the port of the studies to that of the runs


def dashboard(
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Show the runs in MLflow, too.")] = False,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Optuna storage; default: runs/optuna.db.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=64000, help="Port; the next free one if taken.")
    ] = 8080,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser.")] = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    verbose: options.Verbose = False,
) -> None:
    """Look at studies and runs in the browser, on 127.0.0.1, until Ctrl-C."""
    from grave_cli.cli.console import set_up_logging

    set_up_logging(verbose)
    settings = options.load(config, assignments, {"hpo.storage": storage}).settings
    # A child process must not outlive us: SIGTERM ends like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        _serve(settings, port, mlflow, not no_browser)


def _serve(settings: "Settings", port: int, mlflow: bool, browser: bool) -> None:
    from grave_cli.errors import TuningError
    from grave_cli.tracking.server import HOST, free_port, mlflow_pages
    from grave_cli.tuning.dashboard import open_studies, serve_studies

    try:
        studies = open_studies(settings)
    except TuningError as error:
        if not mlflow:
            raise
        studies = None
        typer.echo(f"only MLflow is shown: {error}", err=True)
    with ExitStack() as stack:
        if mlflow:
            runs_port = port + _BESIDE if studies else port
            url = stack.enter_context(mlflow_pages(settings, runs_port))
            _announce("MLflow", url, browser)
        if studies is None:
            threading.Event().wait()
            return
        port = free_port(port)
        _announce("dashboard", f"http://{HOST}:{port}/", browser)
        serve_studies(studies, port)


def _announce(what: str, url: str, browser: bool) -> None:
    import webbrowser

    typer.echo(f"{what}: {url}")
    if browser:
        threading.Timer(_BROWSER_DELAY_S, webbrowser.open, [url]).start()
