"""Probabilities in, graves out: decoding, regular outlines, confidence, attributes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grave_cli.dataset.named_files import cemetery_name
from grave_cli.graves.attributes import measure
from grave_cli.graves.confidence import Calibration, confidence_features
from grave_cli.graves.flags import Review, review
from grave_cli.graves.review_model import DEFAULT_REVIEW, ReviewModel
from grave_cli.mapping.blocks import find_graves
from grave_cli.mapping.probability_map import ProbabilityMap
from grave_cli.mapping.result import PredictionResult
from grave_cli.mapping.review import ReviewedMap, review_map
from grave_cli.mapping.scene import Scene
from grave_cli.mapping.summary import look_over
from grave_cli.outlines.polygons import Polygons, to_crs
from grave_cli.outlines.regularise import regularise
from grave_cli.progress import SILENT, Progress
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.register.register import Register, register_graves
from grave_cli.review.doubt import Drawn
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.vectors.areas import within_area


def extract_graves(
    probabilities: ProbabilityMap,
    scene: Scene,
    decoding: DecodingSettings,
    settings: Settings,
    provenance: dict[str, Any],
    calibration: Calibration | None = None,
    review_model: ReviewModel | None = None,
    progress: Progress = SILENT,
) -> PredictionResult:
    """Turn the probabilities of a cemetery into its graves, sorted by field, row and number.

    Args:
        probabilities: Probabilities over the whole grid.
        scene: The mapped scene.
        decoding: Thresholds.
        settings: Outlines, review, register.
        provenance: Origin of the map, see `describe_origin`.
        calibration: Calibration of the confidence; None takes the mean body probability.
        review_model: Odds of candidates and mistakes; None takes the defaults.
        progress: Receives progress and notes.

    Raises:
        RasterReadError: The DEM is damaged.
    """
    grid = probabilities.grid
    threads = settings.prediction.threads
    found = find_graves(probabilities, scene, decoding, progress, threads=threads)
    outlines = regularise(
        found.polygons, found.evidence.body, grid.gsd_m, settings.outlines, threads=threads
    )
    found = found.take(outlines.index)
    features = confidence_features(outlines, found.evidence)
    confidence = calibration.confidence(features) if calibration else found.evidence.body
    reviewed = review(outlines, found.evidence, confidence, grid.gsd_m, settings.review)
    polygons = to_crs(outlines.regular, grid.transform)
    inside = np.flatnonzero(within_area(polygons, scene.aoi))
    cemetery = cemetery_name(scene.orthophoto.path)
    register = register_graves(polygons[inside], cemetery, settings.register, grid.metres_per_unit)
    order = inside[register.order]
    register = register.take(register.order)
    outlines, polygons = outlines.take(order), polygons[order]
    reviewed = reviewed.take(order)
    queue = review_map(
        probabilities,
        Drawn(outlines, found.evidence.take(order), confidence[order], reviewed.flags),
        review_model or DEFAULT_REVIEW,
        decoding,
        settings,
        scene.aoi,
        progress,
    )
    rows = _attributes(
        cemetery,
        register,
        polygons,
        grid,
        confidence=confidence[order],
        heights=found.heights[order],
        shape=outlines.shape,
        reviewed=reviewed,
        queue=queue,
    )
    overview = look_over(probabilities, scene.aoi)
    return PredictionResult(
        cemetery=cemetery,
        grid=grid,
        source_crs=scene.orthophoto.georeference.file_crs,
        polygons=polygons,
        raw_polygons=to_crs(outlines.raw, grid.transform),
        attributes=tuple(rows),
        coverage=overview.footprint,
        provenance=provenance,
        features=features[order],
        candidates=queue.candidates,
        review=queue,
        computed_share=overview.valid_share,
        coarse_probability=overview.probability,
    )


def _attributes(
    cemetery: str,
    register: Register,
    polygons: Polygons,
    grid: WorkingGrid,
    *,
    confidence: NDArray[np.float64],
    heights: NDArray[np.float64],
    shape: NDArray[np.str_],
    reviewed: Review,
    queue: ReviewedMap,
) -> Iterator[dict[str, Any]]:
    measures = measure(polygons, grid.crs, grid.metres_per_unit)
    for index in range(len(polygons)):
        yield {
            "grave_id": register.grave_id[index],
            "cemetery_id": cemetery,
            "field": int(register.field[index]) or None,
            "row": int(register.row[index]) or None,
            "number": int(register.number[index]),
            "confidence": float(confidence[index]),
            "area_m2": float(measures.area_m2[index]),
            "length_m": float(measures.length_m[index]),
            "width_m": float(measures.width_m[index]),
            "azimuth_deg": float(measures.azimuth_deg[index]),
            "height_m": float(heights[index]),
            "shape": str(shape[index]),
            "flags": reviewed.flags[index],
            "needs_review": bool(reviewed.needed[index]),
            "review_rank": int(queue.ranks[index]),
            "review_reason": queue.reasons[index],
        }
