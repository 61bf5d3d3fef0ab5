"""A planned cemetery in, notes on what counts as its ground truth out."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from grave_cli.dataset.plans import CemeteryPlan
from grave_cli.errors import DatasetError
from grave_cli.progress import Progress
from grave_cli.rasters.geopackage_edits import edits_note, with_edits
from grave_cli.vectors.areas import within_area
from grave_cli.wording import counted


def report_truth(whole: CemeteryPlan, progress: Progress) -> None:
    """Report repaired and omitted labels of a cemetery, and which of the others count.

    Args:
        whole: The cemetery.
        progress: Receives warnings and notes.
    """
    for sentence in whole.graves.findings.sentences():
        progress.warn(f"{whole.files.labels}: {sentence}")
    for note in whole.graves.notes:
        progress.warn(note)
    for note in truth_notes(whole):
        progress.note(f"{whole.files.name}: {note}")


def truth_notes(whole: CemeteryPlan) -> Iterator[str]:
    """Say which of the outlines of a cemetery count, one line each.

    Args:
        whole: The cemetery.

    Yields:
        Edits that are not in a file yet; candidates that were accepted, which do not count before
        `gravecli tidy`; graves outside of the labelled area, which do not count; graves that the
        office has not marked as reviewed, which do.
    """
    graves = whole.graves
    for path in (whole.files.annotations, whole.files.area):
        note = edits_note(path) if path is not None and path.suffix.lower() == ".gpkg" else None
        if note:
            yield note
    accepted = count_accepted(whole.files.annotations)
    if accepted:
        yield (
            f"{counted(accepted, 'accepted candidate')} of {whole.files.annotations} still "
            f"{'counts' if accepted == 1 else 'count'} as ground: run gravecli tidy first"
        )
    inside = within_area(graves.polygons, whole.area)
    count = int(inside.sum())
    if count < len(inside):
        yield (
            f"{count} of {counted(len(inside), 'grave')} count: the others are outside of the "
            "labelled area"
        )
    marked = 0 if graves.reviewed is None else int(graves.reviewed[inside].sum())
    if 0 < marked < count:
        yield f"{marked} of the {counted(count, 'grave')} are marked as reviewed; all of them count"


def count_accepted(path: Path | None) -> int:
    """Count the candidates of a map that the office has accepted; 0 in other files."""
    if path is None or path.suffix.lower() != ".gpkg":
        return 0
    with suppress(sqlite3.Error), with_edits(path, DatasetError) as whole:
        address = f"{whole.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as database:
            query = "SELECT count(*) FROM candidates WHERE lower(trim(decision)) = 'accept'"
            return int(database.execute(query).fetchone()[0])
    return 0
