"""Bad vector files, as ground truth, map, area or annotations: each is refused in one line."""

import json
import shlex
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import shapely
from deliveries import write
from office import CHECK, CRS, LEFT, PREDICT, TINY_SETS, TOP, TRAIN, assert_refuses, graves
from terminal import gravecli

Make = Callable[[Path], Path]
EVALUATE = "evaluate drawn/prediction.gpkg drawn/truth.gpkg -q"
POINT = shapely.Point(LEFT + 1, TOP - 1)
SEA = [shapely.box(LEFT + 9_000, TOP, LEFT + 9_001, TOP + 2)]


def of_bytes(name: str, content: bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def drawn(name: str, shapes: list[Any] | None = None, **how: Any) -> Make:
    def make(folder: Path) -> Path:
        return write(folder / name, graves() if shapes is None else shapes, **{"crs": CRS, **how})

    return make


def without(ending: str) -> Make:
    def make(folder: Path) -> Path:
        path = write(folder / "anna.shp", graves(), crs=CRS)
        path.with_suffix(ending).unlink()
        return path

    return make


def cut(name: str, part: str = "", share: float = 0.6) -> Make:
    def make(folder: Path) -> Path:
        path = write(folder / name, graves(), crs=CRS)
        file = path.with_suffix(part or path.suffix)
        file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
        return path

    return make


def geojson(change: Callable[[dict[str, Any]], object]) -> Make:
    """Change what a GeoJSON file holds."""

    def make(folder: Path) -> Path:
        path = write(folder / "anna.geojson", graves(), crs=CRS)
        content = json.loads(path.read_text("utf-8"))
        change(content)
        path.write_text(json.dumps(content))
        return path

    return make


def at(x: float) -> Make:
    """Move all corners to one place."""

    def change(content: dict[str, Any]) -> None:
        for feature in content["features"]:
            feature["geometry"]["coordinates"] = [[[x, 1], [x, 2], [x + 1, 2], [x, 1]]]

    return geojson(change)


def no_geometry(content: dict[str, Any]) -> None:
    for feature in content["features"]:
        feature["geometry"] = None


def sql(*statements: str) -> Make:
    def make(folder: Path) -> Path:
        path = write(folder / "anna.gpkg", graves(), crs=CRS)
        with closing(sqlite3.connect(path)) as database, database:
            for statement in statements:
                database.execute(statement)
        return path

    return make


def two_layers(folder: Path) -> Path:
    for layer in ("plots", "paths"):
        path = write(folder / "anna.gpkg", graves(), crs=CRS, layer=layer)
    return path


def missing(folder: Path) -> Path:
    return folder / "anna.gpkg"


def a_folder(name: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / name).mkdir()
        return folder / name

    return make


def linked(target: str) -> Make:
    def make(folder: Path) -> Path:
        (folder / "anna.gpkg").symlink_to(target)
        return folder / "anna.gpkg"

    return make


def site_prj(folder: Path) -> Path:
    path = write(folder / "anna.shp", graves(), crs=CRS)
    path.with_suffix(".prj").write_text('LOCAL_CS["site",UNIT["metre",1]]')
    return path


# Faults of any vector file -> how to make it, words of the line beside the name of the file.
DAMAGE: dict[str, tuple[Make, str]] = {
    "empty": (of_bytes("anna.gpkg", b""), "empty file"),
    "empty GeoJSON": (of_bytes("anna.geojson", b""), "empty file"),
    "text": (of_bytes("anna.gpkg", b"not a database"), ""),
    "text in a Shapefile": (of_bytes("anna.shp", b"not a Shapefile"), ""),
    "text in a FlatGeobuf": (of_bytes("anna.fgb", b"not a FlatGeobuf"), ""),
    "web page": (of_bytes("anna.geojson", b"<!DOCTYPE html><html>Sign in</html>"), ""),
    "database of something else": (
        sql("DROP TABLE gpkg_contents", "DROP TABLE gpkg_geometry_columns"),
        "",
    ),
    "GeoPackage without its table": (sql("DROP TABLE anna"), ""),
    "short GeoPackage": (cut("anna.gpkg"), ""),
    "short GeoJSON": (cut("anna.geojson"), "cannot be read"),
    "short FlatGeobuf": (cut("anna.fgb"), ""),
    "short Shapefile": (cut("anna.shp"), "cut short"),
    "short .dbf": (cut("anna.shp", ".dbf"), "cut short"),
    "short .shx": (cut("anna.shp", ".shx"), "cut short"),
    "short GML": (cut("anna.gml"), "cut short"),
    "no .shx": (without(".shx"), "no .shx"),
    "no .prj": (without(".prj"), "no CRS"),
    "local CRS": (site_prj, "no known place on Earth"),
    "no CRS": (drawn("anna.gpkg", crs=None), "no CRS"),
    "metres called degrees": (drawn("anna.shp", crs="EPSG:4326"), "nowhere on the Earth"),
    "metres in GeoJSON": (geojson(lambda content: content.pop("crs")), "nowhere on the Earth"),
    "huge coordinates": (at(1e308), ""),
    "a list": (of_bytes("anna.geojson", b"[1, 2, 3]"), ""),
    "a deep list": (of_bytes("anna.geojson", b"[" * 100_000), ""),
    "a deep object": (of_bytes("anna.geojson", b'{"a":' * 100_000), ""),
    "bytes of zero": (of_bytes("anna.geojson", bytes(5_000)), ""),
    "UTF-16": (of_bytes("anna.geojson", '{"type": "FeatureCollection"}'.encode("utf-16")), ""),
    "no type": (geojson(lambda content: content.pop("type")), ""),
    "points": (drawn("anna.gpkg", [POINT], kind="Point"), ""),
    "two layers": (two_layers, "2 layers: "),
    "zip": (of_bytes("anna.zip", b"PK\x03\x04..."), ""),
    "folder": (a_folder("anna.gpkg"), ""),
    "folder that is no FileGDB": (a_folder("anna.gdb"), ""),
    "missing": (missing, ""),
    "link to nothing": (linked("nowhere.gpkg"), ""),
    "link to itself": (linked("anna.gpkg"), ""),
    "half a KML": (of_bytes("anna.kml", b"<kml><Document><Placemark>"), ""),
    "text in a DXF": (of_bytes("anna.dxf", b"not a drawing"), ""),
}
# Where a file without any grave is an error too.
NO_GRAVES: dict[str, tuple[Make, str]] = {
    "no geometries": (geojson(no_geometry), ""),
    "endless coordinates": (at(float("inf")), ""),
    "features that are none": (geojson(lambda content: content.update(features=[1, 2])), ""),
    "no numbers": (at(float("nan")), ""),
    "no features": (drawn("anna.gpkg", []), ""),
    "elsewhere": (drawn("anna.gpkg", SEA), "outside"),
}
# In the data folder, these are not taken for the annotations of a cemetery.
NOT_TAKEN = {"zip", "missing", "link to nothing", "link to itself"}

NAMED = {
    "prediction": "evaluate {} drawn/truth.gpkg -q",
    "truth": "evaluate drawn/prediction.gpkg {} -q",
    "area": EVALUATE + " --area {}",
    "truth of a map": PREDICT + " --truth {}",
    "aoi": PREDICT + " --aoi {}",
}


@pytest.mark.parametrize("command", NAMED)
@pytest.mark.parametrize("name", DAMAGE)
def test_a_bad_file_that_is_named(
    office: Path, name: str, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    make, words = DAMAGE[name]
    (office / "bad").mkdir()
    path = make(office / "bad").relative_to(office)
    assert_refuses(office, NAMED[command].format(path), "bad/anna", words)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", DAMAGE)
def test_a_bad_file_that_is_to_be_tidied(
    office: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (office / "bad").mkdir()
    path = DAMAGE[name][0](office / "bad").relative_to(office)
    assert_refuses(office, f"tidy {path} -q", "bad/anna")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("command", [TRAIN, CHECK], ids=lambda text: text.split()[0])
@pytest.mark.parametrize("name", [name for name in DAMAGE | NO_GRAVES if name not in NOT_TAKEN])
def test_bad_annotations(
    office: Path, name: str, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    make, words = (DAMAGE | NO_GRAVES)[name]
    folder = office / "data" / "annotations"
    shutil.rmtree(folder)
    folder.mkdir()
    make(folder)
    assert_refuses(office, command, "annotations/anna", words)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("command", [TRAIN, CHECK], ids=lambda text: text.split()[0])
@pytest.mark.parametrize("name", ["text", "no CRS", "points", "elsewhere", "huge coordinates"])
def test_a_bad_labelled_area(office: Path, name: str, command: str) -> None:
    make, words = (DAMAGE | NO_GRAVES)[name]
    make(office / "data" / "areas")
    assert_refuses(office, command, "areas/anna", words)


@pytest.mark.parametrize("command", ["truth of a map", "aoi"])
def test_a_file_of_another_place(office: Path, command: str) -> None:
    write(office / "sea.gpkg", SEA, crs=CRS)
    assert_refuses(office, NAMED[command].format("sea.gpkg"), "sea.gpkg", "outside")


def test_outlines_that_are_no_numbers_are_counted(office: Path) -> None:
    at(float("nan"))(office)
    command = shlex.split("evaluate anna.geojson drawn/truth.gpkg")
    result = gravecli(*command, cwd=office)
    assert result.returncode == 0
    assert "10 features with a geometry that cannot be read" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--truth-layer urns", ["drawn/truth.gpkg", "urns"]),
        ("--prediction-layer urns", ["drawn/prediction.gpkg", "urns"]),
        ("--by-attribute urns", ["drawn/truth.gpkg", "urns", "NAME"]),
        ("--set data.annotation_filter=\"URN = 'x'\"", ["drawn/truth.gpkg", "NAME"]),
        ("--set data.annotation_filter=\"NAME == = 'x'\"", ["drawn/truth.gpkg", "condition"]),
        (
            "--set data.annotation_filter=\"NAME = 'none'\"",
            ["drawn/truth.gpkg", "no feature meets"],
        ),
    ],
)
def test_layers_and_columns_that_are_not_there(
    office: Path, arguments: str, words: list[str]
) -> None:
    assert_refuses(office, f"{EVALUATE} {arguments}", *words)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("data.annotation_layer=urns", ["annotations/anna.gpkg", "urns"]),
        ("data.area_layer=urns", ["annotations/anna.gpkg", "urns"]),
        ("data.annotations=none.gpkg", ["none.gpkg", "missing", "data.annotations"]),
        ("data.annotation_filter=\"URN = 'x'\"", ["annotations/anna.gpkg", "NAME"]),
    ],
)
@pytest.mark.parametrize("command", ["train -q", "check data -q", "hpo --study pilot -q"])
def test_settings_that_do_not_fit_the_annotations(
    office: Path, command: str, setting: str, words: list[str]
) -> None:
    assert_refuses(office, f"{command} {TINY_SETS} --set {setting}", *words)
