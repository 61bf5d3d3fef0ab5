"""Removed graves and candidates as a layer: deleted in a review, gone since, or refused."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from grave_cli.delivery.grave_columns import GRAVE_ID, words
from grave_cli.delivery.layer import Column, Layer, polygon_type
from grave_cli.delivery.style import Rule, Stroke, Style
from grave_cli.errors import DatasetError
from grave_cli.vectors.vector_io import LayerChoice, read_features

REMOVED = "gravecli_removed"
"""Name of the layer."""
DELETED, MERGED, REFUSED, COVERED = "deleted", "merged", "refused", "covered"
GONE = "gone"

_COLUMNS: Mapping[str, Column] = {
    "grave_id": GRAVE_ID,
    "candidate_id": Column(
        "int",
        words("Candidate", "Kandidat"),
        words("Number of the candidate", "Nummer des Kandidaten"),
    ),
    "reason": Column(
        "str",
        words("Reason", "Grund"),
        words("Why it is no grave of the map any more", "Warum es kein Grab der Karte mehr ist"),
        values={
            DELETED: words("grave deleted", "Grab gelöscht"),
            MERGED: words("merged into another grave", "in einem anderen Grab aufgegangen"),
            REFUSED: words("candidate refused", "Kandidat abgelehnt"),
            COVERED: words("candidate with a grave on it", "Kandidat, auf dem ein Grab liegt"),
            GONE: words("gone in a re-survey", "bei einer neuen Aufnahme verschwunden"),
        },
    ),
    "became": Column(
        "str",
        words("Became", "Heute"),
        words("Id of the grave that lies there today", "Kennung des Grabes, das heute dort liegt"),
    ),
    "probability": Column(
        "float",
        words("Probability", "Wahrscheinlichkeit"),
        words("Probability of the candidate", "Wahrscheinlichkeit des Kandidaten"),
    ),
    "removed_on": Column(
        "str",
        words("Removed on", "Entfernt am"),
        words("Day on which gravecli recorded it", "Tag, an dem gravecli es festgehalten hat"),
    ),
}
_STYLE = Style(
    rules=(
        Rule(
            words("removed", "entfernt"),
            "",
            (Stroke("#b0b0b0", 0.03, (0.15, 0.3), opacity=0.8, dashed=True),),
        ),
    ),
    from_scale=300,
    display='coalesce("grave_id", \'candidate \' || "candidate_id")',
)


def empty_layer(crs: str) -> Layer:
    """Return the layer without rows.

    Args:
        crs: CRS of the map, as WKT.
    """
    return Layer(
        REMOVED,
        _COLUMNS,
        (),
        np.empty(0, dtype=object),
        crs,
        title=words("Removed", "Entfernt"),
        description=words(
            "Graves that were deleted or are gone, and candidates that were refused",
            "Gelöschte und verschwundene Gräber und abgelehnte Kandidaten",
        ),
        style=_STYLE,
    )


def removed_row(reason: str, day: str, **values: Any) -> dict[str, Any]:
    """Return a row of the layer.

    Args:
        reason: One of the reasons above.
        day: Today, as a date.
        values: Other columns; those that are not named stay empty.
    """
    return {**dict.fromkeys(_COLUMNS), **values, "reason": reason, "removed_on": day}


def today() -> str:
    """Return the day, as the layer records it."""
    return datetime.now(UTC).date().isoformat()


def read_removed(path: Path, crs: str) -> Layer | None:
    """Read the layer of a map that was tidied; None if the map has none.

    Args:
        path: A vector file.
        crs: CRS of the result.
    """
    try:
        found = read_features(path, crs, LayerChoice(REMOVED), columns=_COLUMNS)
    except DatasetError:
        return None
    rows = [
        {name: found.values[name][i] if name in found.values else None for name in _COLUMNS}
        for i in range(len(found.geometries))
    ]
    kind = polygon_type(found.geometries)
    return replace(empty_layer(crs), rows=rows, geometries=found.geometries, geometry_type=kind)
