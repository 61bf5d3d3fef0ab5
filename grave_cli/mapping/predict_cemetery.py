"""The station in one call: model and orthophoto in, graves out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli import __version__
from grave_cli.dataset.manifest import cemetery_name
from grave_cli.graves.attributes import measure
from grave_cli.graves.confidence import Calibration, confidence_features
from grave_cli.graves.flags import Review, review
from grave_cli.mapping.blocks import find_graves
from grave_cli.mapping.engine import Engine
from grave_cli.mapping.model_fit import check_fit
from grave_cli.mapping.probability_map import ProbabilityMap
from grave_cli.mapping.result import PredictionResult
from grave_cli.mapping.scene import Scene, open_scene
from grave_cli.mapping.scratch import prediction_key, scratch
from grave_cli.mapping.stream import map_probabilities, plan_scene
from grave_cli.mapping.summary import look_over
from grave_cli.mapping.tiling import measure_speeds
from grave_cli.model.bundle import Bundle
from grave_cli.outlines.polygons import to_crs
from grave_cli.outlines.regularise import regularise
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import orthophoto_grid
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.vectors.areas import read_area, within_area

_WORTH_MEASURING_MPX = 50  # below, the measurement would take longer than it saves


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
    resume: bool = True,
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
        resume: Take up what an earlier try, which was killed, has computed of the same.

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
    thresholds = decoding or bundle.card.decoding
    provenance = _provenance(scene, bundle, thresholds, engine)
    provenance["aoi"] = aoi.name if aoi else ""
    with _mapped(scene, bundle, engine, settings, progress, resume) as probabilities:
        return extract_graves(
            probabilities,
            scene,
            thresholds,
            settings,
            provenance,
            bundle.card.calibration,
            progress,
        )


@contextmanager
def _mapped(
    scene: Scene,
    bundle: Bundle,
    engine: Engine,
    settings: Settings,
    progress: Progress,
    resume: bool,
) -> Iterator[ProbabilityMap]:
    """Compute the probabilities; those of a large cemetery lie in files while the block runs."""
    prediction, cache = settings.prediction, settings.work_dir / "cache"
    megapixels = scene.grid.height * scene.grid.width / 1e6
    if megapixels <= prediction.memory_mpx:
        yield map_probabilities(scene, engine, prediction, progress)
        return
    model = bundle.sha256()
    speeds = None
    if not prediction.tile_px and megapixels >= _WORTH_MEASURING_MPX:
        progress.note("Measuring which tiles are fastest on this machine")
        channels = scene.recipe.channel_count
        speeds = measure_speeds(engine, channels, prediction, cache / "tile-speeds.json", model)
    plan = plan_scene(scene, engine, prediction, speeds)
    key = prediction_key(scene, plan.tiling, model, engine.name)
    with scratch(cache / "predictions", key, resume=resume) as shelf:
        yield map_probabilities(scene, engine, prediction, progress, plan=plan, shelf=shelf)


def extract_graves(
    probabilities: ProbabilityMap,
    scene: Scene,
    decoding: DecodingSettings,
    settings: Settings,
    provenance: dict[str, Any],
    calibration: Calibration | None = None,
    progress: Progress = SILENT,
) -> PredictionResult:
    """Turn the probabilities of a cemetery into its graves.

    Args:
        probabilities: Over the whole grid.
        scene: Where they come from.
        decoding: Thresholds.
        settings: Outlines, review.
        provenance: What is said of their origin.
        calibration: Of the model's confidence; None takes the mean probability of body.
        progress: Is told how far it is.

    Raises:
        RasterReadError: The DEM is damaged.
    """
    grid = probabilities.grid
    found = find_graves(
        probabilities, scene, decoding, progress, threads=settings.prediction.threads
    )
    outlines = regularise(found.polygons, found.evidence.body, grid.gsd_m, settings.outlines)
    found = found.take(outlines.index)
    features = confidence_features(outlines, found.evidence)
    confidence = calibration.confidence(features) if calibration else found.evidence.body
    reviewed = review(outlines, found.evidence, confidence, grid.gsd_m, settings.review)
    polygons = to_crs(outlines.regular, grid.transform)
    order = _reading_order(polygons)
    order = order[within_area(polygons[order], scene.aoi)]
    outlines, polygons = outlines.take(order), polygons[order]
    cemetery = cemetery_name(scene.orthophoto)
    rows = _attributes(
        cemetery,
        polygons,
        grid,
        confidence=confidence[order],
        heights=found.heights[order],
        shape=outlines.shape,
        reviewed=reviewed.take(order),
    )
    overview = look_over(probabilities, scene.aoi)
    return PredictionResult(
        cemetery=cemetery,
        grid=grid,
        source_crs=scene.source_crs,
        polygons=polygons,
        raw_polygons=to_crs(outlines.raw, grid.transform),
        attributes=tuple(rows),
        coverage=overview.footprint,
        provenance=provenance,
        features=features[order],
        computed_share=overview.valid_share,
        coarse_probability=overview.probability,
    )


def _reading_order(polygons: NDArray[np.object_]) -> NDArray[np.intp]:
    """Sort graves from north to south, then from west to east."""
    points = shapely.get_coordinates(shapely.centroid(polygons))
    return np.lexsort((points[:, 0], -points[:, 1]))


def _attributes(
    cemetery: str,
    polygons: NDArray[np.object_],
    grid: WorkingGrid,
    *,
    confidence: NDArray[np.float64],
    heights: NDArray[np.float64],
    shape: NDArray[np.str_],
    reviewed: Review,
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
            "flags": reviewed.flags[index],
            "needs_review": bool(reviewed.needed[index]),
        }


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
