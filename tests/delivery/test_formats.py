"""Each format holds the graves, whole and in the right place, as other programs read them."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import fiona
import numpy as np
import pytest
import shapely
from pyproj import Transformer
from some_map import GRAVES, UTM, some_map

from grave_cli.delivery.formats import (
    FORMAT_NAMES,
    FORMATS,
    crs_for,
    parse_formats,
    plan_files,
    shortcomings,
)
from grave_cli.delivery.grave_columns import GRAVE_COLUMNS
from grave_cli.delivery.layer import Column, Layer
from grave_cli.delivery.simple_files import SHAPEFILE_NAMES, shapefile_names
from grave_cli.errors import ExportError
from grave_cli.mapping.geopackage import graves_layer
from grave_cli.rasters.crs import parse_crs

DEGREES = parse_crs("EPSG:4326")
DOCS = Path(__file__).resolve().parents[2] / "docs" / "outputs.md"


@pytest.fixture
def layer(tmp_path: Path) -> Layer:
    (tmp_path / "anna.tif").write_bytes(b"pixels")
    return graves_layer(some_map(tmp_path / "anna.tif"), UTM)


def write(layer: Layer, path: Path, signs: tuple[str, str] = (",", ".")) -> Path:
    (name,) = plan_files(path, [])
    FORMATS[name].write(layer, path, signs)
    return path


def same(outlines: np.ndarray, layer: Layer, tolerance: float = 0.0002) -> bool:
    return bool((shapely.hausdorff_distance(outlines, layer.polygons()) < tolerance).all())


def outlines_of(path: Path) -> np.ndarray:
    with fiona.open(path) as file:
        return np.array([shapely.geometry.shape(feature.geometry) for feature in file])


def test_geojson_is_in_degrees_east_and_north(layer: Layer, tmp_path: Path) -> None:
    result = some_map(tmp_path / "anna.tif")
    assert crs_for("geojson", UTM, UTM) == DEGREES
    path = write(graves_layer(result, DEGREES), tmp_path / "map.geojson")
    found = json.loads(path.read_text("utf-8"))
    assert "crs" not in found
    ring = np.array(found["features"][0]["geometry"]["coordinates"][0])
    assert np.allclose(ring, (9.0, 47.85), atol=0.01)
    assert shapely.is_ccw(shapely.linearrings(ring))  # the right-hand rule of RFC 7946
    back = Transformer.from_crs(DEGREES, UTM, always_xy=True).transform
    assert same(shapely.transform(outlines_of(path), back, interleaved=False), layer)
    values = found["features"][0]["properties"]
    assert values == {**next(layer.cells()), "cemetery_id": "groß_anna"}
    assert found["features"][-1]["properties"]["height_m"] is None


@pytest.mark.parametrize("ending", [".fgb", ".shp"])
def test_flatgeobuf_and_shapefile_hold_every_column(
    layer: Layer, tmp_path: Path, ending: str
) -> None:
    path = write(layer, tmp_path / f"map{ending}")
    with fiona.open(path) as file:
        records = [dict(feature.properties) for feature in file]
        assert Transformer.from_crs(file.crs_wkt, UTM, always_xy=True).transform(500_000, 1)[0]
    # FlatGeobuf orders features for its spatial index.
    records.sort(key=lambda record: (record["confidence"], record["grave_id"]))
    wanted = sorted(layer.cells(), key=lambda cells: (cells["confidence"], cells["grave_id"]))
    names = shapefile_names(GRAVE_COLUMNS) if ending == ".shp" else {n: n for n in GRAVE_COLUMNS}
    for record, cells in zip(records, wanted, strict=True):
        if ending == ".shp":
            cells |= {name: cells[name] or None for name in ("flags", "review_reason")}
        assert record == {names[name]: value for name, value in cells.items()}
    found = sorted(outlines_of(path), key=lambda outline: outline.bounds)
    assert same(np.array(found), layer)


def test_a_shapefile_has_five_parts_and_replaces_indexes_of_an_older_one(
    layer: Layer, tmp_path: Path
) -> None:
    (tmp_path / "map.qix").write_bytes(b"index of other shapes")
    write(layer, tmp_path / "map.shp")
    found = {path.name for path in tmp_path.iterdir()} - {"anna.tif"}
    assert found == {"map.shp", "map.shx", "map.dbf", "map.prj", "map.cpg"}
    assert (tmp_path / "map.cpg").read_text() == "UTF-8"


def test_shapefile_names_are_short_unique_and_documented() -> None:
    assert all(len(name) <= 10 for name in shapefile_names(GRAVE_COLUMNS).values())
    long = shapefile_names(["needs_review", "occupancy_from", "occupancy_till", "Review"])
    assert list(long.values()) == ["review", "occupancy_", "occupanc_2", "Review_2"]
    page = DOCS.read_text("utf-8")
    for name, short in SHAPEFILE_NAMES.items():
        assert f"| `{name}` | `{short}` |" in page


def test_csv_for_a_german_excel(layer: Layer, tmp_path: Path) -> None:
    path = write(layer, tmp_path / "map.csv", (";", ","))
    assert path.read_bytes().startswith(b"\xef\xbb\xbfgrave_id;cemetery_id;")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert list(rows[0]) == [*GRAVE_COLUMNS, "centroid_x", "centroid_y", "wkt"]
    assert [row["confidence"] for row in rows[:2]] == ["0,97", "0,93"]
    assert rows[0]["cemetery_id"] == "groß_anna"
    assert [row["needs_review"] for row in rows] == ["0", "0", "0", "0", "1", "1"]
    assert rows[-1]["field"] == rows[-1]["height_m"] == ""
    assert rows[0]["centroid_x"] == "500000,5000"
    assert same(shapely.from_wkt([row["wkt"] for row in rows]), layer)


def test_csv_has_points_and_commas_by_default_and_is_read_by_gdal(
    layer: Layer, tmp_path: Path
) -> None:
    path = write(layer, tmp_path / "map.csv")
    assert "0.97" in path.read_text("utf-8-sig").splitlines()[1].split(",")
    assert same(outlines_of(path), layer)


def test_dxf_has_a_layer_for_each_field_and_numbers_as_text(layer: Layer, tmp_path: Path) -> None:
    import ezdxf

    drawing = ezdxf.readfile(write(layer, tmp_path / "map.dxf"))
    assert not drawing.audit().has_errors
    space = drawing.modelspace()
    assert {item.dxf.layer for item in space} == {"F00", "F01", "F02"}
    assert {"F00", "F01", "F02"} <= {item.dxf.name for item in drawing.layers}
    texts = [(item.dxf.layer, item.dxf.text) for item in space.query("TEXT")]
    assert texts == [(f"F{field or 0:02d}", str(number)) for field, _, number, *_ in GRAVES]
    lines = space.query("LWPOLYLINE")
    assert all(line.closed for line in lines)
    found = np.array([shapely.Polygon(line.get_points("xy")) for line in lines])
    assert same(found, layer)
    ids = [line.get_xdata("GRAVECLI")[0].value for line in lines]
    assert ids == [row["grave_id"] for row in layer.rows]
    with fiona.open(tmp_path / "map.dxf") as file:
        assert {record.properties["Layer"] for record in file} == {"F00", "F01", "F02"}


def test_dxf_holds_real_numbers_and_ids_of_several_lines(layer: Layer, tmp_path: Path) -> None:
    import ezdxf

    rows = [{**row, "number": 12.0, "grave_id": "Süd\nA-12"} for row in layer.rows]
    path = write(replace(layer, rows=rows), tmp_path / "map.dxf")
    space = ezdxf.readfile(path).modelspace()
    assert {item.dxf.text for item in space.query("TEXT")} == {"12"}
    found = {line.get_xdata("GRAVECLI")[0].value for line in space.query("LWPOLYLINE")}
    assert found == {"Süd A-12"}


def test_dxf_is_written_in_silence_where_the_home_folder_is_read_only(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from some_map import *; "
        "from grave_cli.mapping.geopackage import graves_layer; "
        "from grave_cli.delivery.dxf_file import write_dxf; folder = Path(sys.argv[1]); "
        "write_dxf(graves_layer(some_map(folder / 'anna.tif'), UTM), folder / 'map.dxf')"
    )
    places = {"HOME": str(tmp_path / "file" / "home"), "XDG_CACHE_HOME": ""}
    (tmp_path / "file").write_text("no folder")
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, **places, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "map.dxf").stat().st_size > 0


def test_dxf_of_a_map_in_degrees_is_in_metres() -> None:
    assert crs_for("dxf", DEGREES, UTM) == UTM
    assert crs_for("csv", DEGREES, UTM) == DEGREES


def test_geoparquet_holds_geometry_crs_and_types(layer: Layer, tmp_path: Path) -> None:
    from pyarrow import parquet

    path = write(layer, tmp_path / "map.parquet")
    table = parquet.read_table(path)
    rows = table.to_pylist()
    outlines = shapely.from_wkb([row.pop("geometry") for row in rows])
    assert same(outlines, layer)
    assert rows == list(layer.cells())
    geo = json.loads(table.schema.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    about = geo["columns"][geo["primary_column"]]
    assert about["encoding"] == "WKB"
    assert about["geometry_types"] == ["Polygon"]
    assert about["crs"]["id"] == {"authority": "EPSG", "code": 25832}
    assert about["bbox"] == shapely.total_bounds(layer.polygons()).tolist()
    geopandas = pytest.importorskip("geopandas", reason="geopandas is not installed")
    assert same(geopandas.read_parquet(path).geometry.to_numpy(), layer)


def test_geoparquet_keeps_a_column_called_geometry(layer: Layer, tmp_path: Path) -> None:
    from pyarrow import parquet

    columns = {**layer.columns, "geometry": Column("str")}
    rows = [{**row, "geometry": "sunk"} for row in layer.rows]
    path = write(replace(layer, columns=columns, rows=rows), tmp_path / "map.parquet")
    table = parquet.read_table(path)
    assert set(table["geometry"].to_pylist()) == {"sunk"}
    outlines = json.loads(table.schema.metadata[b"geo"])["primary_column"]
    assert same(shapely.from_wkb(table[outlines].to_pylist()), layer)


def test_geoparquet_without_pyarrow_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grave_cli.delivery.parquet_file.find_spec", lambda name: None)
    with pytest.raises(ExportError, match=r"map\.parquet: .*pyarrow.*; pip install pyarrow"):
        FORMATS["parquet"].check(tmp_path / "map.parquet")


@pytest.mark.parametrize("name", [name for name in FORMAT_NAMES if name not in ("gpkg", "dxf")])
def test_columns_of_the_office_are_written_in_every_format(
    layer: Layer, tmp_path: Path, name: str
) -> None:
    more = {"belegt_seit": "date", "belegungsart": "str:40", "stellen": "int32", "miete": "float"}
    columns = {**layer.columns, **{key: Column(kind) for key, kind in more.items()}}  # type: ignore[arg-type]
    values = dict(zip(more, ("2019-05-31", "Wahlgrab, außen", 2, 1234.5), strict=True))
    rows = [{**row, **values} for row in layer.rows]
    path = write(Layer("graves", columns, rows, layer.geometries, UTM), tmp_path / f"map.{name}")
    if name == "parquet":
        from pyarrow import parquet

        found = parquet.read_table(path).to_pylist()[0]
    else:
        with fiona.open(path) as file:
            found = dict(next(iter(file)).properties)
    texts = [str(found[key if name != "shp" else key[:10]])[:15] for key in more]
    assert [text.removesuffix("T00:00:00") for text in texts] in (
        ["2019-05-31", "Wahlgrab, außen", "2", "1234.5"],
        ["2019-05-31T00:0", "Wahlgrab, außen", "2", "1234.5"],
    )


@pytest.mark.parametrize("name", [name for name in FORMAT_NAMES if name != "gpkg"])
def test_a_map_without_graves_is_written_too(layer: Layer, tmp_path: Path, name: str) -> None:
    empty = Layer(layer.name, layer.columns, [], layer.polygons()[:0], layer.crs)
    path = write(empty, tmp_path / f"none.{name}")
    assert path.stat().st_size > 0


def test_the_ending_tells_the_format_and_others_lie_beside() -> None:
    files = plan_files(Path("out/st.anna.JSON"), ["csv", "geojson", "gpkg", "csv"])
    assert files == {
        "geojson": Path("out/st.anna.JSON"),
        "csv": Path("out/st.anna.csv"),
        "gpkg": Path("out/st.anna.gpkg"),
    }
    with pytest.raises(ExportError, match=r"map: .*no format \(found no ending, expected \.gpkg"):
        plan_files(Path("map"), ["csv"])
    assert parse_formats(["CSV", ".shp"]) == ["csv", "shp"]


def test_what_formats_cannot_hold_is_said_once_for_all_and_once_for_each() -> None:
    assert shortcomings(["gpkg"], UTM, UTM) == []
    common, csv_file, dxf = shortcomings(["gpkg", "csv", "fgb", "dxf"], DEGREES, UTM)
    assert common.startswith("CSV, FlatGeobuf, DXF: the graves alone")
    assert "WGS 84" in csv_file
    assert "UTM zone 32N" in dxf
