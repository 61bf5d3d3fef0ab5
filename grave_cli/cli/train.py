"""`gravecli train`."""

from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.progress import Progress
    from grave_cli.settings.tree import Settings


def train(
    data: options.Data = None,
    channels: options.Channels = None,
    epochs: options.Epochs = None,
    max_time: options.MaxTime = None,
    seed: options.Seed = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")
    ] = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train a model on a data folder and record it in MLflow."""
    chosen = {
        "data.root": data,
        "data.channels": channels,
        "training.epochs": epochs,
        "training.max_time_s": options.parse_duration(max_time),
        "training.seed": seed,
    }
    settings = options.load(config, assignments, chosen).settings
    progress = options.show_progress(quiet, verbose)
    if dry_run:
        _dry_run(settings, json, progress)
    else:
        _train(settings, name, json, progress)


def _train(settings: "Settings", name: str | None, json: bool, progress: "Progress") -> None:
    from dataclasses import asdict

    from grave_cli.cli.console import print_json, print_line
    from grave_cli.inputs.training_data import plan_training, read_training_data

    # Data that cannot be used is told before torch is loaded, which takes seconds.
    data = read_training_data(plan_training(settings, progress), settings, progress)
    from grave_cli.trainer import run_training

    result = run_training(settings, data, name=name, progress=progress)
    if json:
        print_json(asdict(result))
        return
    print_line(f"run        {result.name} ({result.run_id})")
    print_line(f"data set   {result.dataset_id}")
    print_line(f"epochs     {result.epochs}")
    for key, value in result.metrics.items():
        print_line(f"{key:26} {value:.4f}")
    print_line(f"predict with: gravecli predict-cemetery ORTHOPHOTO --model {result.name}")


def _dry_run(settings: "Settings", json: bool, progress: "Progress") -> None:
    from dataclasses import asdict

    from grave_cli.cli.console import print_json, print_line
    from grave_cli.learning.estimate import estimate_training

    estimate = estimate_training(settings, progress)
    if json:
        print_json(asdict(estimate))
        return
    print_line(f"data set         {estimate.dataset_id}")
    for part in estimate.parts:
        print_line(
            f"{part.split:5}            {part.name}: {part.graves} graves, {part.mpx:.2f} Mpx"
        )
    print_line(f"chips per epoch  {estimate.chips_per_epoch}")
    print_line(f"steps per epoch  {estimate.steps_per_epoch}")
    print_line(f"time             about {estimate.seconds / 60:.0f} min on {estimate.device}")
    print_line(f"memory           about {estimate.memory_gb:.1f} GB")
