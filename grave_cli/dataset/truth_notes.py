"""A planned cemetery in, notes on what counts as its ground truth out."""

from collections.abc import Iterator

from grave_cli.dataset.plans import CemeteryPlan
from grave_cli.rasters.geopackage_edits import edits_note
from grave_cli.vectors.areas import within_area
from grave_cli.wording import counted


def truth_notes(whole: CemeteryPlan) -> Iterator[str]:
    """Say which of the outlines of a cemetery count, one line each.

    Args:
        whole: The cemetery.

    Yields:
        Edits that are not in a file yet; graves outside of the labelled area, which do not count;
        graves that the office has not marked as reviewed, which do.
    """
    graves = whole.graves
    for path in (whole.files.annotations, whole.files.area):
        note = edits_note(path) if path is not None and path.suffix.lower() == ".gpkg" else None
        if note:
            yield note
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
