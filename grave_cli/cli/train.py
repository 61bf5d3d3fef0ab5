"""`gravecli train`."""

from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options
from grave_cli.wording import counted, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grave_cli.dataset.plans import PartPlan
    from grave_cli.progress import Progress
    from grave_cli.settings.load import LoadedSettings
    from grave_cli.settings.tree import Settings
    from grave_cli.tracking.unfinished import Unfinished
    from grave_cli.training.dry_run import Estimate


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
    """Train a model on a data folder and record it in MLflow."""
    from grave_cli.errors import SettingsError
    from grave_cli.model.shipped import STARTER

    if resume is not None and (init_from is not None or name is not None):
        raise SettingsError("--resume cannot be combined with --init-from or --name")
    options.refuse_empty("--name", name)
    if name == STARTER:
        raise SettingsError("a run cannot be named starter", remedy="choose another --name")
    chosen = options.training_settings(data, channels, epochs, max_time, seed)
    chosen |= {"model.start": init_from, "training.devices": devices}
    loaded = options.load(config, assignments, chosen)
    progress = options.show_progress(quiet, verbose)
    settings, unfinished = _begin(loaded, resume, progress)
    if dry_run:
        _dry_run(settings, unfinished, json, progress)
    else:
        _train(settings, unfinished, name, json, progress)


def _begin(
    loaded: "LoadedSettings", resume: str | None, progress: "Progress"
) -> tuple["Settings", "Unfinished | None"]:
    """Find the start of a new training, or the run to resume, which brings its own settings."""
    from grave_cli.tracking.resuming import find_unfinished, resumed_settings
    from grave_cli.training.start import settle_start

    if resume is None:
        return settle_start(loaded.settings, progress)[0], None
    left = find_unfinished(resume, loaded.settings)
    return resumed_settings(left, loaded), left


def _train(
    settings: "Settings",
    unfinished: "Unfinished | None",
    name: str | None,
    json: bool,
    progress: "Progress",
) -> None:
    from dataclasses import asdict

    from grave_cli.cli.console import print_json, print_line
    from grave_cli.dataset.splits import SPLITS
    from grave_cli.dataset.training_data import plan_training

    # Unusable data is reported before torch is loaded, which takes seconds.
    plan = plan_training(settings, progress)
    for split in SPLITS:
        if parts := plan.split(split):
            progress.note(f"{split}: {_list_parts(parts)}")
    from grave_cli.training.peers import find_place
    from grave_cli.training.readiness import check_ready

    place = find_place(settings)
    check_ready(settings, plan, None if place.node else unfinished)  # machine 0 holds the run
    if unfinished is None:
        from grave_cli.training.dry_run import estimate_plan

        progress.note(f"estimate: {_in_words(estimate_plan(plan, settings))}")
    from grave_cli.training.chip_workers import read_for_workers
    from grave_cli.training.trainer import follow_training, run_training

    data = read_for_workers(plan, settings, progress)
    if place.node:
        follow_training(place, settings, data, unfinished.checkpoint if unfinished else None)
        print_line(f"machine {place.node} has done its part; machine 0 finishes and keeps the run")
        return
    result = run_training(settings, data, name=name, unfinished=unfinished, progress=progress)
    if json:
        print_json(asdict(result))
        return
    print_line(f"run        {result.name} ({result.run_id})")
    print_line(f"data set   {result.dataset_id}")
    print_line(f"epochs     {result.epochs}")
    for key, value in result.metrics.items():
        print_line(f"{key:26} {value:.4f}")
    print_line("view with: gravecli dashboard --mlflow")
    print_line(f"predict with: gravecli predict-cemetery ORTHOPHOTO --model {result.name}")


def _list_parts(parts: "Sequence[PartPlan]") -> str:
    graves = sum(len(part.graves) for part in parts)
    names = ", ".join(part.part.name for part in parts[:_NAMED])
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return f"{names}{more} ({counted(graves, 'grave')})"


_NAMED = 5


def _in_words(estimate: "Estimate") -> str:
    return (
        f"{counted(estimate.epochs, 'epoch')} of {counted(estimate.steps_per_epoch, 'step')}, "
        f"about {duration(estimate.seconds)} at most, {estimate.memory_gb:.1f} GB, "
        f"on {estimate.device}"
    )


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
