"""A new map and the previous survey in; the map with the old ids and the changes out."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.errors import DatasetError
from grave_cli.mapping.result import Candidates, PredictionResult
from grave_cli.outlines.polygons import mended
from grave_cli.outputs import source_of
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.resurvey.compare import Comparison, compare_surveys
from grave_cli.resurvey.comparison_file import describe_comparison
from grave_cli.resurvey.ids import check_ids
from grave_cli.resurvey.layers import further_layers, graves_rows
from grave_cli.resurvey.removed import REFUSED
from grave_cli.resurvey.survey import OLD_LAYER_OPTION, Survey, read_survey
from grave_cli.settings.tree import Settings
from grave_cli.vectors.outline_repair import clean_outlines

_APART_M = 100.0
_SAME_SHARE = 0.5  # of the smaller outline: a candidate is one that was refused


def read_previous(path: Path, grid: WorkingGrid, settings: Settings) -> Survey:
    """Read the previous survey of a cemetery in the CRS of a working grid.

    Args:
        path: A vector file.
        grid: The working grid of the orthophoto.
        settings: Layer and column of ids of the survey.

    Raises:
        DatasetError: The file cannot be read, holds no grave, has no column of ids, or is of
            another place.
    """
    survey = read_survey(path, settings.compare.layer, OLD_LAYER_OPTION, grid.crs)
    check_ids(survey, settings)
    bounds = shapely.box(*shapely.total_bounds(survey.outlines))
    distance_m = shapely.distance(bounds, shapely.box(*grid.bounds)) * grid.metres_per_unit
    if not distance_m <= _APART_M:
        raise DatasetError(
            "previous survey is of another place",
            where=path,
            found=f"graves {distance_m / 1000:,.1f} km from the orthophoto",
            expected="the same cemetery",
            remedy="check that the files belong together and that both have the right CRS",
        )
    return survey


def continue_survey(
    result: PredictionResult, previous: Survey, settings: Settings
) -> tuple[PredictionResult, Comparison]:
    """Give the graves of a map the ids and columns of the previous survey.

    Args:
        result: The new map.
        previous: The previous survey, in the CRS of the result.
        settings: Limits of the kinds of change; rows and numbers of new graves.

    Returns:
        The map, sorted by its old places, with the layers of the changes; and the comparison.

    Raises:
        DatasetError: The survey is of another place, or has no column of ids.
    """
    types = {name: column.kind for name, column in result.columns.items()}
    new = Survey(
        "the new map", result.crs, result.polygons, types, result.attributes, result.coverage
    )
    comparison = compare_surveys(previous, new, settings, result.cemetery)
    order = _order(comparison)
    rows = [*_all_columns(result, comparison)]
    origin = {"previous": Path(previous.name).name}
    origin["previous_fingerprint"] = source_of(Path(previous.name))
    continued = replace(
        result,
        polygons=result.polygons[order],
        raw_polygons=result.raw_polygons[order],
        attributes=tuple(rows[index] for index in order),
        features=None if result.features is None else result.features[order],
        columns=comparison.columns.columns,
        further=further_layers(comparison),
        candidates=_not_refused(result, comparison),
        provenance={**result.provenance, **origin, **describe_comparison(comparison)},
    )
    return _without_gaps(continued), comparison


def _all_columns(result: PredictionResult, comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Yield the columns of each grave, with any column that has another name in its layer.

    To a GeoPackage, `GRAVE_ID` or `Number` of the office is one column with that of the map.
    """
    id_column, columns = comparison.id_column, comparison.columns.columns
    for new, row in zip(result.attributes, graves_rows(comparison), strict=True):
        own = {} if "grave_id" in columns else {"grave_id": row[id_column]}
        yield {**new, **row, **own}


def _not_refused(result: PredictionResult, comparison: Comparison) -> Candidates:
    """Leave out candidates that the office has refused in the previous survey."""
    removed, found = comparison.old.removed, result.candidates
    rows = removed.rows if removed else ()
    is_refused = np.array([row["reason"] == REFUSED for row in rows], np.bool_)
    if removed is None or not is_refused.any() or not len(found):
        return found
    shift, scale = comparison.shift, result.grid.metres_per_unit
    step = np.array([shift.east_m, shift.north_m]) / scale
    # A person may have refused one without an outline, or with one that crosses itself.
    drawn = clean_outlines(removed.polygons()[is_refused], 0.0).polygons
    refused = mended(np.asarray(shapely.transform(drawn, lambda points: points + step)))
    index, other = shapely.STRtree(refused).query(found.polygons, predicate="intersects")
    one, two = found.polygons[index], refused[other]
    common = shapely.area(shapely.intersection(one, two))
    same = common > _SAME_SHARE * np.minimum(shapely.area(one), shapely.area(two))
    kept = np.setdiff1d(np.arange(len(found)), index[same])
    return Candidates(found.polygons[kept], tuple(found.attributes[i] for i in kept))


def _without_gaps(result: PredictionResult) -> PredictionResult:
    """Number the order of the review anew: the first 17 by rank are 17 also without the refused."""
    rows = [*result.attributes, *result.candidates.attributes]
    places = np.argsort(np.argsort([row["review_rank"] for row in rows]))
    ranked = tuple(
        {**row, "review_rank": int(place) + 1} for row, place in zip(rows, places, strict=True)
    )
    count = len(result.attributes)
    candidates = replace(result.candidates, attributes=ranked[count:])
    return replace(result, attributes=ranked[:count], candidates=candidates)


def _order(comparison: Comparison) -> NDArray[np.intp]:
    """Sort graves by field, row, number and id; graves without a place come last."""
    identities = comparison.identities
    places = [place or (0, 0, 0) for place in identities.places]
    keys = [
        (field == 0, field, row == 0, row, number, one)
        for (field, row, number), one in zip(places, identities.ids, strict=True)
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.intp)
