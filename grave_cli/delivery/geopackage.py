"""Layers in, a GeoPackage that opens ready to use out: written whole or not at all."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import shapely
from fiona._err import CPLE_BaseError  # GDAL's complaints, in no public module of fiona 1.10
from fiona.errors import FionaError
from fiona.io import MemoryFile

from grave_cli.atomic_writes import whole_file
from grave_cli.delivery.geopackage_seal import (
    refuse_open_geopackage,
    remove_sidecars,
    seal_geopackage,
)
from grave_cli.delivery.geopackage_tables import add_tables
from grave_cli.delivery.grave_columns import PROVENANCE_COLUMNS, words
from grave_cli.delivery.grave_styles import TABLE
from grave_cli.delivery.layer import Layer, Words
from grave_cli.delivery.metadata_record import metadata_record
from grave_cli.delivery.row_record import PROVENANCE
from grave_cli.errors import ExportError
from grave_cli.rasters.crs import LONLAT, transformer
from grave_cli.settings.output import Language


@dataclass(frozen=True)
class About:
    """What a GeoPackage says of itself.

    Args:
        title: Its title.
        abstract: What it shows.
        provenance: Its origin, by key.
    """

    title: Words
    abstract: Words
    provenance: Mapping[str, Any]


def write_layers(
    path: Path, layers: Sequence[Layer], about: About, language: Language = "en"
) -> None:
    """Write layers to a GeoPackage with their styles, titles, a metadata record and a seal.

    The table `gravecli_provenance` (key, value) is added. It also seals the content:
    `geopackage_seal.why_keep_map` tells by the seal whether somebody has changed the file.

    Args:
        path: The file; an existing one is replaced.
        layers: The layers; at least one has geometries.
        about: What the file says of itself.
        language: Language of all texts.

    Raises:
        ExportError: It cannot be written, or another program has it open; an existing file is
            untouched.
    """
    refuse_open_geopackage(path)
    tables = [*layers, _provenance_table(about.provenance)]
    record = _record(layers, about, language)
    with whole_file(path) as new:
        try:
            # In memory: on a full disk GDAL writes half a database and reports anything but that.
            with MemoryFile(ext=".gpkg") as memory:
                for layer in tables:
                    _write(memory.name, layer)
                new.write_bytes(memory.read())
            with closing(sqlite3.connect(new)) as database, database:
                add_tables(database, tables, record, language)
            seal_geopackage(new)
        except (FionaError, CPLE_BaseError, sqlite3.Error) as error:
            raise ExportError(f"cannot be written: {error}", where=path) from None
        refuse_open_geopackage(path)  # QGIS may have opened it meanwhile
        remove_sidecars(path)


def _write(path: str, layer: Layer) -> None:
    how = {"driver": "GPKG", "layer": layer.name, "crs_wkt": layer.crs, "schema": layer.schema()}
    with fiona.open(path, "w", **how) as file:
        file.writerecords(layer.records())


def _provenance_table(provenance: Mapping[str, Any]) -> Layer:
    return Layer(
        PROVENANCE,
        PROVENANCE_COLUMNS,
        [{"key": key, "value": str(value)} for key, value in provenance.items()],
        title=words("Origin of the map", "Herkunft der Karte"),
        description=words(
            "Program, model, inputs and settings, and a seal that shows later changes",
            "Programm, Modell, Eingaben und Einstellungen und ein Siegel, das spätere "
            "Änderungen zeigt",
        ),
        style=TABLE,
    )


def _record(layers: Sequence[Layer], about: About, language: Language) -> str:
    placed = [layer for layer in layers if layer.geometries is not None]
    crs = str(placed[0].crs)
    bounds = shapely.total_bounds(np.concatenate([layer.geometries for layer in placed]))
    return metadata_record(
        about.title[language],
        about.abstract[language],
        crs,
        transformer(crs, LONLAT).transform_bounds(*bounds),
        about.provenance,
        language,
    )
