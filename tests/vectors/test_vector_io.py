"""Graves as offices deliver them: any kind of file gives the same graves, or an error."""

import json
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shapely
from deliveries import (
    GRAVES,
    GRID,
    OPEN_LINE,
    PIXEL,
    by_place,
    grave,
    moved,
    named,
    outline,
    with_spike,
    write,
)

from grave_cli.dataset.annotations import read_grave_file
from grave_cli.errors import GraveError
from grave_cli.settings.inputs import DataSettings


def plain_geojson(folder: Path) -> Path:
    """GeoJSON as RFC 7946 wants it: longitude and latitude, no word of a CRS."""
    features = [
        {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(shape)}
        for shape in moved(GRAVES, "EPSG:4326")
    ]
    path = folder / "g.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def several_layers(folder: Path) -> Path:
    path = write(folder / "g.gpkg", [grave(10, 5)], layer="paths")
    return write(path, GRAVES, layer="plots")


def prediction_file(folder: Path) -> Path:
    """The layers of our own GeoPackages."""
    path = write(folder / "g.gpkg", GRAVES, layer="graves")
    write(path, [shape.buffer(0.2) for shape in GRAVES], layer="graves_raw")
    return write(path, [shapely.box(500000, 5400000, 500020, 5400010)], layer="coverage")


def one_polygon_layer(folder: Path) -> Path:
    path = write(folder / "g.gpkg", [shapely.Point(500001, 5400001)], kind="Point", layer="trees")
    write(path, [None], kind="None", crs=None, layer="table")
    write(path, [outline(GRAVES[0])], kind="LineString", layer="fences")
    return write(path, GRAVES, layer="plots")


def cad_layers(folder: Path) -> Path:
    rest = named("Weg", [shapely.box(500000, 5400000, 500020, 5400010)])
    return write(folder / "g.gpkg", [*named("Grab belegt"), *rest])


def circles(folder: Path) -> Path:
    """A GeoPackage of CurvePolygons, which only SQL can write: round graves of 1 m radius."""
    path = write(folder / "g.gpkg", GRAVES, kind="Unknown")
    with sqlite3.connect(path) as base:
        for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            base.execute(f'DROP TRIGGER "{name}"')
        base.execute("UPDATE gpkg_geometry_columns SET geometry_type_name = 'CURVEPOLYGON'")
        for number, shape in enumerate(GRAVES, 1):
            base.execute("UPDATE g SET geom = ? WHERE fid = ?", (_circle(shape.centroid), number))
    base.close()
    return path


def _circle(centre: shapely.Point) -> bytes:
    steps = ((-1, 0), (0, 1), (1, 0), (0, -1), (-1, 0))
    points = b"".join(struct.pack("<dd", centre.x + dx, centre.y + dy) for dx, dy in steps)
    ring = struct.pack("<BII", 1, 8, len(steps)) + points  # CircularString
    return b"GP\0\x01" + struct.pack("<i", 25832) + struct.pack("<BII", 1, 10, 1) + ring


US_FOOT = "+proj=utm +zone=32 +ellps=GRS80 +units=us-ft"
JUNK = [shapely.Point(500001, 5400001), None, outline(GRAVES[0]).segmentize(1)]
COLLECTION = shapely.GeometryCollection(
    [shapely.Point(500001, 5400001), shapely.MultiPolygon(GRAVES[:2]), GRAVES[2]]
)
TORN = shapely.MultiLineString([outline(GRAVES[0]).coords[:3], outline(GRAVES[0]).coords[2:]])

Delivery = Callable[[Path], Path]
DELIVERIES: dict[str, tuple[Delivery, dict[str, Any]]] = {
    "GeoPackage": (lambda f: write(f / "g.gpkg", GRAVES), {}),
    "GeoJSON with a CRS": (lambda f: write(f / "g.geojson", GRAVES), {}),
    "GeoJSON without": (plain_geojson, {}),
    "Shapefile": (lambda f: write(f / "g.shp", GRAVES), {}),
    "FlatGeobuf": (lambda f: write(f / "g.fgb", GRAVES), {}),
    "Web Mercator": (
        lambda f: write(f / "g.gpkg", moved(GRAVES, "EPSG:3857"), crs="EPSG:3857"),
        {},
    ),
    "degrees": (lambda f: write(f / "g.shp", moved(GRAVES, "EPSG:4326"), crs="EPSG:4326"), {}),
    "Gauss-Krueger": (
        lambda f: write(f / "g.gpkg", moved(GRAVES, "EPSG:31467"), crs="EPSG:31467"),
        {},
    ),
    "US feet": (lambda f: write(f / "g.gpkg", moved(GRAVES, US_FOOT), crs=US_FOOT), {}),
    "layer by name": (several_layers, {"annotation_layer": "plots"}),
    "layer graves": (prediction_file, {}),
    "only polygon layer": (one_polygon_layer, {}),
    "besides the area": (several_layers, {"area_layer": "paths"}),
    "filter": (cad_layers, {"annotation_filter": "NAME = 'Grab belegt'"}),
    "multi-polygons": (
        lambda f: write(
            f / "g.gpkg",
            [shapely.MultiPolygon(GRAVES[:4]), shapely.MultiPolygon(GRAVES[4:])],
            kind="MultiPolygon",
        ),
        {},
    ),
    "heights": (
        lambda f: write(
            f / "g.gpkg", [shapely.force_3d(s, 412.5) for s in GRAVES], kind="3D Polygon"
        ),
        {},
    ),
    "closed lines": (
        lambda f: write(f / "g.gpkg", [outline(s) for s in GRAVES], kind="LineString"),
        {},
    ),
    "torn lines": (
        lambda f: write(f / "g.gpkg", [TORN, *(outline(s) for s in GRAVES[1:])], kind="Unknown"),
        {},
    ),
    "collections": (
        lambda f: write(f / "g.geojson", [COLLECTION, *GRAVES[3:]], kind="Unknown"),
        {},
    ),
    "spikes": (lambda f: write(f / "g.gpkg", [with_spike(s) for s in GRAVES]), {}),
    "everything twice": (
        lambda f: write(f / "g.gpkg", [*GRAVES, *(s.buffer(0.005) for s in GRAVES)]),
        {},
    ),
    "among junk": (lambda f: write(f / "g.gpkg", [*JUNK, *GRAVES], kind="Unknown"), {}),
    "curves": (circles, {}),
}


@pytest.mark.parametrize("name", DELIVERIES)
def test_every_delivery_gives_the_same_graves(tmp_path: Path, name: str) -> None:
    deliver, options = DELIVERIES[name]
    path = deliver(tmp_path)
    found = read_grave_file(path, GRID, DataSettings(**options)).polygons
    assert len(found) == len(GRAVES)
    assert shapely.is_valid(found).all()
    assert not shapely.has_z(found).any()
    pairs = by_place(found), by_place(GRAVES)
    assert shapely.distance(*map(shapely.centroid, pairs)).max() < PIXEL
    if name != "curves":
        assert shapely.area(shapely.symmetric_difference(*pairs)).max() < 0.02  # m², of 2


def broken_prj(folder: Path) -> Path:
    path = write(folder / "g.shp", GRAVES)
    path.with_suffix(".prj").write_text('LOCAL_CS["site",UNIT["metre",1]]')
    return path


def without(suffix: str) -> Delivery:
    def deliver(folder: Path) -> Path:
        path = write(folder / "g.shp", GRAVES)
        path.with_suffix(suffix).unlink()
        return path

    return deliver


def text_file(folder: Path) -> Path:
    (folder / "g.gpkg").write_text("not a database")
    return folder / "g.gpkg"


POINTS = [shapely.Point(500001, 5400001)]
REFUSALS: dict[str, tuple[Delivery, dict[str, Any], str]] = {
    "missing": (lambda f: f / "g.gpkg", {}, "missing"),
    "no vector file": (text_file, {}, "cannot be read"),
    "no CRS": (lambda f: write(f / "g.gpkg", GRAVES, crs=None), {}, "no CRS"),
    "no .prj": (without(".prj"), {}, "no CRS"),
    "no .shx": (without(".shx"), {}, "no .shx"),
    "local CRS": (broken_prj, {}, "no known place on Earth"),
    "no polygons": (lambda f: write(f / "g.gpkg", POINTS, kind="Point"), {}, "g (Point)"),
    "empty": (lambda f: write(f / "g.gpkg", []), {}, "no graves"),
    "only open lines": (
        lambda f: write(f / "g.gpkg", [OPEN_LINE], kind="LineString"),
        {},
        "1 unclosed line ignored",
    ),
    "two layers": (several_layers, {}, "2 layers: paths, plots"),
    "no such layer": (
        several_layers,
        {"annotation_layer": "x"},
        "paths (Polygon), plots (Polygon)",
    ),
    "no such column": (
        cad_layers,
        {"annotation_filter": "LAYER = 'x'"},
        "columns of layer g: NAME",
    ),
    "no SQL": (cad_layers, {"annotation_filter": "NAME == = 'x'"}, "condition is invalid"),
    "nothing fits": (cad_layers, {"annotation_filter": "NAME = 'Grab'"}, "no feature meets"),
    "no SQL (Shapefile)": (
        lambda f: write(f / "g.shp", GRAVES),
        {"annotation_filter": "NAM = 'x'"},
        "columns of layer g: NAME",
    ),
    "all outside": (
        lambda f: write(f / "g.gpkg", [grave(900, 900)]),
        {},
        "CRS of one of them is probably wrong",
    ),
    "metres taken for degrees": (
        lambda f: write(f / "g.shp", GRAVES, crs="EPSG:4326"),
        {},
        "CRS of one of them is probably wrong",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_is_one_line_that_names_the_file(tmp_path: Path, name: str) -> None:
    deliver, options, why = REFUSALS[name]
    path = deliver(tmp_path)
    with pytest.raises(GraveError) as caught:
        read_grave_file(path, GRID, DataSettings(**options))
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert why in line
    assert "\n" not in line
