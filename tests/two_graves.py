"""A map of two graves, and edits of it like those of QGIS."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import shapely
from affine import Affine

from grave_cli.delivery.geopackage_seal import ORTHOPHOTO_KEY
from grave_cli.mapping.result import PredictionResult
from grave_cli.outputs import source_of
from grave_cli.rasters.grid import WorkingGrid

CRS = "EPSG:25832"


def two_graves(orthophoto: Path, **provenance: str) -> PredictionResult:
    """The result of mapping an orthophoto, with two graves."""
    polygons = np.array([shapely.box(x, 0, x + 1, 2) for x in (500_000, 500_003)], dtype=object)
    numbers = ("confidence", "area_m2", "length_m", "width_m", "azimuth_deg", "height_m")
    row = {"cemetery_id": "anna", "shape": "rectangle", "flags": "", "needs_review": False}
    row |= {"review_rank": 1, "review_reason": ""}
    row |= dict.fromkeys(numbers, 0.5) | dict.fromkeys(("field", "row", "number"), 1)
    return PredictionResult(
        cemetery="anna",
        grid=WorkingGrid(CRS, Affine(0.1, 0, 500_000, 0, -0.1, 10), 100, 100, 0.1),
        source_crs=CRS,
        polygons=polygons,
        raw_polygons=polygons,
        attributes=tuple({**row, "grave_id": f"anna-{i}"} for i in range(2)),
        coverage=shapely.MultiPolygon([shapely.box(500_000, 0, 500_010, 10)]),
        provenance={
            "orthophoto": orthophoto.name,
            ORTHOPHOTO_KEY: source_of(orthophoto),
            **provenance,
        },
        computed_share=1.0,
    )


def sql(path: Path, *statements: str) -> None:
    """Edit like QGIS, whose functions the triggers of a GeoPackage call."""
    with closing(sqlite3.connect(path)) as database, database:
        for name, count in (("ST_IsEmpty", 1), ("ST_MinX", 1), ("ST_MaxX", 1)):
            database.create_function(name, count, lambda _: 0)
        for name in ("ST_MinY", "ST_MaxY"):
            database.create_function(name, 1, lambda _: 0)
        for statement in statements:
            database.execute(statement)
