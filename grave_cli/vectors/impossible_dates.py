"""Columns of dates that do not exist: 31 February, or the month 0 of registers that know the year.

GDAL passes on such dates, and fiona cannot read a row that has one.
"""

from pathlib import Path

from grave_cli.vectors.layers import LayerSchema, open_layer
from grave_cli.vectors.vector_files import VectorFile

_DATES = ("date", "time", "datetime")


def impossible_dates(file: VectorFile, layer: LayerSchema) -> tuple[str, ...]:
    """Find the columns of a layer that fiona cannot read; none if columns cannot be left out.

    Args:
        file: The file.
        layer: Its layer.
    """
    columns = [name for name, kind in layer.types.items() if kind in _DATES]
    return tuple(name for name in columns if file.can_skip_columns and _fails(file, layer, name))


def left_out_note(path: Path, columns: tuple[str, ...]) -> str:
    """Say that columns are left out.

    Args:
        path: The file.
        columns: The columns.
    """
    return (
        f"{path}: left out, because of dates that do not exist: {', '.join(columns)}; make text of "
        "them in QGIS (Processing > Refactor fields)"
    )


def _fails(file: VectorFile, layer: LayerSchema, column: str) -> bool:
    try:
        with open_layer(file, layer=layer.name, include_fields=[column]) as rows:
            for _ in rows:
                pass
    except ValueError:
        return True
    return False
