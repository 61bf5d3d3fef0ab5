"""`gravecli sample-data`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grave_cli.cli import options
from grave_cli.cli.streams import say
from grave_cli.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grave_cli.sample_data.write import SampleCemetery


def sample_data(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Data folder to create.")] = Path(
        "data"
    ),
    cemeteries: Annotated[int, typer.Option(min=1, max=1000, help="Number of cemeteries.")] = 4,
    size_m: Annotated[
        float, typer.Option(min=10, max=200, help="Edge of a cemetery, in metres.")
    ] = 40.0,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed: another one gives other cemeteries.")
    ] = 0,
    crs: Annotated[str, typer.Option(help="Projected CRS of the files.")] = "EPSG:25832",
    variety: Annotated[
        str | None,
        typer.Option(
            metavar="PRESET",
            help="Varied scenes instead of the default look: all, or one of central-europe, "
            "france-italy, netherlands-scandinavia, britain-us, east-europe, headstone-plots, "
            "negatives (ground without graves, written to DIR/ground).",
        ),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Generate sample cemeteries: orthophotos, DEMs and annotations."""
    from grave_cli.sample_data.write import write_sample_data

    progress = options.show_progress(quiet, verbose)
    made = write_sample_data(
        folder,
        cemeteries=cemeteries,
        size_m=size_m,
        seed=seed,
        crs=crs,
        variety=variety,
        progress=progress,
    )
    if json:
        _print_json(made)
        return
    for cemetery in made:
        ground = "" if cemetery.annotations else " (ground)"
        say(f"{cemetery.name}: {counted(cemetery.graves, 'grave')}{ground}")
    if any(cemetery.annotations for cemetery in made):
        words = ["--data", str(folder), "--channels", "rgb+dem"]
        say(f"train with: gravecli train {shlex.join(words)}")


def _print_json(made: "Sequence[SampleCemetery]") -> None:
    from grave_cli.cli.console import print_json

    rows = []
    for cemetery in made:
        paths = {name: getattr(cemetery, name) for name in ("orthophoto", "dem", "annotations")}
        files = {name: None if path is None else str(path) for name, path in paths.items()}
        rows.append({"name": cemetery.name, "graves": cemetery.graves, **files})
    print_json({"cemeteries": rows})
