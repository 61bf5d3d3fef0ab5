"""The layers of a vector file, opened with the driver of its format alone."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import fiona

from grave_cli.errors import DatasetError
from grave_cli.rasters.geopackage_edits import with_edits
from grave_cli.vectors.parquet_file import as_flatgeobuf
from grave_cli.vectors.vector_files import PARQUET, VectorFile, identify

_MOST_LAYERS = 1000


@dataclass(frozen=True)
class LayerSchema:
    """A layer of a file.

    Args:
        name: Its name.
        kind: Kind of its geometries, flat ("MultiPolygon").
        types: fiona's type of each column.
    """

    name: str
    kind: str
    types: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns."""
        return tuple(self.types)

    def without(self, columns: Collection[str]) -> "LayerSchema":
        """Return the layer without some columns."""
        types = {name: kind for name, kind in self.types.items() if name not in columns}
        return replace(self, types=types)


@contextmanager
def ready_to_read(path: Path) -> Iterator[VectorFile]:
    """Identify a vector file for GDAL to read while the block runs.

    Args:
        path: The file. A GeoPackage that QGIS has open is read with all saved edits, from a copy.

    Raises:
        DatasetError: As for `identify`.
    """
    file = identify(path)
    if file.driver != "GPKG":
        yield file
        return
    with with_edits(path, DatasetError) as whole:
        yield replace(file, path=whole)


def open_layer(file: VectorFile, **how: Any) -> fiona.Collection:
    """Open a layer with the driver of the file's format; no other one may look at the file.

    Args:
        file: The file.
        how: Further arguments of `fiona.open`; without `layer`, the first one.
    """
    if file.driver == PARQUET:  # GDAL reads it only where it was built with Arrow
        return fiona.open(BytesIO(as_flatgeobuf(file.path)), enabled_drivers=["FlatGeobuf"], **how)
    return fiona.open(
        file.path.absolute(),
        enabled_drivers=[file.driver],
        allow_unsupported_drivers=file.driver == "KML",
        **file.options,
        **how,
    )


def layers_of(file: VectorFile) -> dict[str, LayerSchema]:
    """Describe all layers, one after the other.

    `fiona.listlayers` would let any of GDAL's drivers open the file, also one that fetches.
    """
    found = {}
    for index in range(_MOST_LAYERS):
        try:
            with open_layer(file, layer=index or None) as layer:
                kind = layer.schema["geometry"].removeprefix("3D ").removeprefix("Measured ")
                found[layer.name] = LayerSchema(layer.name, kind, dict(layer.schema["properties"]))
        except ValueError as error:
            if not str(error).startswith("Null layer"):
                raise
            break
    return found
