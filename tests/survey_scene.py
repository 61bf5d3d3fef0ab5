"""Two surveys of one sample cemetery with planted changes, a shift and a rotation between them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import shapely
from pyproj import Transformer
from shapely import affinity

from grave_cli.register.register import register_graves
from grave_cli.resurvey.survey import Survey
from grave_cli.sample_data.known_rows import sample_rows
from grave_cli.settings.register import RegisterSettings

UTM = "EPSG:25832"
PLACE = (500_000.0, 5_400_000.0)
SHIFT_M, TURN_DEG = (1.7, -0.9), 0.4
MAP_TYPES = {
    "grave_id": "str",
    "cemetery_id": "str",
    "field": "int",
    "row": "int",
    "number": "int",
    "confidence": "float",
    "area_m2": "float",
    "flags": "str",
    "needs_review": "bool",
}
OFFICE_TYPES = {"Name": "str:40", "Ablauf": "date", "Gebühr": "float"}
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Planted:
    """Two surveys in metres, and the indices of the graves in the old one that changed.

    Args:
        old: Outlines of the old survey.
        old_rows: Their columns.
        new: Outlines of the new survey.
        new_rows: Their columns.
        changes: Ids of the old graves by change; of `new`, the ids that the plan gives them.
    """

    old: list[shapely.Polygon]
    old_rows: list[dict[str, Any]]
    new: list[shapely.Polygon]
    new_rows: list[dict[str, Any]]
    changes: dict[str, list[str]]


def plant(seed: int = 1, size_m: float = 40.0, noise_m: float = 0.02) -> Planted:
    """Plan a cemetery and change three graves or less in each of the seven ways."""
    rng = np.random.default_rng(seed)
    graves = sample_rows(seed, size_m).polygons
    register = register_graves(graves, "st_anna", RegisterSettings())
    graves, ids = graves[register.order], register.take(register.order).grave_id
    plan = _draw(rng, graves)
    old_rows = [
        row | {"Name": f"Müller {i}", "Ablauf": f"20{30 + i % 60}-05-01", "Gebühr": i + 0.12345}
        for i, row in enumerate(map_rows(graves, "st_anna"))
    ]
    before = [i for i in range(len(graves)) if i not in plan["new"]]
    after: list[shapely.Polygon] = []
    for index, grave in enumerate(graves):
        if index in plan["gone"] or index in plan["swallowed"]:
            continue
        if index in plan["moved"]:
            grave = affinity.translate(grave, 0.35, 0.2)
        if index in plan["resized"]:
            grave = affinity.scale(grave, 1.3, 1.25)
        if index in plan["merged"]:
            grave = shapely.union(grave, graves[index + 1]).convex_hull
        after += halves(grave) if index in plan["split"] else [grave]
    after = [_resurveyed(grave, rng, noise_m) for grave in after]
    merged = [*plan["merged"], *plan["swallowed"]]
    changes = {name: [ids[i] for i in chosen] for name, chosen in plan.items()}
    return Planted(
        [graves[i] for i in before],
        [old_rows[i] for i in before],
        after,
        map_rows(after, "st_anna_2026"),
        changes | {"merged": [ids[i] for i in sorted(merged)]},
    )


def map_rows(graves: Iterable[shapely.Polygon], cemetery: str) -> list[dict[str, Any]]:
    """Number graves like a map does."""
    graves = np.array([*graves], dtype=object)
    register = register_graves(graves, cemetery, RegisterSettings())
    return [
        {
            "grave_id": register.grave_id[i],
            "cemetery_id": cemetery,
            "field": int(register.field[i]) or None,
            "row": int(register.row[i]) or None,
            "number": int(register.number[i]),
            "confidence": 0.9,
            "area_m2": round(float(grave.area), 3),
            "flags": "",
            "needs_review": False,
        }
        for i, grave in enumerate(graves)
    ]


def survey(
    graves: Iterable[shapely.Polygon], rows: Rows, types: Mapping[str, str], name: str = "old.gpkg"
) -> Survey:
    """Return graves in metres as a survey at their place on the Earth."""
    outlines = np.array([affinity.translate(grave, *PLACE) for grave in graves], dtype=object)
    return Survey(name, UTM, outlines, types, tuple(rows))


def write_survey(
    path: Path,
    graves: Iterable[shapely.Polygon],
    rows: Rows,
    types: Mapping[str, str],
    crs: str = UTM,
) -> Path:
    """Write graves in metres as a vector file in any CRS."""
    driver = {".gpkg": "GPKG", ".geojson": "GeoJSON"}[path.suffix]
    schema = {"geometry": "Polygon", "properties": dict(types)}
    step = Transformer.from_crs(UTM, crs, always_xy=True)
    placed = [affinity.translate(grave, *PLACE) for grave in graves]
    with fiona.open(path, "w", driver=driver, layer="graves", crs=crs, schema=schema) as file:
        for grave, row in zip(placed, rows, strict=True):
            there = shapely.transform(grave, step.transform, interleaved=False)
            values = {name: row[name] for name in types}
            file.write({"geometry": shapely.geometry.mapping(there), "properties": values})
    return path


def halves(grave: shapely.Polygon, share: float = 0.55) -> list[shapely.Polygon]:
    """Cut a grave across its longer sides; the first part is the larger one."""
    a, b, c, d = shapely.get_coordinates(shapely.minimum_rotated_rectangle(grave))[:4]
    if np.hypot(*(b - a)) < np.hypot(*(c - b)):
        a, b, c, d = b, c, d, a
    above, below = a + share * (b - a), d + share * (c - d)
    return [shapely.Polygon([a, above, below, d]), shapely.Polygon([above, b, c, below])]


def _draw(rng: np.random.Generator, graves: np.ndarray) -> dict[str, list[int]]:
    """Choose the graves that change, no two of them next to each other."""
    far = [i for i in rng.permutation(len(graves) - 2).tolist()]
    taken: set[int] = set()
    plan: dict[str, list[int]] = {}
    for change, count in (
        *(("merged", 1), ("new", 3), ("gone", 3), ("moved", 2), ("resized", 2), ("split", 2)),
    ):
        plan[change] = []
        for index in far:
            touches = shapely.distance(graves[index], graves[index + 1]) < 0.35
            if change == "merged" and not touches:
                continue
            if len(plan[change]) < count and not {index - 1, index, index + 1, index + 2} & taken:
                plan[change].append(index)
                taken |= {index, index + 1}
    plan["swallowed"] = [index + 1 for index in plan["merged"]]
    return plan


def _resurveyed(
    grave: shapely.Polygon, rng: np.random.Generator, noise_m: float
) -> shapely.Polygon:
    """Shift and turn an outline like the whole survey, and draw it a little differently."""
    turned = affinity.rotate(grave, TURN_DEG, origin=(0, 0))
    points = shapely.get_coordinates(affinity.translate(turned, *SHIFT_M))[:-1]
    points = points + rng.normal(0, noise_m, 2) + rng.normal(0, noise_m / 2, points.shape)
    return shapely.Polygon(points)
