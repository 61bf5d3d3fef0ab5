"""Graves as offices deliver them: any kind of file gives the same graves, or an error."""

import json
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
import shapely
import shapely.affinity
from deliveries import (
    GRAVES,
    GRID,
    OPEN_LINE,
    PIXEL,
    UTM,
    by_place,
    grave,
    moved,
    named,
    outline,
    with_spike,
    write,
)
from pyproj import CRS, Transformer

from grave_cli.dataset.annotations import read_grave_file
from grave_cli.errors import GraveError
from grave_cli.rasters.grid import lay_grid
from grave_cli.settings.inputs import DataSettings
from grave_cli.vectors.attribute_tables import read_records
from grave_cli.vectors.vector_io import read_features

Delivery = Callable[[Path], Path]


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


def capital_layers(folder: Path) -> Path:
    path = write(folder / "g.gpkg", GRAVES, layer="Graves")
    return write(path, [grave(10, 5)], layer="Paths")


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


def graves_beside_a_boundary(kind: str, draw: Callable[[shapely.Polygon], Any]) -> Delivery:
    """Graves of another geometry than the only polygon layer, which is no layer of graves."""

    def deliver(folder: Path) -> Path:
        path = write(folder / "g.gpkg", map(draw, GRAVES), kind=kind, layer="Graves")
        return write(path, [shapely.box(500000, 5400000, 500020, 5400010)], layer="cemetery")

    return deliver


def deleted_rows(folder: Path) -> Path:
    """Rows that an editor marked as deleted; they stay in the file until it is packed."""
    path = write(folder / "g.shp", [OPEN_LINE.envelope, *GRAVES, GRAVES[0].buffer(3)])
    table = path.with_suffix(".dbf")
    data = bytearray(table.read_bytes())
    start, length = (int.from_bytes(data[at : at + 2], "little") for at in (8, 10))
    for row in (0, len(GRAVES) + 1):
        data[start + row * length] = ord("*")
    table.write_bytes(data)
    return path


def prj_with_a_mark(folder: Path) -> Path:
    path = dxf(folder)
    beside = path.with_suffix(".prj")
    beside.write_bytes(beside.read_text().encode("utf-8-sig"))
    return path


def kml(folder: Path) -> Path:
    """KML as Google Earth writes it: degrees and heights, in a folder."""
    places = (
        "<Placemark><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        + " ".join(f"{x:.9f},{y:.9f},0" for x, y in shape.exterior.coords)
        + "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark>"
        for shape in moved(GRAVES, "EPSG:4326")
    )
    folded = f"<Folder><name>graves</name>{''.join(places)}</Folder>"
    path = folder / "g.kml"
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2">'
        f"<Document>{folded}</Document></kml>"
    )
    return path


def dxf(folder: Path) -> Path:
    """DXF has no CRS of its own."""
    path = folder / "g.dxf"
    columns = ("Layer", "SubClasses", "Linetype", "EntityHandle", "Text")
    schema = {"geometry": "LineString", "properties": dict.fromkeys(columns, "str")}
    with fiona.open(path, "w", driver="DXF", schema=schema) as file:
        for shape in GRAVES:
            geometry = shapely.geometry.mapping(outline(shape))
            file.write({"geometry": geometry, "properties": dict.fromkeys(columns)})
    path.with_suffix(".prj").write_text(CRS.from_user_input(UTM).to_wkt("WKT1_ESRI"))
    return path


def geodatabase(folder: Path) -> Path:
    """A File Geodatabase is a folder."""
    schema = {"geometry": "MultiPolygon", "properties": {}}
    path = folder / "g.gdb"
    with fiona.open(path, "w", driver="OpenFileGDB", schema=schema, crs="EPSG:4326") as file:
        for shape in moved(GRAVES, "EPSG:4326"):
            file.write({"geometry": shapely.geometry.mapping(shapely.MultiPolygon([shape]))})
    return path


def dated(day: bytes) -> Callable[[Path], Path]:
    """A Shapefile whose column of dates holds any eight characters."""

    def deliver(folder: Path) -> Path:
        path = folder / "g.shp"
        schema = {"geometry": "Polygon", "properties": {"NAME": "str:10", "SEIT": "date"}}
        with fiona.open(path, "w", driver="ESRI Shapefile", crs=UTM, schema=schema) as file:
            for shape in GRAVES:
                columns = {"NAME": "x", "SEIT": "1999-01-01"}
                file.write({"geometry": shapely.geometry.mapping(shape), "properties": columns})
        table = path.with_suffix(".dbf")
        table.write_bytes(table.read_bytes().replace(b"19990101", day))
        return path

    return deliver


def leap_second(folder: Path) -> Path:
    path = folder / "g.gpkg"
    schema = {"geometry": "Polygon", "properties": {"WANN": "datetime"}}
    with fiona.open(path, "w", driver="GPKG", crs=UTM, schema=schema) as file:
        for shape in GRAVES:
            columns = {"WANN": "2016-12-31T23:59:59"}
            file.write({"geometry": shapely.geometry.mapping(shape), "properties": columns})
    with sqlite3.connect(path) as base:
        for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            base.execute(f'DROP TRIGGER "{name}"')
        base.execute("UPDATE g SET WANN = '2016-12-31T23:59:60Z'")
    base.close()
    return path


def umlauts(encoding: str, cpg: str | None = None, mark: int = 0) -> Callable[[Path], Path]:
    """A Shapefile with a table in any encoding, which a .cpg file or a mark may state."""

    def deliver(folder: Path) -> Path:
        way = [shapely.box(500000, 5400000, 500020, 5400010)]
        path = write(folder / "g.shp", [*named("Gr~berfeld"), *named("W~g", way)])
        table = path.with_suffix(".dbf")
        data = table.read_bytes()
        umlaut = "ä".encode(encoding)
        for word in (b"Gr~berfeld", b"W~g"):
            spaces = b" " * (len(umlaut) - 1)
            data = data.replace(word + spaces, word.replace(b"~", umlaut))
        table.write_bytes(data[:29] + bytes([mark]) + data[30:])
        path.with_suffix(".cpg").unlink()
        if cpg:
            path.with_suffix(".cpg").write_text(cpg)
        return path

    return deliver


def umlaut_in_a_column(folder: Path) -> Path:
    path = write(folder / "g.shp", named("x"))
    table = path.with_suffix(".dbf")
    table.write_bytes(table.read_bytes().replace(b"NAME", "GRÖN".encode("cp1252")))
    path.with_suffix(".cpg").unlink()
    return path


def lines_of_geojson(folder: Path) -> Path:
    features = json.loads(plain_geojson(folder).read_text())["features"]
    path = folder / "g.json"
    path.write_text("\n".join(map(json.dumps, features)))
    return path


THE_GRAVES = {"annotation_filter": "NAME = 'Gräberfeld'"}
US_FOOT = "+proj=utm +zone=32 +ellps=GRS80 +units=us-ft"
JUNK = [shapely.Point(500001, 5400001), None, outline(GRAVES[0]).segmentize(1)]
COLLECTION = shapely.GeometryCollection(
    [shapely.Point(500001, 5400001), shapely.MultiPolygon(GRAVES[:2]), GRAVES[2]]
)
TORN = shapely.MultiLineString([outline(GRAVES[0]).coords[:3], outline(GRAVES[0]).coords[2:]])

DELIVERIES: dict[str, tuple[Delivery, dict[str, Any]]] = {
    "GeoPackage": (lambda f: write(f / "g.gpkg", GRAVES), {}),
    "of unknown geometry, beside a boundary": (
        graves_beside_a_boundary("Unknown", lambda shape: shape),
        {},
    ),
    "lines beside a boundary": (graves_beside_a_boundary("LineString", outline), {}),
    "Shapefile with deleted rows": (deleted_rows, {}),
    "a .prj file with a byte order mark": (prj_with_a_mark, {}),
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
    "layer by name in capitals": (several_layers, {"annotation_layer": "PLOTS"}),
    "besides the area in capitals": (several_layers, {"area_layer": "Paths"}),
    "layer graves": (prediction_file, {}),
    "layer Graves": (capital_layers, {}),
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
    "KML": (kml, {}),
    "GML": (lambda f: write(f / "g.gml", GRAVES), {}),
    "DXF": (dxf, {}),
    "File Geodatabase": (geodatabase, {}),
    "31 February": (dated(b"20010231"), {}),
    "year alone": (dated(b"19990000"), {}),
    "text for a date": (dated(b"um 1950 "), {"annotation_filter": "NAME = 'x'"}),
    "leap second": (leap_second, {}),
    "leap second asked for": (leap_second, {"annotation_filter": "WANN > '2016-12-31T23:59:59Z'"}),
    "umlauts unsaid": (umlauts("cp1252"), THE_GRAVES),
    "umlauts unsaid, UTF-8": (umlauts("utf-8"), THE_GRAVES),
    "umlauts by mark": (umlauts("cp850", mark=2), THE_GRAVES),
    "umlauts by .cpg": (umlauts("cp850", cpg="850"), THE_GRAVES),
    "umlauts, ANSI": (umlauts("cp1252", cpg="ANSI 1252"), THE_GRAVES),
    "umlauts, wrongly called UTF-8": (umlauts("cp1252", cpg="UTF-8"), THE_GRAVES),
    "no umlauts by filter": (umlauts("cp1252"), {"annotation_filter": "NAME <> 'Wäg'"}),
    "an umlaut in a column": (umlaut_in_a_column, {"annotation_filter": "GRÖN = 'x'"}),
    "GeoJSON by lines": (lines_of_geojson, {}),
    "a stray vertex": (
        lambda f: write(f / "g.geojson", [*GRAVES, shapely.box(5e5, 5.4e6, 1e308, 1e308)]),
        {},
    ),
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


def encoded(name: str) -> Delivery:
    """Write GML whose first line names another encoding."""

    def deliver(folder: Path) -> Path:
        path = write(folder / "g.gml", GRAVES)
        text = path.read_bytes()
        path.write_bytes(text.replace(b'encoding="utf-8"', f'encoding="{name}"'.encode(), 1))
        assert path.read_bytes() != text
        return path

    return deliver


def cut(path: Path, share: float = 0.6) -> Path:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return path


def short_shapefile(suffix: str) -> Delivery:
    def deliver(folder: Path) -> Path:
        path = write(folder / "g.shp", GRAVES)
        cut(path.with_suffix(suffix))
        return path

    return deliver


def of_bytes(name: str, data: bytes) -> Delivery:
    def deliver(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return deliver


def garbled(folder: Path) -> Path:
    """A GeoPackage with a table whose definition is no SQL and no UTF-8: GDAL's driver crashed."""
    path = write(folder / "g.gpkg", GRAVES)
    path.write_bytes(path.read_bytes().replace(b"CREATE TRIGGER", b"CREATE \xfe\xffIGGER"))
    return path


def garbage_prj(folder: Path) -> Path:
    path = write(folder / "g.shp", GRAVES)
    path.with_suffix(".prj").write_bytes(bytes(range(128, 200)))
    return path


def prj_with_a_foreign_byte(folder: Path) -> Path:
    """GDAL quotes the number in a message that fiona cannot decode."""
    path = write(folder / "g.shp", GRAVES)
    prj = path.with_suffix(".prj")
    number = b'"False_Northing",0.'
    assert number in prj.read_bytes()
    prj.write_bytes(prj.read_bytes().replace(number, number + b"\x9b"))
    return path


def linked(folder: Path) -> Path:
    path = write(folder / "g.geojson", GRAVES)
    made = json.loads(path.read_text())
    made["crs"] = {"properties": {"href": "http://127.0.0.1:9/crs"}, "type": "link"}
    path.write_text(json.dumps(made))
    return path


def metres_in_geojson(folder: Path) -> Path:
    path = write(folder / "g.geojson", GRAVES)
    made = json.loads(path.read_text())
    del made["crs"]
    path.write_text(json.dumps(made))
    return path


def spatialite(folder: Path) -> Path:
    """The tables by which a SpatiaLite database is known."""
    path = folder / "g.sqlite"
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE geometry_columns (f_table_name TEXT)")
        base.execute("CREATE TABLE g (geometry BLOB)")
    base.close()
    return path


def swapped(folder: Path) -> Path:
    moved = [shapely.transform(one, lambda points: points[:, ::-1]) for one in GRAVES]
    return write(folder / "g.gpkg", moved)


def latitude_first(folder: Path) -> Path:
    to_degrees = Transformer.from_crs("EPSG:25832", "EPSG:4326").transform  # latitude, longitude
    moved = [shapely.transform(one, to_degrees, interleaved=False) for one in GRAVES]
    return write(folder / "g.geojson", moved, crs="EPSG:4326")


def with_zone(folder: Path) -> Path:
    moved = [shapely.affinity.translate(one, 32e6) for one in GRAVES]
    return write(folder / "g.gpkg", moved)


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
    "swapped": (swapped, {}, "x and y of the graves are swapped"),
    "latitude first": (latitude_first, {}, "x and y of the graves are swapped"),
    "zone before the easting": (with_zone, {}, "x begins with the zone 32, as in EPSG:4647"),
    "SpatiaLite": (spatialite, {}, "found a SpatiaLite database"),
    "COCO": (of_bytes("g.json", b'{"images": [], "annotations": []}'), {}, "import-annotations"),
    "Label Studio": (of_bytes("g.json", b'[{"id": 1}]'), {}, "import-annotations"),
    "TopoJSON": (of_bytes("g.json", b'{"type": "Topology"}'), {}, "found TopoJSON"),
    "JSON of Esri": (
        of_bytes("g.json", b'{"geometryType": "esriGeometryPolygon"}'),
        {},
        "found JSON of Esri",
    ),
    "zipped": (of_bytes("g.zip", b"PK\x03\x04..."), {}, "found a zip archive"),
    "GeoParquet": (of_bytes("g.parquet", b"PAR1..."), {}, "GeoParquet cannot be read"),
    "a raster": (of_bytes("g.tif", b"II*\0..."), {}, "found a raster"),
    "another format": (of_bytes("g.tab", b"!table"), {}, "found a file ending in .tab"),
    "empty file": (of_bytes("g.gpkg", b""), {}, "found an empty file"),
    "links to another file": (
        of_bytes("g.gpkg", b"<OGRVRTDataSource><OGRVRTLayer/></OGRVRTDataSource>"),
        {},
        "expected GeoPackage, GeoJSON",
    ),
    "a link for a CRS": (linked, {}, "its CRS is a link"),
    "short .shp": (short_shapefile(".shp"), {}, "cut short"),
    "short .shx": (short_shapefile(".shx"), {}, "cut short"),
    "short .dbf": (short_shapefile(".dbf"), {}, "cut short"),
    "short FlatGeobuf": (lambda f: cut(write(f / "g.fgb", GRAVES)), {}, "0 of 8 features"),
    "GML in an unknown encoding": (encoded("true"), {}, "unknown encoding"),
    "GML of several bytes a letter": (encoded("Shift_JIS"), {}, "export it again as UTF-8"),
    "short GeoJSON": (lambda f: cut(write(f / "g.geojson", GRAVES)), {}, "cannot be read"),
    "garbled GeoPackage": (garbled, {}, "cannot be read"),
    "garbage in .prj": (garbage_prj, {}, ""),
    "a foreign byte in .prj": (prj_with_a_foreign_byte, {}, "cannot be read"),
    "metres in GeoJSON without a CRS": (
        metres_in_geojson,
        {},
        "lie nowhere on the Earth (found x 5000",
    ),
    "an impossible date that is asked for": (
        dated(b"20010231"),
        {"annotation_filter": "SEIT > '1990-01-01'"},
        "day is out of range",
    ),
    "metres taken for degrees": (
        lambda f: write(f / "g.shp", GRAVES, crs="EPSG:4326"),
        {},
        "lie nowhere on the Earth (found x 5000",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_is_one_line_that_names_the_file(tmp_path: Path, name: str) -> None:
    deliver, options, why = REFUSALS[name]
    path = deliver(tmp_path)
    with pytest.raises(GraveError) as caught:
        read_grave_file(path, GRID, DataSettings(**options))
    line = str(caught.value)
    assert line.startswith(f"{path.with_suffix('')}.")
    assert why in line
    assert "\n" not in line


def test_geometries_that_cannot_be_read_are_counted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "g.gpkg", GRAVES)
    with sqlite3.connect(path) as base:
        for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            base.execute(f'DROP TRIGGER "{name}"')
        base.execute("UPDATE g SET geom = substr(geom, 1, 60) WHERE fid < 3")
    base.close()

    graves = read_grave_file(path, GRID, DataSettings())

    assert len(graves.polygons) == len(GRAVES) - 2
    words = list(graves.findings.sentences())
    assert words == ["2 features with a geometry that cannot be read ignored"]
    assert capfd.readouterr().err == ""


def test_a_missing_grid_of_datum_shifts_is_said(tmp_path: Path) -> None:
    """The British grid, which no wheel of PROJ brings along."""
    grid = lay_grid("EPSG:25830", (587_990, 5_962_000, 588_010, 5_962_020), 0.1, "here")
    inside = [shapely.box(588_000 + x, 5_962_010, 588_002 + x, 5_962_011) for x in (0, 3)]
    step = Transformer.from_crs("EPSG:25830", "EPSG:27700", always_xy=True)
    british = shapely.transform(np.array(inside), step.transform, interleaved=False)
    path = write(tmp_path / "g.gpkg", british, crs="EPSG:27700")

    (note,) = read_grave_file(path, grid, DataSettings()).notes

    assert note.startswith(f"{path}: positions can be off by some metres")
    assert "pyproj sync --file uk_os_OSTN15_NTv2_OSGBtoETRS" in note
    assert read_grave_file(write(tmp_path / "h.gpkg", GRAVES), GRID, DataSettings()).notes == ()


@pytest.mark.parametrize(("ellipsoid", "said"), [("bessel", True), ("GRS80", False)])
def test_a_crs_without_a_datum_is_doubted(tmp_path: Path, ellipsoid: str, said: bool) -> None:
    crs = f"+proj=tmerc +lat_0=0 +lon_0=9 +x_0=3500000 +ellps={ellipsoid} +units=m +no_defs"
    path = write(tmp_path / "g.gpkg", moved(GRAVES, crs), crs=crs)
    notes = read_grave_file(path, GRID, DataSettings()).notes
    assert [" can be off by 100 m or more, because no way is known" in note for note in notes] == [
        True
    ] * said


def test_text_of_dos_is_told_by_bytes_that_windows_does_not_know(tmp_path: Path) -> None:
    path = write(tmp_path / "g.shp", named("Gr~ft"))
    table = path.with_suffix(".dbf")
    data = table.read_bytes().replace(b"Gr~ft", "Grüft".encode("cp850"))
    table.write_bytes(data[:29] + b"\0" + data[30:])
    path.with_suffix(".cpg").unlink()
    assert {row["NAME"] for row in read_records(path).rows} == {"Grüft"}


@pytest.mark.parametrize("day", [b"19990231", b"19990000"])
def test_columns_of_impossible_dates_are_left_out(tmp_path: Path, day: bytes) -> None:
    path = dated(day)(tmp_path)
    note = f"{path}: left out, because of dates that do not exist: SEIT; make text of them"

    features, records = read_features(path, None, columns=None), read_records(path)

    assert features.columns == ("NAME",)
    assert features.values["NAME"].tolist() == ["x"] * len(GRAVES)
    assert [dict(row) for row in records.rows] == [{"NAME": "x"}] * len(GRAVES)
    for notes in (features.notes, records.notes):
        assert [one.startswith(note) for one in notes] == [True]


def test_possible_dates_are_kept(tmp_path: Path) -> None:
    path = dated(b"19990228")(tmp_path)
    assert read_features(path, None, columns=None).columns == ("NAME", "SEIT")
    assert read_records(path).rows[0]["SEIT"] == "1999-02-28"


def test_a_name_that_sounds_like_a_crs_is_allowed_in_lines_of_geojson(tmp_path: Path) -> None:
    path, outlines = tmp_path / "g.geojsonl", moved(GRAVES, "EPSG:4326")
    features = [
        {"type": "Feature", "properties": {"NAME": name}, "geometry": shapely.geometry.mapping(one)}
        for name, one in zip(["Macrs", *["x"] * len(GRAVES)], outlines, strict=False)
    ]
    path.write_text("\n".join(map(json.dumps, features)) + "\n")
    assert read_features(path, UTM, columns=None).values["NAME"][0] == "Macrs"
    features[0]["crs"] = {"type": "link", "properties": {"href": "http://127.0.0.1:9/crs"}}
    path.write_text("\n".join(map(json.dumps, features)))
    with pytest.raises(GraveError, match="its CRS is a link"):
        read_features(path, UTM)
