"""A small map that shows all a map can: each confidence, flags, a grave without field or row."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS

from grave_cli.delivery.geopackage_seal import ORTHOPHOTO_KEY
from grave_cli.mapping.result import Candidates, PredictionResult
from grave_cli.outputs import source_of
from grave_cli.rasters.grid import WorkingGrid

UTM = CRS("EPSG:25832").to_wkt()
LEFT, BOTTOM = 500_000, 5_300_000
# field, row, number, confidence, flags
GRAVES = (
    (1, 1, 1, 0.97, ""),
    (1, 1, 2, 0.93, ""),
    (1, 2, 1, 0.81, ""),
    (1, 2, 2, 0.65, ""),
    (2, 1, 1, 0.95, "edge"),
    (None, None, 1, 0.5, "occluded,low_confidence"),
)
RANKS = {0.5: 1, 0.95: 2, 0.65: 3, 0.81: 5, 0.93: 7, 0.97: 8}  # of graves by their confidence
BETWEEN = (LEFT + 1.5, LEFT + 4.5)  # the graves; candidates lie there


def some_map(orthophoto: Path, cemetery: str = "groß_anna") -> PredictionResult:
    """The map of an orthophoto with six graves, 3 m apart, the last one with a notch."""
    boxes = [shapely.box(x, BOTTOM + 4, x + 1, BOTTOM + 6) for x in range(LEFT, LEFT + 18, 3)]
    boxes[-1] = boxes[-1].difference(shapely.box(LEFT + 15.5, BOTTOM + 5, LEFT + 16, BOTTOM + 6))
    polygons = np.array(boxes, dtype=object)
    return PredictionResult(
        cemetery=cemetery,
        grid=WorkingGrid(UTM, Affine(0.1, 0, LEFT, 0, -0.1, BOTTOM + 10), 180, 100, 0.1),
        source_crs=UTM,
        polygons=polygons,
        raw_polygons=shapely.buffer(polygons, 0.05),
        attributes=tuple(_row(cemetery, *place) for place in GRAVES),
        coverage=shapely.MultiPolygon([shapely.box(LEFT, BOTTOM, LEFT + 18, BOTTOM + 10)]),
        provenance={"orthophoto": orthophoto.name, ORTHOPHOTO_KEY: source_of(orthophoto)},
        computed_share=1.0,
        candidates=Candidates(
            np.array(
                [shapely.box(x, BOTTOM + 4, x + 1, BOTTOM + 6) for x in BETWEEN], dtype=object
            ),
            tuple(_candidate(number) for number in (1, 2)),
        ),
    )


def _candidate(number: int) -> dict[str, Any]:
    return {
        "candidate_id": number,
        "probability": 0.4,
        "reason": "too faint to be drawn",
        "review_rank": 2 + 2 * number,
        "review_reason": "a gap in its row",
        "decision": "",
    }


def _row(
    cemetery: str, field: int | None, row: int | None, number: int, confidence: float, flags: str
) -> dict[str, Any]:
    sizes = {"area_m2": 2.0, "length_m": 2.0, "width_m": 1.0, "azimuth_deg": 12.34}
    return {
        "grave_id": f"{cemetery}-F{field or 0:02d}-R{row or 0:02d}-{number:03d}",
        "cemetery_id": cemetery,
        "field": field,
        "row": row,
        "number": number,
        "confidence": confidence,
        **sizes,
        "height_m": math.nan if field is None else 0.25,
        "shape": "rectangle" if field else "orthogonal",
        "flags": flags,
        "needs_review": bool(flags),
        "review_rank": RANKS[confidence],
        "review_reason": "",
    }
