"""A layer as a value: geometries, rows, and the words and style that belong to them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.delivery.style import Style
from grave_cli.settings.output import Language

ColumnKind = str
"""A type of fiona: str, int, float, bool, or that of a column that was read ("int32", "date")."""

Words = Mapping[Language, str]
NO_WORDS: Words = {"en": "", "de": ""}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        kind: Type of its values.
        title: Short title, shown instead of the name; empty for none.
        description: What the values mean and in which unit.
        decimals: Decimals that are written of a float; None for all.
        values: Titles of the values of a column with few of them.
    """

    kind: ColumnKind
    title: Words = field(default_factory=lambda: NO_WORDS)
    description: Words = field(default_factory=lambda: NO_WORDS)
    decimals: int | None = 3
    values: Mapping[str, Words] = field(default_factory=dict)

    def cell(self, value: Any) -> Any:
        """Return a value as it is written: rounded, and None for no value."""
        if not isinstance(value, float | np.floating):
            return value
        if not np.isfinite(value):
            return None
        return float(value) if self.decimals is None else round(float(value), self.decimals)


@dataclass(frozen=True)
class Layer:
    """A layer of a map, or a table if it has no geometries.

    Args:
        name: Name of the layer.
        columns: Columns by name, in their order.
        rows: Values by the name of their column.
        geometries: One geometry for each row; None for a table.
        crs: CRS of the geometries, as WKT.
        geometry_type: Type of all geometries.
        title: Title of the layer.
        description: What it holds.
        style: How it is drawn; None leaves this to the program.
    """

    name: str
    columns: Mapping[str, Column]
    rows: Sequence[Mapping[str, Any]]
    geometries: NDArray[np.object_] | None = None
    crs: str | None = None
    geometry_type: str = "Polygon"
    title: Words = field(default_factory=lambda: NO_WORDS)
    description: Words = field(default_factory=lambda: NO_WORDS)
    style: Style | None = None

    def cells(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as they are written."""
        for row in self.rows:
            yield {name: column.cell(row[name]) for name, column in self.columns.items()}

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as fiona writes them."""
        shapes = [None] * len(self.rows) if self.geometries is None else self.geometries
        for shape, cells in zip(shapes, self.cells(), strict=True):
            geometry = None if shape is None else shapely.geometry.mapping(shape)
            yield {"geometry": geometry, "properties": cells}

    def schema(self) -> dict[str, Any]:
        """Return the schema that fiona needs."""
        kind = "None" if self.geometries is None else self.geometry_type
        columns = {name: column.kind for name, column in self.columns.items()}
        return {"geometry": kind, "properties": columns}
