"""The station in one call: model and orthophoto in, graves out."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray

from grave_cli import __version__
from grave_cli.bundle import Bundle
from grave_cli.graves.attributes import heights_by_label, measure
from grave_cli.graves.contours import trace_instances
from grave_cli.graves.evidence import measure_evidence
from grave_cli.graves.instances import decode
from grave_cli.graves.outlines import to_crs
from grave_cli.graves.regularise import regularise
from grave_cli.graves.targets import BODY
from grave_cli.inputs.areas import Area, read_area, within_area
from grave_cli.inputs.fit import check_fit
from grave_cli.inputs.grid import WorkingGrid
from grave_cli.inputs.manifest import cemetery_name
from grave_cli.inputs.raster_io import orthophoto_grid
from grave_cli.mapping.engine import Engine
from grave_cli.mapping.result import PredictionResult
from grave_cli.mapping.stream import (
    ProbabilityMap,
    Scene,
    map_probabilities,
    open_scene,
    read_heights,
)
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.sections import DecodingSettings
from grave_cli.settings.tree import Settings

_COVERAGE_CELL_M = 0.5  # the footprint is drawn this coarsely
_COARSE_PX = 1000


def predict_cemetery(
    orthophoto: Path,
    dem: Path | None,
    bundle: Bundle,
    engine: Engine,
    settings: Settings,
    decoding: DecodingSettings | None = None,
    progress: Progress = SILENT,
    *,
    aoi: Path | None = None,
) -> PredictionResult:
    """Map the graves of one cemetery.

    Args:
        orthophoto: RGB(A) image.
        dem: Heights; None when there are none.
        bundle: The model; its recipe and thresholds are used.
        engine: Runs the model.
        settings: Tiles and outlines.
        decoding: Thresholds to use instead of the model's.
        progress: Is told how far it is.
        aoi: Vector file with the area to be mapped; None maps all. A grave belongs to it when its
            centroid does.

    Raises:
        DatasetError: The area cannot be read, or lies outside of the orthophoto.
        GridError: No working grid can be laid on the orthophoto.
        ModelError: The cemetery does not fit the model: it has no heights where these are needed,
            or other 16-bit values than those trained on.
        RasterReadError: A raster cannot be used.
    """
    recipe = bundle.card.recipe
    grid = orthophoto_grid(orthophoto, recipe.gsd_m, settings.grid.max_upsampling)
    for note in check_fit(recipe, orthophoto, dem, grid, bundle.card.name):
        progress.note(note)
    scene = open_scene(orthophoto, dem, grid, recipe)
    if aoi is not None:
        scene = replace(scene, aoi=read_area(aoi, grid))
    probabilities = map_probabilities(scene, engine, settings.prediction, progress)
    thresholds = decoding or bundle.card.decoding
    provenance = _provenance(scene, bundle, thresholds, engine)
    provenance["aoi"] = aoi.name if aoi else ""
    return extract_graves(probabilities, scene, thresholds, settings, provenance)


def extract_graves(
    probabilities: ProbabilityMap,
    scene: Scene,
    decoding: DecodingSettings,
    settings: Settings,
    provenance: dict[str, Any],
) -> PredictionResult:
    """Turn the probabilities of a cemetery into its graves.

    Args:
        probabilities: Over the whole grid.
        scene: Where they come from.
        decoding: Thresholds.
        settings: Outlines.
        provenance: What is said of their origin.
    """
    grid, values = probabilities.grid, probabilities.probabilities()
    labels = decode(values, grid.gsd_m, decoding)
    raw, ids = trace_instances(labels, values[BODY], decoding.body_threshold)
    evidence = measure_evidence(labels, values, probabilities.valid)
    outlines = regularise(raw, evidence.body, grid.gsd_m, settings.outlines)
    polygons = to_crs(outlines.regular, grid.transform)
    order = _reading_order(polygons)
    order = order[within_area(polygons[order], scene.aoi)]
    outlines, polygons = outlines.take(order), polygons[order]
    rows = _attributes(
        cemetery_name(scene.orthophoto),
        polygons,
        grid,
        confidence=evidence.body[outlines.index],
        heights=_heights(scene, labels, ids[outlines.index]),
        shape=outlines.shape,
    )
    return PredictionResult(
        cemetery=cemetery_name(scene.orthophoto),
        grid=grid,
        source_crs=scene.source_crs,
        polygons=polygons,
        raw_polygons=to_crs(outlines.raw, grid.transform),
        attributes=tuple(rows),
        coverage=_coverage(probabilities.valid, grid, scene.aoi),
        provenance=provenance,
        computed_share=float(probabilities.valid.mean()),
        coarse_probability=_coarse(values[BODY]),
    )


def _reading_order(polygons: NDArray[np.object_]) -> NDArray[np.intp]:
    """Sort graves from north to south, then from west to east."""
    points = shapely.get_coordinates(shapely.centroid(polygons))
    return np.lexsort((points[:, 0], -points[:, 1]))


def _heights(
    scene: Scene, labels: NDArray[np.int32], ids: NDArray[np.int64]
) -> NDArray[np.float64]:
    heights = read_heights(scene)
    if heights is None:
        return np.full(len(ids), np.nan)
    return heights_by_label(heights, labels, ids)


def _attributes(
    cemetery: str,
    polygons: NDArray[np.object_],
    grid: WorkingGrid,
    *,
    confidence: NDArray[np.float64],
    heights: NDArray[np.float64],
    shape: NDArray[np.str_],
) -> Iterator[dict[str, Any]]:
    measures = measure(polygons, grid.crs, grid.metres_per_unit)
    for index in range(len(polygons)):
        yield {
            "grave_id": f"{cemetery}-{index + 1:04d}",
            "cemetery_id": cemetery,
            "confidence": float(confidence[index]),
            "area_m2": float(measures.area_m2[index]),
            "length_m": float(measures.length_m[index]),
            "width_m": float(measures.width_m[index]),
            "azimuth_deg": float(measures.azimuth_deg[index]),
            "height_m": float(heights[index]),
            "shape": str(shape[index]),
        }


def _coverage(
    valid: NDArray[np.bool_], grid: WorkingGrid, aoi: Area | None
) -> shapely.MultiPolygon:
    """Draw the footprint of the valid imagery that was mapped, coarsely."""
    step = max(1, grid.metres_to_px(_COVERAGE_CELL_M))
    coarse = np.ascontiguousarray(valid[::step, ::step].astype(np.uint8))
    transform = grid.transform @ grid.transform.scale(step)
    shapes = rasterio.features.shapes(coarse, mask=coarse > 0, transform=transform)
    parts = [shapely.geometry.shape(shape) for shape, _ in shapes]
    merged = shapely.union_all(parts)
    if aoi is not None:
        merged = shapely.intersection(merged, aoi)
    polygons = [part for part in shapely.get_parts(merged) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(polygons)


def _coarse(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average values over square blocks, so that the longer side has at most 1000 px."""
    height, width = values.shape
    step = -(-max(height, width) // _COARSE_PX)
    rows, columns = range(0, height, step), range(0, width, step)
    sums = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    counts = np.diff([*rows, height])[:, None] * np.diff([*columns, width])
    return np.asarray(sums / counts, np.float32)


def _provenance(
    scene: Scene, bundle: Bundle, decoding: DecodingSettings, engine: Engine
) -> dict[str, Any]:
    card = bundle.card
    return {
        "gravecli_version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "orthophoto": scene.orthophoto.name,
        "dem": scene.dem.name if scene.dem else "",
        "model": card.name,
        "model_sha256": bundle.sha256(),
        "mlflow_run": card.run_id,
        "dataset_id": card.dataset_id,
        "engine": engine.name,
        "gsd_m": scene.grid.gsd_m,
        "crs": scene.grid.crs,
        "thresholds": decoding.model_dump_json(),
        "settings": card.model_dump_json(include={"settings"}),
    }
