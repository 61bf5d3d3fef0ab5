"""The room in one call: a map that was edited in QGIS in; what is to be changed in it out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import shapely

from grave_cli.dataset.named_files import cemetery_name
from grave_cli.delivery.geopackage_seal import CORRECTIONS_KEY
from grave_cli.rasters.dem import inspect_dem
from grave_cli.resurvey.removed import today
from grave_cli.resurvey.survey import split_ids
from grave_cli.settings.tree import Settings
from grave_cli.tidying.columns import new_values
from grave_cli.tidying.draft import Draft, draft_graves
from grave_cli.tidying.edited_map import EditedMap, Table
from grave_cli.tidying.heights import Elevation
from grave_cli.tidying.naming import EditedGraves, Known, name_graves
from grave_cli.tidying.repair import repair_outlines
from grave_cli.tidying.report import Report, write_report
from grave_cli.tidying.vanished import Vanished, find_vanished


@dataclass(frozen=True)
class RowChange:
    """A row to change or to add.

    Args:
        fid: The row; None for a new one.
        outline: Its new outline, in the CRS of the file; None keeps the old one.
        values: New values of its columns.
    """

    fid: int | None
    outline: shapely.Geometry | None
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Tidying:
    """What is to be changed in a map.

    Args:
        edited: The map as it is.
        graves: Graves to change or to add.
        vanished: What leaves the layers of the map, and what has come back.
        report: The same in words, and what only a person can decide.
        corrections: Numbers of what people have corrected since the mapping, by kind.
    """

    edited: EditedMap
    graves: tuple[RowChange, ...]
    vanished: Vanished
    report: Report
    corrections: Mapping[str, int]

    @property
    def is_needed(self) -> bool:
        """Whether the file has to be written: for changes, or for its seal alone."""
        return bool(self.graves) or not self.vanished.is_nothing or not self.edited.is_sealed

    def as_dict(self) -> dict[str, Any]:
        """Return the result for programs."""
        new = sum(row.fid is None for row in self.graves)
        return {
            "map": str(self.edited.path),
            "graves": len(self.edited.graves.fids) + new,
            "changed": self.is_needed,
            **self.report.as_dict(),
        }


def plan_tidying(
    edited: EditedMap, settings: Settings, elevation: Elevation | None = None
) -> Tidying:
    """Find what is to be changed in a map that was edited. Nothing is written.

    Args:
        edited: The map.
        settings: Rows and numbers, limits of the flags, data folder.
        elevation: DEM and DTM; those that are not named are looked for, as the map names them.

    Raises:
        DatasetError: No outline is left in the map.
        GridError: Its outlines lie nowhere on Earth, or the DEM has no usable CRS or geotransform.
        RasterReadError: The DEM cannot be used.
    """
    given = elevation or Elevation()
    for raster in (given.dem, given.dtm):
        if raster is not None:
            inspect_dem(raster)  # also where no height is measured: its name may be mistyped
    draft = draft_graves(edited)
    known = _known(edited, draft)
    entries = EditedGraves(draft.fids, draft.placed, draft.rows, draft.waiting)
    names = name_graves(entries, known, settings.register, cemetery_name(edited.path))
    vanished = find_vanished(edited, draft, known, names, today())
    values, notes = new_values(edited, draft, names, settings, given)
    return Tidying(
        edited,
        tuple(_changes(draft, values)),
        vanished,
        write_report(edited, draft, names, vanished, values, notes),
        _corrections(edited, draft, vanished),
    )


def _known(edited: EditedMap, draft: Draft) -> Known:
    raw = repair_outlines(edited.raw.outlines, with_parts=True).outlines
    placed = draft.frame.bring(raw)
    ids = [row.get("grave_id") for row in edited.raw.rows]
    removed = (edited.removed or Table()).rows
    return Known(
        edited.trace,
        {str(one): shape for one, shape in zip(ids, placed, strict=True) if one and shape},
        [str(one) for row in removed if (one := row.get("grave_id"))],
        split_ids(row.get("merged_ids") for row in edited.graves.rows),
    )


def _changes(draft: Draft, values: list[dict[str, Any]]) -> list[RowChange]:
    changes = []
    redrawn = draft.redrawn
    for index, fid in enumerate(draft.fids):
        if redrawn[index] or values[index]:
            outline = draft.outlines[index] if redrawn[index] else None
            changes.append(RowChange(fid, outline, values[index]))
    return changes


def _corrections(edited: EditedMap, draft: Draft, vanished: Vanished) -> dict[str, int]:
    """Add up what people have corrected, over all times that the map was tidied."""
    trace, decisions = edited.trace, draft.decisions
    now = {
        "drawn": len(trace.added) if trace else 0,
        "reshaped": len(trace.reshaped) if trace else 0,
        "deleted": len(vanished.graves) - len(vanished.returned),
        "accepted": len(decisions.accepted),
        "refused": len(decisions.refused),
    }
    before = earlier_corrections(edited.provenance)
    return {kind: before.get(kind, 0) + number for kind, number in now.items()}


def earlier_corrections(provenance: Mapping[str, str]) -> dict[str, int]:
    """Read how much was corrected before the map was tidied the last time."""
    try:
        found = json.loads(provenance[CORRECTIONS_KEY])
        return {str(kind): int(number) for kind, number in found.items()}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}
