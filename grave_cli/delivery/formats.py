"""The formats of a map: which there are, what each needs and what it cannot hold."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pyproj import CRS

from grave_cli.delivery.csv_file import write_csv
from grave_cli.delivery.dxf_file import write_dxf
from grave_cli.delivery.layer import Layer
from grave_cli.delivery.parquet_file import check_parquet, write_parquet
from grave_cli.delivery.simple_files import (
    SHAPEFILE_NAMES,
    shapefile_parts,
    write_flatgeobuf,
    write_geojson,
    write_shapefile,
)
from grave_cli.errors import ExportError
from grave_cli.rasters.crs import LONLAT, parse_crs

FormatName = Literal["gpkg", "geojson", "shp", "fgb", "csv", "dxf", "parquet"]
FORMAT_NAMES: tuple[FormatName, ...] = get_args(FormatName)
GEOPACKAGE: FormatName = "gpkg"

Signs = tuple[str, str]


@dataclass(frozen=True)
class FileFormat:
    """A format that a layer of graves is written in; GeoPackage holds several layers.

    Args:
        title: Its name.
        content: A file of it, in words.
        endings: Endings of its files; the first one is the usual.
        write: Writes a layer; the last argument holds separator and decimal sign of a CSV file.
        lacks: What it cannot hold, beyond all layers but the graves; `{crs}` stands for the CRS.
        parts: The files that make up one of it.
        check: Raises ExportError if it cannot be written here.
    """

    title: str
    content: str
    endings: tuple[str, ...]
    write: Callable[[Layer, Path, Signs], None]
    lacks: str = ""
    parts: Callable[[Path], tuple[Path, ...]] = lambda path: (path,)
    check: Callable[[Path], None] = lambda path: None


def _no_layer(layer: Layer, path: Path, signs: Signs) -> None:
    raise ValueError("a GeoPackage is written by `geopackage.write_layers`")


_SHORT = ", ".join(f"{name} is {short}" for name, short in SHAPEFILE_NAMES.items())
FORMATS: dict[FormatName, FileFormat] = {
    "gpkg": FileFormat("GeoPackage", "a GeoPackage", (".gpkg",), _no_layer),
    "geojson": FileFormat(
        "GeoJSON",
        "a GeoJSON file",
        (".geojson", ".json"),
        lambda layer, path, _: write_geojson(layer, path),
        "coordinates are WGS 84, as RFC 7946 demands",
    ),
    "shp": FileFormat(
        "Shapefile",
        "a Shapefile",
        (".shp",),
        lambda layer, path, _: write_shapefile(layer, path),
        f"column names have at most ten letters ({_SHORT}), texts at most 254 bytes; yes and no "
        "are 1 and 0",
        shapefile_parts,
    ),
    "fgb": FileFormat(
        "FlatGeobuf",
        "a FlatGeobuf file",
        (".fgb",),
        lambda layer, path, _: write_flatgeobuf(layer, path),
    ),
    "csv": FileFormat(
        "CSV",
        "a CSV file",
        (".csv",),
        write_csv,
        "no CRS, coordinates are in {crs}; yes and no are 1 and 0",
    ),
    "dxf": FileFormat(
        "DXF",
        "a DXF drawing",
        (".dxf",),
        lambda layer, path, _: write_dxf(layer, path),
        "outlines, numbers and grave ids alone; no CRS, coordinates are in {crs}",
    ),
    "parquet": FileFormat(
        "GeoParquet",
        "a GeoParquet file",
        (".parquet", ".geoparquet"),
        lambda layer, path, _: write_parquet(layer, path),
        check=check_parquet,
    ),
}


def parse_formats(names: Sequence[str]) -> list[FormatName]:
    """Parse the names of formats; a leading point and capitals make no difference.

    Raises:
        ExportError: There is no such format.
    """
    known: dict[str, FormatName] = {name: name for name in FORMAT_NAMES}
    found = [known.get(name.lower().removeprefix(".")) for name in names]
    for name, one in zip(names, found, strict=True):
        if one is None:
            raise ExportError(
                "unknown format", where="--format", found=name, expected=", ".join(FORMAT_NAMES)
            )
    return [one for one in found if one is not None]


def format_of(path: Path) -> FormatName:
    """Tell the format of a file by its ending.

    Raises:
        ExportError: The ending belongs to no format.
    """
    for name, one in FORMATS.items():
        if path.suffix.lower() in one.endings:
            return name
    endings = [one.endings[0] for one in FORMATS.values()]
    raise ExportError(
        "its ending belongs to no format",
        where=path,
        found=path.suffix or "no ending",
        expected=f"{', '.join(endings[:-1])} or {endings[-1]}",
    )


def plan_files(out: Path, formats: Sequence[FormatName]) -> dict[FormatName, Path]:
    """Return the file of each format: the named one, and others beside it.

    Args:
        out: The named file; its ending tells its format.
        formats: Wanted formats.

    Raises:
        ExportError: The ending belongs to no format.
    """
    if os.path.isdir(out):  # `check_outputs` refuses it and says why
        return {GEOPACKAGE: out}
    others = (name for name in formats if name != format_of(out))
    files = {name: out.with_suffix(FORMATS[name].endings[0]) for name in others}
    return {format_of(out): out, **files}


def crs_for(name: FormatName, wanted: str, metric: str) -> str:
    """Return the CRS in which a format holds a map.

    Args:
        name: The format.
        wanted: The CRS of the map, as WKT.
        metric: A projected CRS of the same place.
    """
    if name == "geojson":
        return parse_crs(LONLAT)
    return metric if name == "dxf" and CRS(wanted).is_geographic else wanted


def shortcomings(
    names: Sequence[FormatName], wanted: str | None, metric: str | None = None
) -> list[str]:
    """Return what the files cannot hold, one sentence for all formats and one for each.

    Args:
        names: The formats.
        wanted: The CRS of the map, as WKT; None if that is the CRS of each orthophoto.
        metric: A projected CRS of the same place; None if there is none in common.
    """
    few = [name for name in names if name != GEOPACKAGE]
    if not few:
        return []
    titles = ", ".join(FORMATS[name].title for name in few)
    sentences = [
        f"{titles}: the graves alone, without the candidates, the outlines before "
        "regularisation, the mapped area, styles, titles of columns and provenance, which only a "
        "GeoPackage holds"
    ]
    for name in few:
        if FORMATS[name].lacks:
            system = "the CRS of each orthophoto"
            if wanted is not None:
                system = CRS(crs_for(name, wanted, metric or wanted)).name
            sentences.append(f"{FORMATS[name].title}: {FORMATS[name].lacks.format(crs=system)}")
    return sentences
