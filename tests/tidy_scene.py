"""A map of two rows of five graves, with candidates, and edits of it by SQL."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS

from grave_cli.delivery.geometry_blobs import blob_of, bound_of, geometry_of
from grave_cli.delivery.geopackage_seal import DEM_KEY, ORTHOPHOTO_KEY
from grave_cli.graves.attributes import measure
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.mapping.result import Candidates, PredictionResult
from grave_cli.outputs import source_of
from grave_cli.rasters.grid import WorkingGrid, lay_grid
from grave_cli.register.register import register_graves
from grave_cli.settings.register import RegisterSettings

UTM = CRS("EPSG:25832").to_wkt()
LEFT, TOP = 500_000.0, 5_300_000.0
ROWS, COLUMNS = 2, 5
GAP = (3, 1)  # there is no grave at the fourth place of the second row
CANDIDATES: Mapping[int, tuple[float, float]] = {1: (10.0, 1.0), 2: (10.0, 4.0), 3: (6.0, 8.0)}
"""Number of each candidate -> metres right of LEFT and below TOP."""


def box(x: float, y: float, width: float = 1.0, length: float = 2.0) -> shapely.Polygon:
    """A grave x metres right of LEFT and y metres below TOP."""
    return shapely.box(LEFT + x, TOP - y - length, LEFT + x + width, TOP - y)


def grave_id(row: int, number: int, letter: str = "") -> str:
    return f"anna-F01-R{row:02d}-{number:03d}{letter}"


def write_map(
    path: Path, orthophoto: Path, crs: str | None = None, **provenance: str
) -> PredictionResult:
    """Write the map of an orthophoto; its seal is unbroken."""
    places = [(2.0 * column, 3.0 * row) for row in range(ROWS) for column in range(COLUMNS)]
    places.remove((2.0 * GAP[0], 3.0 * GAP[1]))
    polygons = np.array([box(x, y) for x, y in places], dtype=object)
    register = register_graves(polygons, "anna", RegisterSettings())
    polygons, register = polygons[register.order], register.take(register.order)
    grid = lay_grid(UTM, (LEFT - 2, TOP - 12, LEFT + 14, TOP + 2), 0.1, path)
    found = measure(polygons, UTM, grid.metres_per_unit)
    rows = [
        {
            "grave_id": register.grave_id[i],
            "cemetery_id": "anna",
            "field": int(register.field[i]) or None,
            "row": int(register.row[i]) or None,
            "number": int(register.number[i]),
            "confidence": 0.9,
            "area_m2": float(found.area_m2[i]),
            "length_m": float(found.length_m[i]),
            "width_m": float(found.width_m[i]),
            "azimuth_deg": float(found.azimuth_deg[i]),
            "height_m": 0.25,
            "shape": "rectangle",
            "flags": "low_confidence",
            "needs_review": True,
            "review_rank": i + 1,
            "review_reason": "unlike the graves of its row",
        }
        for i in range(len(polygons))
    ]
    result = PredictionResult(
        cemetery="anna",
        grid=WorkingGrid(UTM, Affine(*grid.transform[:6]), grid.width, grid.height, grid.gsd_m),
        source_crs=UTM,
        polygons=polygons,
        raw_polygons=shapely.buffer(polygons, 0.03),
        attributes=tuple(rows),
        coverage=shapely.MultiPolygon([shapely.box(*grid.bounds)]),
        provenance={
            "orthophoto": orthophoto.name,
            ORTHOPHOTO_KEY: source_of(orthophoto),
            "crs": UTM,
            "gsd_m": 0.1,
            **provenance,
        },
        computed_share=1.0,
        candidates=candidates(),
    )
    write_geopackage(result, path, crs)
    return result


def candidates() -> Candidates:
    rows = [
        {
            "candidate_id": number,
            "probability": 0.3,
            "reason": "nowhere sure enough",
            "review_rank": 20 + number,
            "review_reason": "perhaps a grave",
            "decision": "",
        }
        for number in CANDIDATES
    ]
    outlines = np.array([box(*place) for place in CANDIDATES.values()], dtype=object)
    return Candidates(outlines, tuple(rows))


def dem_provenance(dem: Path) -> dict[str, str]:
    return {"dem": dem.name, DEM_KEY: source_of(dem)}


def edit(path: Path, *statements: str | tuple[str, Sequence[Any]]) -> None:
    """Edit a map as QGIS does, whose functions the triggers of a GeoPackage call."""
    with closing(sqlite3.connect(path)) as database, database:
        database.create_function("ST_IsEmpty", 1, lambda blob: geometry_of(blob) is None)
        for index, name in enumerate(("ST_MinX", "ST_MinY", "ST_MaxX", "ST_MaxY")):
            database.create_function(name, 1, lambda blob, index=index: bound_of(blob, index))
        for statement in statements:
            database.execute(*((statement,) if isinstance(statement, str) else statement))


def draw(shape: shapely.Geometry | None, **values: Any) -> tuple[str, Sequence[Any]]:
    """The statement that draws a grave."""
    row = {"geom": blob_of(shape, 25832), **values}
    marks = ", ".join("?" * len(row))
    return f"INSERT INTO graves ({', '.join(row)}) VALUES ({marks})", list(row.values())


def reshape(one: str, shape: shapely.Geometry) -> tuple[str, Sequence[Any]]:
    """The statement that gives a grave another outline."""
    return "UPDATE graves SET geom = ? WHERE grave_id = ?", (blob_of(shape, 25832), one)


def answer(decision: str, *numbers: int) -> str:
    """The statement that writes a decision about candidates."""
    chosen = ", ".join(map(str, numbers))
    return f"UPDATE candidates SET decision = '{decision}' WHERE candidate_id IN ({chosen})"


def delete(one: str) -> tuple[str, Sequence[Any]]:
    return "DELETE FROM graves WHERE grave_id = ?", (one,)


def copy(one: str, shape: shapely.Geometry) -> tuple[str, Sequence[Any]]:
    """The statement by which QGIS copies a grave: another outline, all columns alike."""
    names = (
        "grave_id, cemetery_id, field, row, number, confidence, area_m2, length_m, width_m, "
        "azimuth_deg, height_m, shape, flags, needs_review"
    )
    query = f"INSERT INTO graves (geom, {names}) SELECT ?, {names} FROM graves WHERE grave_id = ?"
    return f"{query} LIMIT 1", (blob_of(shape, 25832), one)


def rows_of(path: Path, layer: str = "graves") -> list[dict[str, Any]]:
    """The rows of a layer, each with its outline as `shape`."""
    with closing(sqlite3.connect(path)) as database:
        cursor = database.execute(f"SELECT * FROM {layer} ORDER BY fid")
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return [{**row, "shape_of": geometry_of(row.get("geom"))} for row in rows]


def by_id(path: Path) -> dict[str, dict[str, Any]]:
    return {row["grave_id"]: row for row in rows_of(path)}
