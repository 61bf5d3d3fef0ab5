"""`gravecli join`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from grave_cli.cli import options


def join(
    graves: Annotated[
        Path, typer.Argument(metavar="MAP", help="Map of the graves: a vector file.")
    ],
    records: Annotated[
        Path,
        typer.Argument(
            metavar="LIST", help="List of the office: CSV, Excel (.xlsx) or a vector file."
        ),
    ],
    on: Annotated[
        str,
        typer.Option(
            metavar="COLUMNS",
            help='Columns of LIST that name the grave, such as "Feld,Reihe,Nummer". Default: '
            "found by their names.",
        ),
    ] = "",
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="MEANING=COLUMN",
            help="Meaning of a column of LIST: field, row, number, grave_id, x or y. Can be "
            "repeated.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="GeoPackage to write.")] = Path("joined.gpkg"),
    sheet: Annotated[
        str, typer.Option(help="Sheet or layer of LIST. Default: the first one with records.")
    ] = "",
    layer: Annotated[
        str, typer.Option(help="Layer of MAP. Default: graves, or the only polygon layer.")
    ] = "",
    crs: Annotated[
        str | None,
        typer.Option(
            metavar="EPSG:…",
            help="CRS of coordinates in LIST, unless its layer has one. Default: that of MAP, or "
            "degrees.",
        ),
    ] = None,
    lang: options.Lang = None,
    overwrite: options.Overwrite = False,
    config: options.Config = None,
    assignments: options.Assignments = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Join the list of an office to a map, by number or by place.

    Writes the graves with their records, the graves without a record, the
    records without a grave, and the graves that several records claim.
    """
    from grave_cli.cli.console import print_json
    from grave_cli.joining.column_roles import parse_map
    from grave_cli.joining.join import join_list
    from grave_cli.joining.join_file import join_output, write_join
    from grave_cli.joining.layers import renamed
    from grave_cli.joining.read_list import read_list
    from grave_cli.outputs import checked_outputs
    from grave_cli.rasters.crs import parse_crs
    from grave_cli.resurvey.survey import read_survey

    settings = options.load(config, assignments, {"output.language": lang}).settings
    progress = options.show_progress(quiet, verbose)
    inputs = {"MAP": graves, "LIST": records, "--config": config}
    with checked_outputs([join_output(out, graves, records)], inputs, overwrite=overwrite):
        columns = [name.strip() for name in on.split(",") if name.strip()]
        mapped = parse_map(mapping or ())
        target = parse_crs(crs) if crs else None
        survey = read_survey(graves, layer, "--layer")
        listed = read_list(records, columns, sheet, mapped)
        result = join_list(survey, listed, settings.join, on=columns, mapped=mapped, crs=target)
        write_join(result, out, settings.output.language)
    notes = [*result.notes, *renamed(result)]
    for note in notes:
        progress.note(note)
    summary = result.as_dict() | {"notes": notes, "geopackage": str(out)}
    if json:
        print_json(summary)
    else:
        _show(summary)


def _show(summary: Mapping[str, Any]) -> None:
    from grave_cli.cli.console import print_line
    from grave_cli.cli.tables import make_table, print_table

    keys = ", ".join(f"{role} = {column}" for role, column in summary["keys"].items())
    print_line(f"joined by {keys or 'the places of the records'}")
    rows = [(text, str(summary[name])) for name, text in _TEXTS.items()]
    print_table(make_table(("", "number"), rows))
    print_line(f"graves, records and both remainders in {summary['geopackage']}")


_TEXTS = {
    "graves": "graves of the map",
    "graves_with_record": "  with a record",
    "graves_without_record": "  without a record",
    "graves_claimed_twice": "  claimed by several records",
    "records": "records of the list",
    "records_joined": "  joined",
    "records_joined_by_place": "    of these by place",
    "records_in_doubt": "    of these in doubt",
    "records_without_grave": "  without a grave",
}
