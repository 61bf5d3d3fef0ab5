"""A map against its own record: is it as gravecli wrote it, are its sources still the same?

The record shows changes, but it is no signature: a person who wants to deceive can write another.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from grave_cli.dataset.file_kinds import DEM, DTM, ORTHOPHOTO
from grave_cli.delivery.geopackage_seal import DEM_KEY, DTM_KEY, ORTHOPHOTO_KEY, TIDIED_KEY
from grave_cli.delivery.row_record import PROVENANCE, SEAL_KEY, RowChanges
from grave_cli.errors import SettingsError
from grave_cli.settings.tree import Settings
from grave_cli.tidying.tidy import earlier_corrections
from grave_cli.verification.record import MapRecord, read_record
from grave_cli.verification.sources import Part, Sources, check_dataset, check_model, check_raster

PARTS = ("graves", "tables", "model", "orthophoto", "dem", "dtm", "dataset")
"""The parts of a record, in the order in which they are shown."""


@dataclass(frozen=True)
class Verification:
    """A map compared with its record.

    Args:
        map: The GeoPackage.
        parts: The result for each part, by name.
        changes: The changed rows; None if the map does not tell.
    """

    map: str
    parts: Mapping[str, Part]
    changes: RowChanges | None

    @property
    def differing(self) -> list[str]:
        """The parts that differ, or cannot be compared."""
        return [name for name, one in self.parts.items() if one.status not in ("equal", "none")]


def verify_map(
    path: Path,
    settings: Settings,
    sources: Sources | None = None,
    only: Collection[str] = (),
) -> Verification:
    """Compare a map with its record. Nothing is changed.

    Args:
        path: The GeoPackage.
        settings: Tracking store and data folder to look into.
        sources: Other places to look into.
        only: Parts to compare; empty for all of them.

    Raises:
        DatasetError: The file is no map of gravecli, or a source that was named is missing.
        ExportError: Another program has the map open, or has left edits beside it.
        ModelError: There is no such model as the one that was named.
        SettingsError: There is no such part, or a source is named of a part that is not compared.
        TrackingError: The store of the model that was named does not answer.
    """
    sources = sources or Sources()
    _check_choice(sources, only)
    sources.check()
    record = read_record(path)
    rasters = (
        (("orthophoto", ORTHOPHOTO_KEY), ORTHOPHOTO, sources.orthophoto),
        (("dem", DEM_KEY), DEM, sources.dem),
        (("dtm", DTM_KEY), DTM, sources.dtm),
    )
    orthophoto, dem, dtm = (partial(check_raster, record, *one, settings) for one in rasters)
    compare: dict[str, Callable[[], Part]] = {
        "graves": lambda: _check_graves(record),
        "tables": lambda: _check_tables(record),
        "model": lambda: check_model(record, sources.model, settings),
        "orthophoto": orthophoto,
        "dem": dem,
        "dtm": dtm,
        "dataset": lambda: check_dataset(record, sources.data, settings),
    }
    parts = {name: compare[name]() for name in PARTS if name in only or not only}
    return Verification(str(path), parts, record.changes)


def _check_choice(sources: Sources, only: Collection[str]) -> None:
    for name in only:
        if name not in PARTS:
            raise SettingsError(
                "a map has no such part", where="--only", found=name, expected=", ".join(PARTS)
            )
    given = {
        "model": sources.model,
        "orthophoto": sources.orthophoto,
        "dem": sources.dem,
        "dtm": sources.dtm,
        "dataset": sources.data,
    }
    for part, source in given.items():
        if only and source is not None and part not in only:
            raise SettingsError(
                f"{source} is named, but not compared",
                where="--only",
                found=", ".join(only),
                expected=f"also {part}",
            )


def _check_graves(record: MapRecord) -> Part:
    changes = record.changes
    written = f"{record.graves} as {_written(record)}"
    if record.is_sealed:
        return Part("equal", written)
    if changes is None:
        return Part("no record", "the map does not tell whether graves were changed")
    numbers = {
        "added": changes.added,
        "removed": changes.removed,
        "with another outline": changes.outlines,
        "with other attributes": changes.attributes,
    }
    words = [f"{number} {word}" for word, number in numbers.items() if number]
    if changes.columns:
        words.append(f"columns added or removed: {', '.join(changes.columns)}")
    if not words:
        return Part("equal", written)
    return Part("changed", f"{', '.join(words)}; {changes.written} were written")


def _written(record: MapRecord) -> str:
    """Say who is the author of the graves: gravecli alone, or people as well."""
    if not record[TIDIED_KEY]:
        return "written"
    numbers = earlier_corrections(record.values)
    words = [f"{number} {kind}" for kind, number in numbers.items() if number]
    return f"tidied on {record[TIDIED_KEY][:10]}; by hand: {', '.join(words) or 'other columns'}"


def _check_tables(record: MapRecord) -> Part:
    """Compare everything in the file but the graves."""
    changes = record.changes
    if record.is_sealed:
        return _AS_WRITTEN
    if not record[SEAL_KEY]:
        return Part("no record", "the map has no seal")
    if changes is None:
        return Part("changed", f"changed since: {PROVENANCE}, and perhaps others")
    names = changes.tables
    if not names and _check_graves(record).status == "equal":
        names = (PROVENANCE,)  # the record itself, as all that it records is equal
    return Part("changed", f"changed since: {', '.join(names)}") if names else _AS_WRITTEN


_AS_WRITTEN = Part("equal", "as written")
