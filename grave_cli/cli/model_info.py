"""`gravecli model-info`."""

from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.model.bundle import ModelCard


def model_info(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help=f"Model: {options.MODEL_NAME}."),
    ],
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show the input, scores and thresholds of a model."""
    from grave_cli.cli.console import print_json
    from grave_cli.tracking.models import resolve_model

    options.show_progress(quiet, verbose)
    found = resolve_model(model, options.load(config, assignments).settings)
    card = found.bundle.card
    if json:
        print_json({**card.model_dump(mode="json"), "sha256": found.bundle.sha256})
    else:
        _print_card(card, found.bundle.sha256)


def _print_card(card: "ModelCard", sha256: str) -> None:
    from grave_cli.cli.console import print_line

    recipe, network = card.recipe, card.architecture
    lines = {
        "name": card.name,
        "channels": f"{recipe.channels} {' '.join(recipe.features)}".strip(),
        "GSD": f"{recipe.gsd_m:g} m",
        "network": f"{network.name}, {network.encoder}, {network.in_channels} channels",
        "data set": card.dataset_id,
        "trained": f"{card.created} by gravecli {card.gravecli_version}",
        "MLflow run": card.run_id,
        "weights": f"sha256 {sha256[:16]}",
    }
    for label, value in lines.items():
        print_line(f"{label:12} {value}")
    for heading, text in card.about.items():
        print_line(f"{heading:12} {text}")
    for split, names in card.parts.items():
        print_line(f"{split:12} {', '.join(names) or '–'}")
    if card.generated_share:
        print_line(f"{'generated':12} {card.generated_share:.0%} of the training chips")
    for name, number in sorted(card.metrics.items()):
        print_line(f"score        {name} {number:.4f}")
    for name, number in card.decoding.model_dump().items():
        print_line(f"threshold    {name} {number:g}")
