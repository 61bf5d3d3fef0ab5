"""A comparison in, its GeoPackage out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grave_cli import __version__
from grave_cli.delivery.geopackage import About, write_layers
from grave_cli.delivery.geopackage_seal import Origin, geopackage_output
from grave_cli.delivery.grave_columns import words
from grave_cli.outputs import Output, seal, source_of
from grave_cli.resurvey.compare import Comparison, shift_as_dict
from grave_cli.resurvey.layers import comparison_layers
from grave_cli.settings.output import Language
from grave_cli.settings.tree import Settings

_FILES_KEY = "files_fingerprint"


def comparison_output(path: Path, old: Path, new: Path) -> Output:
    """Describe the GeoPackage of a comparison as an output.

    Args:
        path: The GeoPackage.
        old: File of the old survey.
        new: File of the new survey.
    """
    names = ("old_survey", "new_survey")
    return geopackage_output(
        path, Origin(_FILES_KEY, _fingerprint(old, new), "the comparison of other files", names)
    )


def write_comparison(
    comparison: Comparison, path: Path, settings: Settings, language: Language
) -> None:
    """Write a comparison to a GeoPackage.

    Args:
        comparison: The comparison of two files.
        path: The GeoPackage; an existing one is replaced.
        settings: The settings it was made with.
        language: Language of legends, titles and descriptions.

    Raises:
        ExportError: It cannot be written, or another program has it open.
    """
    old, new = Path(comparison.old.name), Path(comparison.new.name)
    about = About(
        words(f"Changes from {old.stem} to {new.stem}", f"Änderungen von {old.stem} zu {new.stem}"),
        words(
            "Graves of the new survey with their old ids, and what has changed since the old one: "
            f"{len(comparison.new.rows)}.",
            "Gräber der neuen Aufnahme mit ihren alten Kennungen und den Änderungen seit der "
            f"alten: {len(comparison.new.rows)}.",
        ),
        {
            "gravecli_version": __version__,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "old_survey": old.name,
            "new_survey": new.name,
            _FILES_KEY: _fingerprint(old, new),
            **describe_comparison(comparison),
            "settings": settings.model_dump_json(include={"compare", "register"}),
        },
    )
    write_layers(path, comparison_layers(comparison), about, language)


def describe_comparison(comparison: Comparison) -> dict[str, Any]:
    """Return the shift and the counts of changes for the provenance."""
    shift = {f"shift_{name}": value for name, value in shift_as_dict(comparison.shift).items()}
    return shift | {f"graves_{name}": count for name, count in comparison.counts.items()}


def _fingerprint(old: Path, new: Path) -> str:
    sources = [source_of(path) for path in (old, new)]
    return seal(*sources)[:16] if all(sources) else ""
