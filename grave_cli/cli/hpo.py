"""`gravecli hpo`."""

import re
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options
from grave_cli.wording import counted

if TYPE_CHECKING:
    from grave_cli.settings.tree import Settings
    from grave_cli.tuning.result import StudyResult


def hpo(
    study: Annotated[str, typer.Option(help="Name of the study. An existing study continues.")],
    preset: Annotated[
        str | None,
        typer.Option(
            help='Preset in hpo.studies. Default: that with the name of the study, else "default".'
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Finished trials in all. Default: those of the preset."),
    ] = None,
    data: options.Data = None,
    channels: options.Channels = None,
    epochs: Annotated[
        str | None,
        typer.Option(
            metavar="N|A..B", help="Epochs of each trial: a number, or a range to search."
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Number of processes that run trials.")
    ] = 1,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Start the workers on a Ray cluster: HOST:PORT of its head, auto (the cluster of "
            "this computer), or local. Except with local, studies and runs must be in databases "
            "on a server.",
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="Start no trial after this time, such as 90s, 10m or 1h30m; in seconds without a "
            "unit.",
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help=f"{options.STORAGE_HELP} Machines with the same storage share the study.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Model whose thresholds the preset decode tunes. Default: the newest that fits."
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Continue although data, channels or search space have changed, so that trials "
            "are not comparable.",
        ),
    ] = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Search for good settings in an Optuna study.

    Ctrl-C stops a study; the same command continues it.
    """
    from dataclasses import asdict

    from grave_cli.cli.console import print_json
    from grave_cli.cli.study_screen import show_study
    from grave_cli.settings.durations import parse_duration
    from grave_cli.tuning.result import StudyWatch
    from grave_cli.tuning.study import StudyRequest, run_study

    options.refuse_empty("--study", study)
    chosen = {"data.root": data, "data.channels": channels, "hpo.storage": storage}
    settings = options.load(config, assignments, chosen).settings
    settings = _with_epochs(settings, study, preset, epochs)
    elsewhere = None
    if ray is not None:
        from grave_cli.cluster.study_workers import workers_on_cluster

        elsewhere = workers_on_cluster(ray, settings)
    timeout_s = parse_duration(timeout)
    request = StudyRequest(study, preset, trials, workers, timeout_s, model, force, elsewhere)
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
    """Make the preset search a range of epochs, or fix their number.

    Raises:
        SettingsError: The text is neither a number nor a range.
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

    failed = f", {result.failed} failed" if result.failed else ""
    print_line(
        f"study {result.name}: {counted(result.finished, 'finished trial')} "
        f"({result.pruned} pruned){failed}"
    )
    if result.best_value is None:
        return
    print_line(f"best {result.metric}: {result.best_value:.4f} (run {result.best_run_id})")
    for key, value in result.best_params.items():
        print_line(f"  {key} = {value}")
    if result.tunes == "decoding":
        words = ["--model", result.model, "--config", result.best_config]
        print_line(f"use with: gravecli predict-cemetery ORTHOPHOTO {shlex.join(words)}")
    else:
        print_line(f"train with: gravecli train {shlex.join(['--config', result.best_config])}")
    print_line("view with: gravecli dashboard")
