"""A join in, its GeoPackage out."""

from datetime import UTC, datetime
from pathlib import Path

from grave_cli import __version__
from grave_cli.delivery.geopackage import About, write_layers
from grave_cli.delivery.geopackage_seal import Origin, geopackage_output
from grave_cli.delivery.grave_columns import words
from grave_cli.joining.join import Join
from grave_cli.joining.layers import join_layers
from grave_cli.outputs import Output, seal, source_of
from grave_cli.settings.output import Language

_FILES_KEY = "joined_fingerprint"


def join_output(path: Path, graves: Path, records: Path) -> Output:
    """Describe the GeoPackage of a join as an output.

    Args:
        path: The GeoPackage.
        graves: File of the map.
        records: File of the list.
    """
    origin = Origin(
        _FILES_KEY, _fingerprint(graves, records), "the join of other files", ("map", "list")
    )
    return geopackage_output(path, origin)


def write_join(join: Join, path: Path, language: Language) -> None:
    """Write a join to a GeoPackage.

    Args:
        join: The join of two files.
        path: The GeoPackage; an existing one is replaced.
        language: Language of legends, titles and descriptions.

    Raises:
        ExportError: It cannot be written, or another program has it open.
    """
    graves, records = Path(join.graves.name), Path(join.records.name)
    found = join.counts["graves_with_record"]
    about = About(
        words(f"Graves of {graves.stem} with {records.name}", f"{graves.stem} mit {records.name}"),
        words(
            f"Graves with a record: {found} of {join.counts['graves']}.",
            f"Gräber mit Eintrag: {found} von {join.counts['graves']}.",
        ),
        {
            "gravecli_version": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "map": graves.name,
            "list": records.name,
            _FILES_KEY: _fingerprint(graves, records),
            **{f"key_{role}": column for role, column in join.keys.items()},
            **join.counts,
        },
    )
    write_layers(path, join_layers(join), about, language)


def _fingerprint(graves: Path, records: Path) -> str:
    sources = [source_of(path) for path in (graves, records)]
    return seal(*sources)[:16] if all(sources) else ""
