"""`gravecli check`."""

from typing import TYPE_CHECKING

import typer

from grave_cli.cli import options

if TYPE_CHECKING:
    from grave_cli.doctor.report import CemeteryRow, CheckReport

_HEADINGS = ("cemetery", "split", "size", "CRS", "GSD", "valid", "DEM", "graves", "median")
_TEXTS = ("split", "size", "CRS", "DEM")
_COLORS = {"error": "bold red", "warning": "yellow", "note": "dim"}


def check(
    data: options.DataArgument = None,
    channels: options.Channels = None,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Check a data folder or a drone project for problems before training or mapping.

    The exit code is 2 if the folder cannot be trained on; warnings do not change it.
    """
    from dataclasses import asdict

    from grave_cli.cli.console import print_json
    from grave_cli.doctor.examine import examine

    chosen = {"data.root": data, "data.channels": channels}
    settings = options.load(config, assignments, chosen).settings
    report = examine(settings, options.show_progress(quiet, verbose))
    if json:
        print_json(asdict(report))
    else:
        _print(report)
    if not report.can_train:
        raise typer.Exit(2)


def _print(report: "CheckReport") -> None:
    from rich.text import Text

    from grave_cli.cli.console import OUT, print_line
    from grave_cli.cli.tables import make_table, print_table
    from grave_cli.wording import counted

    if report.cemeteries:
        title = f"data set {report.dataset_id}" if report.dataset_id else None
        table = make_table(_HEADINGS, map(_cells, report.cemeteries), left=_TEXTS, title=title)
        print_table(table, ("median", "CRS", "GSD", "valid", "size", "split", "DEM"))
    for finding in report.findings:
        subject = f"{finding.cemetery}: " if finding.cemetery else ""
        remedy = f"; {finding.remedy}" if finding.remedy else ""
        OUT.print(
            Text(f"{finding.severity:8}", style=_COLORS[finding.severity]),
            f"{subject}{finding.what}{remedy}",
            soft_wrap=True,
        )
    count = {kind: sum(f.severity == kind for f in report.findings) for kind in _COLORS}
    print_line(", ".join(counted(n, kind) for kind, n in count.items()))


def _cells(row: "CemeteryRow") -> tuple[str, ...]:
    heights = "none"
    if row.dem_share is not None:
        heights = f"{row.dem_share:.0%}"
        if row.dem_low_m is not None and row.dem_high_m is not None:
            heights += f", {row.dem_low_m:.0f}–{row.dem_high_m:.0f} m"
    return (
        row.name,
        " ".join(row.splits),
        f"{row.width_m:.0f} × {row.height_m:.0f} m",
        row.crs,
        f"{row.gsd_m * 100:.1f} cm",
        f"{row.valid_share:.0%}",
        heights,
        str(row.graves),
        "" if row.median_area_m2 is None else f"{row.median_area_m2:.2f} m²",
    )
