"""`gravecli dashboard`."""

import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options
from grave_cli.cli.streams import say

if TYPE_CHECKING:
    from grave_cli.progress import Progress
    from grave_cli.settings.tree import Settings
    from grave_cli.tuning.dashboard import StudyPages

_BESIDE = 1000  # distance between the ports of the studies and of the runs
_NAMES = {"mlflow": "MLflow", "dashboard": "dashboard"}


@dataclass(frozen=True)
class _Pages:
    """The pages to serve, their address, and whether to open a browser."""

    study: str | None
    host: str
    port: int
    mlflow: bool
    browser: bool
    json: bool


def dashboard(
    mlflow: Annotated[bool, typer.Option("--mlflow", help="Also show the runs in MLflow.")] = False,
    storage: Annotated[str | None, typer.Option(metavar="URL", help=options.STORAGE_HELP)] = None,
    study: Annotated[
        str | None, typer.Option(help="Study to open. Default: the list of all studies.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=64000, help="Port. If it is taken, the next free one.")
    ] = 8080,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="Address of this machine to serve the studies on; 0.0.0.0 for all. With any other "
            "than 127.0.0.1, other people can change them.",
        ),
    ] = "127.0.0.1",
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open a browser.")
    ] = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show studies and runs in the browser until Ctrl-C."""
    progress = options.show_progress(quiet, verbose)
    settings = options.load(config, assignments, {"hpo.storage": storage}).settings
    with suppress(KeyboardInterrupt):
        _serve(settings, _Pages(study, host, port, mlflow, not no_browser, json), progress)


def _serve(settings: "Settings", pages: _Pages, progress: "Progress") -> None:
    from grave_cli.errors import TuningError
    from grave_cli.masking import mask
    from grave_cli.tracking.addresses import free_port
    from grave_cli.tracking.server import mlflow_pages
    from grave_cli.tuning.dashboard import open_studies
    from grave_cli.tuning.storage import one_machine

    free_port(pages.port, pages.host)  # a wrong address is reported before anything is opened
    try:
        studies = open_studies(settings)
    except TuningError as error:
        if not pages.mlflow:
            raise
        studies = None
        progress.warn(f"only MLflow is shown: {mask(str(error))}")
    addresses: dict[str, str] = {}
    with ExitStack() as stack:
        if pages.mlflow:
            runs_port = pages.port + _BESIDE if studies else pages.port
            url = stack.enter_context(mlflow_pages(settings, runs_port))
            addresses["mlflow"] = url
        if studies is None:
            _announce(addresses, pages)
            threading.Event().wait()
        else:
            stack.enter_context(one_machine(settings))
            _serve_studies(studies, pages, addresses, progress)


def _serve_studies(
    studies: "StudyPages", pages: _Pages, addresses: dict[str, str], progress: "Progress"
) -> None:
    from grave_cli.tracking.addresses import free_port, in_url, is_loopback

    page = studies.path(pages.study)
    port = free_port(pages.port, pages.host)
    if not is_loopback(pages.host):
        warning = "anyone who reaches this address can view, change and delete the studies"
        progress.warn(f"{pages.host}: {warning}")
    with studies.listening(pages.host, port) as serve:
        addresses["dashboard"] = f"http://{in_url(pages.host)}:{port}/{page}"
        _announce(addresses, pages)
        serve()


def _announce(addresses: dict[str, str], pages: _Pages) -> None:
    """Print the addresses and open them; one after the other, or as one JSON object."""
    import sys
    import webbrowser

    from grave_cli.cli.console import print_json
    from grave_cli.masking import mask_url

    if pages.json:
        print_json({name: addresses.get(name) for name in ("dashboard", "mlflow")})
        sys.stdout.flush()
    else:
        for name, url in addresses.items():
            say(f"{_NAMES[name]}: {mask_url(url)}")
    if pages.browser:
        for url in addresses.values():
            threading.Thread(target=webbrowser.open, args=[url], daemon=True).start()
