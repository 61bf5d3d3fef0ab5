"""`gravecli train`."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options
from grave_cli.wording import counted, duration

if TYPE_CHECKING:
    from grave_cli.progress import Progress
    from grave_cli.settings.tree import Settings
    from grave_cli.tracking.unfinished import Unfinished


def train(
    data: options.Data = None,
    channels: options.Channels = None,
    epochs: options.Epochs = None,
    max_time: options.MaxTime = None,
    seed: options.Seed = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the run. Default: channels and time.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Continue an interrupted run with its own settings."),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help=f"Start from the weights of this model: {options.MODEL_NAME}. "
            "Default: model.start in the settings.",
        ),
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(help="Number of devices of this machine that train together. Default: 1."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Estimate time and memory; write nothing.")
    ] = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train a model on a data folder and record it in MLflow.

    Ctrl-C stops a training; --resume RUN continues it from its last epoch.
    """
    from grave_cli.api.training import begin_training, check_names

    check_names(name, resume, init_from)
    chosen = options.training_settings(data, channels, epochs, max_time, seed)
    chosen |= {"model.start": init_from, "training.devices": devices}
    loaded = options.load(config, assignments, chosen)
    progress = options.show_progress(quiet, verbose)
    settings, unfinished = begin_training(loaded, resume, progress)
    if dry_run:
        _dry_run(settings, unfinished, json, progress)
    else:
        _train(settings, unfinished, name, json, progress)


def _train(
    settings: "Settings",
    unfinished: "Unfinished | None",
    name: str | None,
    json: bool,
    progress: "Progress",
) -> None:
    from dataclasses import asdict

    from grave_cli.api.training import train_model
    from grave_cli.cli.console import print_json, print_line

    if settings.training.nodes > 1:
        from grave_cli.api.training import follow_machine

        if (node := follow_machine(settings, unfinished, progress)) > 0:
            _show_part(node, json)
            return
    result = train_model(settings, unfinished, name, progress)
    if json:
        print_json(asdict(result))
        return
    print_line(f"run        {result.name} ({result.run_id})")
    print_line(f"data set   {result.dataset_id}")
    print_line(f"epochs     {result.epochs}")
    for key, value in result.metrics.items():
        print_line(f"{key:26} {value:.4f}")
    print_line("view with: gravecli dashboard --mlflow")
    model = shlex.quote(result.name)
    print_line(f"predict with: gravecli predict-cemetery ORTHOPHOTO --model {model}")


def _show_part(node: int, json: bool) -> None:
    """Say that one of the other machines has done its part."""
    from grave_cli.cli.console import print_json, print_line

    if json:
        print_json({"machine": node})
    else:
        print_line(f"machine {node} has done its part; machine 0 finishes and keeps the run")


def _dry_run(
    settings: "Settings", unfinished: "Unfinished | None", json: bool, progress: "Progress"
) -> None:
    from dataclasses import asdict

    from grave_cli.cli.console import print_json, print_line
    from grave_cli.training.dry_run import estimate_training

    estimate = estimate_training(settings, progress, unfinished)
    if json:
        print_json(asdict(estimate))
        return
    print_line(f"data set         {estimate.dataset_id}")
    for part in estimate.parts:
        print_line(
            f"{part.split:5}            {part.name}: {counted(part.graves, 'grave')}, "
            f"{part.mpx:.2f} Mpx"
        )
    print_line(f"chips per epoch  {estimate.chips_per_epoch}")
    print_line(f"steps per epoch  {estimate.steps_per_epoch}")
    print_line(f"time             about {duration(estimate.seconds)} on {estimate.device}")
    print_line(f"memory           about {estimate.memory_gb:.1f} GB")
