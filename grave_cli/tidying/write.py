"""What is to be changed in a map in; the tidy map out, sealed and marked as corrected by hand."""

import json
from datetime import UTC, datetime
from pathlib import Path

from grave_cli import __version__
from grave_cli.delivery.candidate_columns import CANDIDATES
from grave_cli.delivery.geopackage_edit import (
    delete_rows,
    edited_geopackage,
    insert_row,
    update_row,
)
from grave_cli.delivery.geopackage_seal import (
    CORRECTIONS_KEY,
    TIDIED_KEY,
    put_provenance,
    refuse_open_geopackage,
)
from grave_cli.delivery.row_record import GRAVES
from grave_cli.outputs import Output
from grave_cli.resurvey.removed import REMOVED, empty_layer
from grave_cli.settings.output import Language
from grave_cli.tidying.edited_map import RAW
from grave_cli.tidying.tidy import Tidying


def tidied_output(path: Path) -> Output:
    """Describe a map that is to be tidied as an output: it replaces itself."""
    return Output("MAP", path, "a GeoPackage", (".gpkg",), lambda _: None, refuse_open_geopackage)


def write_tidying(tidying: Tidying, language: Language) -> None:
    """Change a map, all of it or nothing. A map that needs no change stays as it is.

    Args:
        tidying: The changes.
        language: Language of the texts of a new layer.

    Raises:
        ExportError: It cannot be written, or another program has it open; it is untouched.
    """
    if not tidying.is_needed:
        return
    edited, vanished = tidying.edited, tidying.vanished
    is_first = bool(vanished.records) and edited.removed is None
    new_layers = [empty_layer(edited.crs)] if is_first else []
    with edited_geopackage(edited.path, new_layers, language) as database:
        for row in tidying.graves:
            if row.fid is None:
                insert_row(database, GRAVES, row.outline, row.values)
            else:
                update_row(database, GRAVES, row.fid, row.outline, row.values)
        for outline, values in vanished.records:
            insert_row(database, REMOVED, outline, values)
        delete_rows(database, REMOVED, vanished.removed_fids)
        delete_rows(database, RAW, vanished.raw_fids)
        delete_rows(database, CANDIDATES, vanished.candidate_fids)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        put_provenance(database, TIDIED_KEY, now)
        put_provenance(database, "tidied_with", __version__)
        put_provenance(database, CORRECTIONS_KEY, json.dumps(dict(tidying.corrections)))
