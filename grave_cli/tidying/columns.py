"""Graves with their names in, the values of their columns that have to change out."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from grave_cli.delivery.grave_columns import GRAVE_COLUMNS
from grave_cli.settings.tree import Settings
from grave_cli.tidying.draft import Draft
from grave_cli.tidying.edited_map import EditedMap
from grave_cli.tidying.heights import Elevation, find_elevation, measure_heights
from grave_cli.tidying.measures import hand_drawn, new_measures, shapes_of
from grave_cli.tidying.naming import Names
from grave_cli.wording import counted

_PLACE = ("field", "row", "number")


def new_values(
    edited: EditedMap, draft: Draft, names: Names, settings: Settings, given: Elevation
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the values of each grave that differ from those in its row, and notes.

    Columns of the office, and those that it has removed, are left alone.

    Args:
        edited: The map.
        draft: Its graves.
        names: Their ids and places.
        settings: Limits of the flags, data folder.
        given: DEM and DTM; without a DEM, the rasters that the map names are looked for.

    Raises:
        GridError: The DEM has no usable CRS or geotransform.
        RasterReadError: The DEM cannot be used.
    """
    numbered = {*names.numbered}
    wanted: list[dict[str, Any]] = [
        _naming(names, draft, index, index in numbered) for index in range(len(draft.fids))
    ]
    notes: list[str] = []
    usable = draft.usable
    if len(usable):
        moved = draft.moved[usable]
        outlines, grid = draft.frame.on_grid(draft.outlines[usable]), draft.frame.grid
        rows = [draft.rows[index] for index in usable]
        measured = new_measures(outlines, grid, rows)
        hand = hand_drawn(draft.placed[usable], draft.by_hand[usable], settings.review)
        shapes = shapes_of(outlines, grid.metres_per_unit)
        asked = moved | np.array([_lacks_height(row) for row in rows], np.bool_)
        found = find_elevation(edited.path, edited.provenance, given, [settings.data.root])
        heights = np.full(len(usable), np.nan)
        heights[asked] = measure_heights(outlines[asked], found, grid, edited.provenance)
        if found.note and moved.any():
            count = counted(int(moved.sum()), "grave")
            notes.append(f"no height for {count} with a new outline: {found.note}")
        for position, index in enumerate(usable):
            wanted[index] |= measured[position] | hand[position]
            if moved[position]:
                wanted[index]["shape"] = str(shapes[position])
            if asked[position]:
                wanted[index]["height_m"] = GRAVE_COLUMNS["height_m"].cell(heights[position])
    return [_differing(edited, draft, index, one) for index, one in enumerate(wanted)], notes


def _naming(names: Names, draft: Draft, index: int, is_new: bool) -> dict[str, Any]:
    """Return id and place; what the office has typed in stays."""
    row, place = draft.rows[index], names.places[index]
    values: dict[str, Any] = {}
    if names.ids[index] is not None:
        values["grave_id"] = names.ids[index]
        values["cemetery_id"] = row.get("cemetery_id") or names.cemetery
    is_copy = index in names.copies
    empty = {name for name in _PLACE if is_copy or row.get(name) is None}
    if place is not None and (is_new or len(empty) == len(_PLACE)):
        numbers = (place.field or None, place.row or None, place.number)
        found = zip(_PLACE, numbers, strict=True)
        values |= {name: number for name, number in found if name in empty}
    if index in names.parts:
        values["split_from"] = names.parts[index]
    return values


def _lacks_height(row: Mapping[str, Any]) -> bool:
    """Tell whether a grave by hand has no height yet, as when the DEM was not here."""
    return row.get("height_m") is None and row.get("confidence") is None


def _differing(
    edited: EditedMap, draft: Draft, index: int, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    row = draft.rows[index]
    return {
        name: value
        for name, value in wanted.items()
        if name in edited.graves.columns and _is_other(row.get(name), value)
    }


def _is_other(old: Any, new: Any) -> bool:
    return bool(old != new)
