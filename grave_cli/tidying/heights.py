"""The DEM and DTM of a map and some outlines in, their heights above the ground around them out."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.dataset.file_kinds import DEM, DTM
from grave_cli.dataset.recorded_files import recorded_data, recorded_places
from grave_cli.delivery.geopackage_seal import DEM_KEY, DTM_KEY
from grave_cli.graves.attributes import heights_by_label
from grave_cli.outlines.polygons import Polygons
from grave_cli.outputs import source_of
from grave_cli.rasters.dem_heights import open_dem
from grave_cli.rasters.elevation import measure_elevation, read_elevation
from grave_cli.rasters.grid import Window, WorkingGrid
from grave_cli.settings.inputs import ElevationSettings

_MARGIN_PX = 2


@dataclass(frozen=True)
class Elevation:
    """The rasters from which a map got its heights.

    Args:
        dem: The DEM; None if it is not here, or there is none.
        dtm: The DTM below it; None without one.
        note: Why heights are not measured, to end a sentence; empty if they are.
    """

    dem: Path | None = None
    dtm: Path | None = None
    note: str = ""


def find_elevation(
    map_file: Path, provenance: Mapping[str, str], given: Elevation, roots: Iterable[Path]
) -> Elevation:
    """Find the DEM and the DTM of a map by their names and content.

    Args:
        map_file: The map.
        provenance: Its origin.
        given: Files that the user names; taken as they are.
        roots: Data folders to look into, besides that of the training.
    """
    places = (*roots, recorded_data(provenance).root)
    found: dict[str, Path | None] = {}
    for name, key, kind, file in (
        ("dem", DEM_KEY, DEM, given.dem),
        ("dtm", DTM_KEY, DTM, given.dtm),
    ):
        recorded, fingerprint = provenance.get(name, ""), provenance.get(key, "")
        found[name] = file
        if file is not None or not recorded:
            continue
        files = list(recorded_places(map_file, recorded, kind, places))
        same = (path for path in files if fingerprint and source_of(path) == fingerprint)
        found[name] = next(same, None)
        if found[name] is None:
            why = f"{files[0]} has other content" if files else f"{recorded} is not here"
            return Elevation(note=f"{why}; name the {name.upper()} with --{name}")
    return Elevation(found["dem"], found["dtm"]) if found["dem"] else Elevation()


def measure_heights(
    polygons: Polygons, elevation: Elevation, grid: WorkingGrid, provenance: Mapping[str, str]
) -> NDArray[np.float64]:
    """Measure how high graves rise above the local ground, as the mapping does.

    Args:
        polygons: Outlines in the CRS of the grid.
        elevation: The DEM and the DTM.
        grid: The working grid of the map.
        provenance: Its origin, which tells the settings of the elevation.

    Returns:
        Metres; NaN where the height is not known.

    Raises:
        GridError: The DEM has no usable CRS or geotransform.
        RasterReadError: It cannot be read, or has no heights there.
    """
    if not len(polygons) or elevation.dem is None:
        return np.full(len(polygons), np.nan)
    with open_dem(elevation.dem, elevation.dtm) as reader:
        statistics = measure_elevation(reader, grid, _elevation_settings(provenance))
        found = []
        for polygon in polygons:
            part = grid.crop(_window(polygon, grid))
            heights = read_elevation(reader, part, statistics, ("height",))[0]
            found.append(heights_by_label(heights, _drawn(polygon, part), np.array([1]))[0])
    return np.array(found, np.float64)


def _elevation_settings(provenance: Mapping[str, str]) -> ElevationSettings:
    """Read the settings of a model for rgb+dem; other models leave heights to the defaults."""
    try:
        settings = json.loads(provenance["settings"])["settings"]
        if "dem" in settings["data"]["channels"]:
            return ElevationSettings(**settings["elevation"])
    except (KeyError, TypeError, ValueError, RecursionError):
        pass
    return ElevationSettings()


def _window(polygon: shapely.Polygon, grid: WorkingGrid) -> Window:
    left, bottom, right, top = polygon.bounds
    column, row = ~grid.transform @ (left, top)
    last_column, last_row = ~grid.transform @ (right, bottom)
    first = math.floor(column) - _MARGIN_PX, math.floor(row) - _MARGIN_PX
    last = math.ceil(last_column) + _MARGIN_PX, math.ceil(last_row) + _MARGIN_PX
    return Window(first[0], first[1], last[0] - first[0], last[1] - first[1])


def _drawn(polygon: shapely.Polygon, grid: WorkingGrid) -> NDArray[np.int32]:
    """Draw a polygon as label 1: pixels whose centre it contains."""
    columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    x, y = grid.transform @ (columns, rows)
    return np.asarray(shapely.contains_xy(polygon, x, y), np.int32)
