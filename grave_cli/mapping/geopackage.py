"""A mapped cemetery in, its layers and its GeoPackage out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from grave_cli.delivery.candidate_columns import CANDIDATE_COLUMNS, CANDIDATE_STYLE, CANDIDATES
from grave_cli.delivery.geopackage import About, write_layers
from grave_cli.delivery.grave_columns import CEMETERY_ID, GRAVE_ID, words
from grave_cli.delivery.grave_styles import COVERAGE, GRAVES, GRAVES_RAW
from grave_cli.delivery.layer import Layer
from grave_cli.errors import GridError
from grave_cli.mapping.result import PredictionResult
from grave_cli.rasters.crs import mover
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.settings.output import Language

_ROUND_TRIP_M = 0.01  # a valid transformation comes back within a fraction of this
_NEAR_DEGREES = 10.0  # neighbouring zones and countries are used on purpose


def write_geopackage(
    result: PredictionResult, path: Path, crs: str | None = None, language: Language = "en"
) -> None:
    """Write the graves of a cemetery.

    Layers: `graves` (outline and attributes), `candidates` (what may be a grave), `graves_raw` (the
    outline before it was regularised, same grave_id), `coverage` (footprint of the valid imagery),
    those of a comparison with the previous survey, and the table `gravecli_provenance`;
    `delivery.geopackage.write_layers` adds styles, titles and the seal.

    Args:
        result: The graves.
        path: The file; an existing one is replaced.
        crs: CRS of the file; None keeps the orthophoto's.
        language: Language of legends, titles and descriptions.

    Raises:
        ExportError: It cannot be written, or another program has it open; an existing file is
            untouched.
    """
    target = crs or result.source_crs
    layers = [graves_layer(result, target), *_further_layers(result, target)]
    write_layers(path, layers, _about(result), language)


def graves_layer(result: PredictionResult, crs: str) -> Layer:
    """Return the graves of a cemetery as a layer.

    Args:
        result: The graves.
        crs: CRS of the layer.
    """
    return Layer(
        "graves",
        result.columns,
        result.attributes,
        _moved(result, result.polygons, crs),
        crs,
        title=words("Graves", "Gräber"),
        description=words("One polygon for each grave", "Eine Fläche für jedes Grab"),
        style=GRAVES,
    )


def candidates_layer(result: PredictionResult, crs: str) -> Layer:
    """Return the candidates of a cemetery as a layer.

    Args:
        result: The graves and candidates.
        crs: CRS of the layer.
    """
    return Layer(
        CANDIDATES,
        CANDIDATE_COLUMNS,
        result.candidates.attributes,
        _moved(result, result.candidates.polygons, crs),
        crs,
        title=words("Candidates", "Kandidaten"),
        description=words(
            "Places that may be graves but were not drawn: accept or refuse each",
            "Stellen, die Gräber sein können, aber nicht gezeichnet wurden: jede übernehmen oder "
            "verwerfen",
        ),
        style=CANDIDATE_STYLE,
    )


def _further_layers(result: PredictionResult, crs: str) -> tuple[Layer, ...]:
    raw = Layer(
        "graves_raw",
        {"grave_id": GRAVE_ID},
        result.attributes,
        _moved(result, result.raw_polygons, crs),
        crs,
        title=words("Outlines before regularisation", "Umrisse vor der Begradigung"),
        description=words(
            "The outline of each grave as the model drew it",
            "Der Umriss jedes Grabes, wie das Modell ihn gezeichnet hat",
        ),
        style=GRAVES_RAW,
    )
    coverage = Layer(
        "coverage",
        {"cemetery_id": CEMETERY_ID},
        [{"cemetery_id": result.cemetery}],
        _moved(result, np.array([result.coverage], dtype=object), crs),
        crs,
        "MultiPolygon",
        title=words("Mapped area", "Kartierte Fläche"),
        description=words(
            "Footprint of the imagery in which graves were searched",
            "Fläche der Luftbilder, in der nach Gräbern gesucht wurde",
        ),
        style=COVERAGE,
    )
    candidates = candidates_layer(result, crs)
    return candidates, raw, coverage, *(_placed(result, layer, crs) for layer in result.further)


def _placed(result: PredictionResult, layer: Layer, crs: str) -> Layer:
    if layer.geometries is None:
        return layer
    return replace(layer, geometries=_moved(result, layer.geometries, crs), crs=crs)


def _moved(result: PredictionResult, polygons: np.ndarray, crs: str) -> np.ndarray:
    if crs == result.crs:
        return polygons
    left, bottom, right, top = result.grid.bounds
    move = mover(result.crs, crs, ((left + right) / 2, (bottom + top) / 2))
    return np.asarray(shapely.transform(polygons, move, interleaved=False))


def _about(result: PredictionResult) -> About:
    count = len(result.polygons)
    return About(
        words(f"Graves of {result.cemetery}", f"Gräber von {result.cemetery}"),
        words(
            f"Graves with field, row, number, size, confidence and review flags: {count}.",
            f"Gräber mit Feld, Reihe, Nummer, Maßen, Sicherheit, Hinweisen zur Prüfung: {count}.",
        ),
        result.provenance,
    )


def check_reach(grid: WorkingGrid, crs: str) -> None:
    """Check that a CRS has coordinates for a place, before its graves are mapped.

    Args:
        grid: The working grid.
        crs: CRS of the GeoPackage.

    Raises:
        GridError: The place has no coordinates in this CRS, or is far outside of its region.
    """
    if not (_returns(grid, crs) and _is_near(grid, CRS(crs))):
        raise GridError(
            "this CRS is not for the place of the orthophoto",
            where="--crs",
            found=CRS(crs).name,
            expected="a CRS of this region",
            remedy="without --crs, the CRS of the orthophoto is used",
        )


def _returns(grid: WorkingGrid, crs: str) -> bool:
    """Move the grid's corners to a CRS and back: do they return to their place?"""
    corners = np.array(shapely.box(*grid.bounds).exterior.coords).T
    try:
        there = Transformer.from_crs(grid.crs, crs, always_xy=True).transform(*corners)
        back = Transformer.from_crs(crs, grid.crs, always_xy=True).transform(*there)
    except ProjError:
        return False
    distances_m = np.hypot(*(np.array(back) - corners)) * grid.metres_per_unit
    return bool((distances_m < _ROUND_TRIP_M).all())


def _is_near(grid: WorkingGrid, crs: CRS) -> bool:
    """Tell whether a grid lies within some degrees of the region that a CRS is made for."""
    region = crs.area_of_use
    if region is None:
        return True
    centre = shapely.box(*grid.bounds).centroid
    place = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = place.transform(centre.x, centre.y)
    width = (region.east - region.west) % 360 or 360  # a region may lie across the antimeridian
    east_of_it = (longitude - region.west) % 360
    beside = 0 if east_of_it <= width else min(east_of_it - width, 360 - east_of_it)
    above = max(region.south - latitude, latitude - region.north, 0)
    return bool(max(beside, above) < _NEAR_DEGREES)
