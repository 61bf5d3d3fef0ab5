"""A comparison in; the layers of its file out: the new map, its changes, the old survey."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from grave_cli.delivery.grave_columns import GRAVE_COLUMNS, words
from grave_cli.delivery.layer import Column, Layer, polygon_type
from grave_cli.resurvey.change_styles import BEFORE, changes_style
from grave_cli.resurvey.columns import (
    BECAME,
    CHANGE_COLUMNS,
    HISTORY,
    IDENTITY,
    MergedColumns,
    kept_columns,
    old_columns,
    to_cell,
)
from grave_cli.resurvey.compare import Comparison
from grave_cli.resurvey.places import Place
from grave_cli.resurvey.removed import GONE, REFUSED, empty_layer, removed_row, today

GRAVES, CHANGES, BEFORE_LAYER = "graves", "changes", "graves_before"


def comparison_layers(comparison: Comparison) -> list[Layer]:
    """Return all layers of a comparison, in the CRS of the new survey."""
    return [graves_layer(comparison), *further_layers(comparison)]


def further_layers(comparison: Comparison) -> tuple[Layer, ...]:
    """Return the layers besides the graves: changes, the old survey, removed graves."""
    layers = (changes_layer(comparison), before_layer(comparison))
    removed = removed_layer(comparison)
    return layers if removed is None else (*layers, removed)


def graves_layer(comparison: Comparison) -> Layer:
    """Return the graves of the new survey with their ids and all columns of both surveys.

    A grave that continues an old one keeps the values of the office's columns, and has those of the
    new survey where they are empty; columns that describe the outline come from the new survey.
    """
    columns = comparison.columns.columns
    return Layer(
        GRAVES,
        columns,
        list(graves_rows(comparison)),
        comparison.new.outlines,
        comparison.new.crs,
        polygon_type(comparison.new.outlines),
        title=words("Graves", "Gräber"),
        description=words(
            "One polygon for each grave of the new survey, with its old id",
            "Eine Fläche für jedes Grab der neuen Aufnahme, mit seiner alten Kennung",
        ),
        style=changes_style(comparison.id_column, columns),
    )


def graves_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Yield the columns of each grave of the new survey."""
    identities, merged = comparison.identities, comparison.columns
    for index, carrier in enumerate(identities.carriers):
        old = comparison.old.rows[carrier] if carrier >= 0 else None
        new = comparison.new.rows[index]
        row: dict[str, Any] = {}
        for name, column in merged.columns.items():
            own, former = merged.from_new.get(name), merged.from_old.get(name)
            continues = old is not None and bool(former)
            value = old[former] if old is not None and former else None
            if value is None and own and not (continues and name in IDENTITY):
                value = new[own]
            if old is None and name in Place._fields:
                value = None
            if old is None and name == "cemetery_id" and former:
                value = _cemetery(comparison, column)
            row[name] = to_cell(value, column.kind)
        row |= _place(identities.places[index], merged, row)
        row[comparison.id_column] = identities.ids[index]
        row["merged_ids"] = _joined(old and old.get("merged_ids"), identities.merged_ids[index])
        row["split_from"] = identities.split_from[index] or (old and old.get("split_from"))
        yield row | _change(comparison, index)


def changes_layer(comparison: Comparison) -> Layer:
    """Return one feature for each grave of either survey, by its change."""
    identities, old = comparison.identities, comparison.changes.of_old
    lost = [index for index, change in enumerate(old) if change in ("gone", "outside")]
    id_column = comparison.id_column
    columns = {id_column: GRAVE_COLUMNS["grave_id"], **CHANGE_COLUMNS, **HISTORY}
    # An office's ids may be called number, or Number, which is one to a GeoPackage.
    places = [name for name in Place._fields if name != id_column.casefold()]
    columns |= {name: GRAVE_COLUMNS[name] for name in places}
    rows: list[dict[str, Any]] = []
    for index, one in enumerate(identities.ids):
        own = {"merged_ids": identities.merged_ids[index]}
        own |= {"split_from": identities.split_from[index]}
        place = _numbers(identities.places[index])
        rows.append({**place, id_column: one, **_change(comparison, index), **own})
    for index in lost:
        row = dict.fromkeys(columns) | _numbers(identities.old_places[index])
        rows.append(row | {id_column: identities.old_ids[index], "change": old[index]})
    outlines = np.concatenate([comparison.new.outlines, comparison.moved_outlines[lost]])
    return Layer(
        CHANGES,
        columns,
        rows,
        outlines,
        comparison.new.crs,
        polygon_type(outlines),
        title=words("Changes", "Änderungen"),
        description=words(
            "Each grave of either survey by its change; graves that are gone as they were",
            "Jedes Grab beider Aufnahmen nach seiner Änderung; verschwundene, wie sie waren",
        ),
        style=changes_style(comparison.id_column, columns),
    )


def before_layer(comparison: Comparison) -> Layer:
    """Return the old survey with all its columns, on the place of the new one."""
    old = comparison.old
    ours = {"change": CHANGE_COLUMNS["change"], "became": BECAME}
    columns, names = old_columns(kept_columns(old.types, old.rows), GRAVE_COLUMNS, ours)
    became = _became(comparison)
    rows = []
    for index, values in enumerate(old.rows):
        row = {free: to_cell(values[name], columns[free].kind) for free, name in names.items()}
        change = comparison.changes.of_old[index]
        row |= {"change": change, "became": ",".join(became.get(index, ())) or None}
        rows.append(row)
    return Layer(
        BEFORE_LAYER,
        columns | ours,
        rows,
        comparison.moved_outlines,
        comparison.new.crs,
        polygon_type(comparison.moved_outlines),
        title=words("Graves before", "Gräber vorher"),
        description=words(
            "The old survey with all its columns, moved onto the new one",
            "Die alte Aufnahme mit allen Spalten, auf die neue verschoben",
        ),
        style=BEFORE,
    )


def removed_layer(comparison: Comparison) -> Layer | None:
    """Return what reviews removed, with the graves that are gone; None if there is nothing.

    Later comparisons read it, so that the id of a grave that is gone is never given again, and no
    candidate is shown again that a review of the new survey refused.
    """
    old, ids = comparison.old, comparison.identities.old_ids
    known = {*old.retired}
    gone = [
        index
        for index, change in enumerate(comparison.changes.of_old)
        if change == "gone" and ids[index] and ids[index] not in known
    ]
    empty = empty_layer(comparison.new.crs)
    layer, own, day = old.removed or empty, comparison.new.removed or empty, today()
    refused = [
        index
        for index, row in enumerate(own.rows)
        if row["reason"] == REFUSED and row not in layer.rows
    ]
    if not (gone or refused):
        return old.removed
    outlines = np.concatenate(
        [layer.polygons(), own.polygons()[refused], comparison.moved_outlines[gone]]
    )
    rows = [*layer.rows, *(own.rows[index] for index in refused)]
    return replace(
        layer,
        rows=[*rows, *(removed_row(GONE, day, grave_id=ids[index]) for index in gone)],
        geometries=outlines,
        geometry_type=polygon_type(outlines),
    )


def _change(comparison: Comparison, index: int) -> dict[str, Any]:
    measures = comparison.changes.measures
    return {
        "change": comparison.changes.of_new[index],
        "moved_m": float(measures.moved_m[index]),
        "turned_deg": float(measures.turned_deg[index]),
        "area_change_m2": float(measures.area_change_m2[index]),
        "overlap": float(measures.iou[index]),
    }


def _place(place: Place | None, merged: MergedColumns, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the place of a grave where the office has written none."""
    known = {} if place is None else _numbers(place)
    return {
        name: to_cell(value, merged.columns[name].kind)
        for name, value in known.items()
        if name in merged.columns and row[name] is None
    }


def _numbers(place: Place | None) -> dict[str, int | None]:
    """Return a place as columns; no field and no row are no value."""
    if place is None:
        return dict.fromkeys(Place._fields)
    return {"field": place.field or None, "row": place.row or None, "number": place.number}


def _cemetery(comparison: Comparison, column: Column) -> Any:
    """Return the cemetery id of a new grave; an office that counts its cemeteries has a number."""
    if column.kind == "str":
        return comparison.identities.cemetery
    known = [value for value in comparison.old.column("cemetery_id") if value is not None]
    return Counter(known).most_common(1)[0][0] if known else None


def _joined(*ids: Any) -> str | None:
    return ",".join(str(one) for one in ids if one) or None


def _became(comparison: Comparison) -> Mapping[int, list[str]]:
    found: dict[int, list[str]] = {}
    changes = comparison.changes
    for index, partner in enumerate(changes.partner.tolist()):
        for source in changes.sources.get(index, (partner,)):
            found.setdefault(source, []).append(comparison.identities.ids[index])
    return found
