"""A layer as a value: geometries, rows, and the words and style that belong to them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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

    @property
    def plain_kind(self) -> ColumnKind:
        """Type of its values as str, int, float or bool; dates and all others become text."""
        kind = self.kind.partition(":")[0]
        if kind in ("int", "int16", "int32", "int64"):
            return "int"
        return "float" if kind == "float" else "bool" if kind == "bool" else "str"

    def cell(self, value: Any) -> Any:
        """Return a value as it is written: rounded, and None for no value.

        12.0, which an office may have in a column of real numbers, is 12 in one of whole numbers.
        """
        if not isinstance(value, float | np.floating):
            return value
        if not np.isfinite(value):
            return None
        if self.plain_kind == "int" and float(value).is_integer():
            return int(value)
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

    def polygons(self) -> NDArray[np.object_]:
        """Return the geometries of a layer that has some.

        Raises:
            ValueError: It is a table.
        """
        if self.geometries is None:
            raise ValueError(f"{self.name} has no geometries")
        return self.geometries

    def plain(self) -> "Layer":
        """Return the layer for a format that knows the plain types alone."""
        kinds = {name: column.plain_kind for name, column in self.columns.items()}
        columns = {name: replace(one, kind=kinds[name]) for name, one in self.columns.items()}
        rows = [
            {
                name: str(cell) if kinds[name] == "str" and cell is not None else cell
                for name, cell in cells.items()
            }
            for cells in self.cells()
        ]
        return replace(self, columns=columns, rows=rows)

    def cells(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as they are written."""
        for row in self.rows:
            yield {name: column.cell(row[name]) for name, column in self.columns.items()}

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the rows as fiona writes them: to it, one polygon is none of several parts."""
        shapes = [None] * len(self.rows) if self.geometries is None else self.geometries
        several = self.geometry_type == "MultiPolygon"
        for shape, cells in zip(shapes, self.cells(), strict=True):
            if several and shape is not None and shape.geom_type == "Polygon":
                shape = shapely.MultiPolygon([shape])
            geometry = None if shape is None else shapely.geometry.mapping(shape)
            yield {"geometry": geometry, "properties": cells}

    def schema(self) -> dict[str, Any]:
        """Return the schema that fiona needs."""
        kind = "None" if self.geometries is None else self.geometry_type
        columns = {name: column.kind for name, column in self.columns.items()}
        return {"geometry": kind, "properties": columns}


def polygon_type(outlines: NDArray[np.object_]) -> str:
    """Return the type of a layer that holds some outlines; None for none."""
    several = shapely.get_type_id(outlines) == shapely.GeometryType.MULTIPOLYGON
    return "MultiPolygon" if several.any() else "Polygon"
