"""`gravecli hpo`."""

from typing import Annotated

import typer

from grave_cli.cli import options


def hpo(
    study: Annotated[str, typer.Option(help="Name of the study; it goes on where it stopped.")],
    preset: Annotated[
        str | None,
        typer.Option(help="Preset [hpo.studies.NAME]; default: the study's name, else default."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Finished trials the study is to have in all.")
    ] = None,
    data: options.Data = None,
    channels: options.Channels = None,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Optuna storage; default: runs/optuna.db.")
    ] = None,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Search good settings: an Optuna study whose trials are trainings."""
    from dataclasses import asdict

    from grave_cli.cli.console import print_json, print_line
    from grave_cli.tuning.study import run_study

    chosen = {"data.root": data, "data.channels": channels, "hpo.storage": storage}
    settings = options.load(config, assignments, chosen).settings
    progress = options.show_progress(quiet, verbose)
    result = run_study(settings, study, preset=preset, trials=trials, progress=progress)
    if json:
        print_json(asdict(result))
        return
    print_line(f"study {result.name}: {result.finished} finished trials, {result.pruned} pruned")
    if result.best_value is not None:
        print_line(f"best {settings.training.monitor}: {result.best_value:.4f}")
        for key, value in result.best_params.items():
            print_line(f"  {key} = {value}")
        sets = " ".join(f"--set {key}={value}" for key, value in result.best_params.items())
        print_line(f"train with: gravecli train {sets}")
