"""`gravecli hpo`."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.settings.tree import Settings
    from grave_cli.tuning.result import StudyResult


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
    epochs: Annotated[
        str | None,
        typer.Option(metavar="N|A..B", help="Epochs of the trials: a number, or searched between."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Processes that run trials at the same time.")
    ] = 1,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="No trial begins after that: 90s, 10m, 1h30m."),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Optuna storage, shared by all machines that run the command; "
            "default: runs/optuna.db.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model whose thresholds are tuned (preset decode); default: the newest."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Go on though data, channels or search space have changed."),
    ] = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Search good settings: an Optuna study whose trials are trainings."""
    from dataclasses import asdict

    from grave_cli.cli.console import print_json
    from grave_cli.cli.study_screen import show_study
    from grave_cli.tuning.result import StudyWatch
    from grave_cli.tuning.study import StudyRequest, run_study

    chosen = {"data.root": data, "data.channels": channels, "hpo.storage": storage}
    settings = options.load(config, assignments, chosen).settings
    settings = _with_epochs(settings, study, preset, epochs)
    request = StudyRequest(
        study, preset, trials, workers, options.parse_duration(timeout), model, force
    )
    progress = options.show_progress(quiet, verbose)
    watch = StudyWatch()
    with show_study(watch, progress) as shown:
        result = run_study(settings, request, shown, watch)
    if json:
        print_json(asdict(result))
    else:
        _print(result)


def _with_epochs(
    settings: "Settings", study: str, preset: str | None, epochs: str | None
) -> "Settings":
    """Let the preset search the epochs in a range, or fix them.

    Raises:
        SettingsError: The range cannot be read.
    """
    from grave_cli.errors import SettingsError
    from grave_cli.settings.load import with_values
    from grave_cli.tuning.search_space import preset_name

    if epochs is None:
        return settings
    found = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", epochs.strip())
    if found is None:
        raise SettingsError("--epochs cannot be read", found=epochs, expected="30 or 20..40")
    low, high = int(found[1]), int(found[2] or found[1])
    name = preset_name(settings, study, preset)
    space = {"training.epochs": {"low": low, "high": high}}
    return with_values(settings, {f"hpo.studies.{name}.search_space": space})


def _print(result: "StudyResult") -> None:
    from grave_cli.cli.console import print_line

    failed = f", {result.failed} failed besides" if result.failed else ""
    print_line(
        f"study {result.name}: {result.finished} finished trials, "
        f"{result.pruned} of them pruned{failed}"
    )
    if result.best_value is None:
        return
    print_line(f"best {result.metric}: {result.best_value:.4f} (run {result.best_run_id})")
    for key, value in result.best_params.items():
        print_line(f"  {key} = {value}")
    if result.tunes == "decoding":
        print_line(f"use with: gravecli predict-cemetery ORTHOPHOTO --config {result.best_config}")
    else:
        print_line(f"train with: gravecli train --config {result.best_config}")
    print_line("look at it with: gravecli dashboard")
