"""`gravecli dashboard`."""

import signal
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.settings.tree import Settings
    from grave_cli.tuning.dashboard import StudyPages

_BESIDE = 1000  # from the port of the studies to that of the runs
_LOCAL = "127.0.0.1"


@dataclass(frozen=True)
class _Pages:
    """Which pages are served, where, and whether a browser is to show them."""

    study: str | None
    host: str
    port: int
    mlflow: bool
    browser: bool


def dashboard(
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Show the runs in MLflow, too.")] = False,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Optuna storage; default: runs/optuna.db.")
    ] = None,
    study: Annotated[
        str | None, typer.Option(help="Open the page of this study; default: the list of all.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=64000, help="Port; the next free one if taken.")
    ] = 8080,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Serve the studies on this address; any but 127.0.0.1 lets others change them.",
        ),
    ] = _LOCAL,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser.")] = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    verbose: options.Verbose = False,
) -> None:
    """Look at studies and runs in the browser until Ctrl-C."""
    from grave_cli.cli.console import set_up_logging

    set_up_logging(verbose)
    settings = options.load(config, assignments, {"hpo.storage": storage}).settings
    # A child process must not outlive us: SIGTERM ends like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        _serve(settings, _Pages(study, host, port, mlflow, not no_browser))


def _serve(settings: "Settings", pages: _Pages) -> None:
    from grave_cli.errors import TuningError
    from grave_cli.tracking.server import mlflow_pages
    from grave_cli.tuning.dashboard import open_studies

    try:
        studies = open_studies(settings)
    except TuningError as error:
        if not pages.mlflow:
            raise
        studies = None
        typer.echo(f"only MLflow is shown: {error}", err=True)
    with ExitStack() as stack:
        if pages.mlflow:
            runs_port = pages.port + _BESIDE if studies else pages.port
            url = stack.enter_context(mlflow_pages(settings, runs_port))
            _announce("MLflow", url, pages.browser)
        if studies is None:
            threading.Event().wait()
        else:
            _serve_studies(studies, pages)


def _serve_studies(studies: "StudyPages", pages: _Pages) -> None:
    from grave_cli.tracking.server import free_port

    page = studies.path(pages.study)
    port = free_port(pages.port, pages.host)
    if pages.host != _LOCAL:
        warning = "anyone who reaches this address can look at the studies, change and delete them"
        typer.echo(f"{pages.host}: {warning}", err=True)
    with studies.listening(pages.host, port) as serve:
        _announce("dashboard", f"http://{pages.host}:{port}/{page}", pages.browser)
        serve()


def _announce(what: str, url: str, browser: bool) -> None:
    import webbrowser

    typer.echo(f"{what}: {url}")
    if browser:
        threading.Thread(target=webbrowser.open, args=[url], daemon=True).start()
