"""`gravecli dashboard`."""

from typing import Annotated

import typer

from grave_cli.cli import options


def dashboard(
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Optuna storage; default: runs/optuna.db.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port; the next free one if taken.")
    ] = 8080,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser.")] = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    verbose: options.Verbose = False,
) -> None:
    """Look at studies in the browser (optuna-dashboard on 127.0.0.1)."""
    from grave_cli.cli.console import set_up_logging
    from grave_cli.tuning.dashboard import serve_dashboard

    set_up_logging(verbose)
    settings = options.load(config, assignments, {"hpo.storage": storage}).settings
    serve_dashboard(
        settings, port, browser=not no_browser, ready=lambda url: typer.echo(f"dashboard: {url}")
    )
