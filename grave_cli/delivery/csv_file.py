"""A layer in, a CSV file for spreadsheets out: attributes, centroid and outline (WKT)."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS

from grave_cli.atomic_writes import whole_file
from grave_cli.delivery.layer import Layer

_DECIMALS = {True: 9, False: 4}  # of degrees and of other units: 0.1 mm


def write_csv(layer: Layer, path: Path, signs: tuple[str, str]) -> None:
    """Write a layer as CSV, in UTF-8 with the byte order mark by which Excel knows it.

    Args:
        layer: The layer.
        path: The file; an existing one is replaced.
        signs: Separator of the values and decimal sign of the numbers. WKT has decimal points.

    Raises:
        ExportError: It cannot be written.
    """
    separator, decimal = signs
    with (
        whole_file(path) as new,
        new.open("w", encoding="utf-8-sig", newline="") as file,
    ):
        table = csv.writer(file, delimiter=separator)
        table.writerow([*layer.columns, "centroid_x", "centroid_y", "wkt"])
        table.writerows(_rows(layer, decimal))


def _rows(layer: Layer, decimal: str) -> Iterator[list[str]]:
    decimals = _DECIMALS[CRS(layer.crs).is_geographic]
    outlines = layer.polygons()
    middles = shapely.centroid(outlines)
    places = np.stack([shapely.get_x(middles), shapely.get_y(middles)], axis=1)
    texts = shapely.to_wkt(outlines, rounding_precision=decimals)
    for cells, place, outline in zip(layer.cells(), places, texts, strict=True):
        values = [_text(value, decimal) for value in cells.values()]
        numbers = [f"{value:.{decimals}f}".replace(".", decimal) for value in place]
        yield [*values, *numbers, outline]


def _text(value: Any, decimal: str) -> str:
    """Return a value as text; yes and no are 1 and 0, which every language reads."""
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    return str(value).replace(".", decimal) if isinstance(value, float) else str(value)
