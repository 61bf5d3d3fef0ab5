"""GeoParquet as a vector file."""

import datetime
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from pyarrow import parquet
from pyproj import CRS

from grave_cli.errors import DatasetError
from grave_cli.vectors.attribute_tables import read_records
from grave_cli.vectors.vector_io import LayerChoice, read_features

UTM = "EPSG:25832"
BOXES = [shapely.box(500_000 + x, 5_300_000, 500_001 + x, 5_300_002) for x in (0, 3)]
NO_CRS: dict[str, object] = {}


def write(
    path: Path,
    shapes: list[shapely.Geometry],
    crs: dict[str, object],
    encoding: str = "WKB",
    **columns: list[object],
) -> Path:
    geo = {
        "version": "1.1.0",
        "primary_column": "geom",
        "columns": {"geom": {"encoding": encoding, "geometry_types": [], **crs}},
    }
    table = pa.table({**columns, "geom": shapely.to_wkb(shapes).tolist()})
    parquet.write_table(table.replace_schema_metadata({"geo": json.dumps(geo)}), path)
    return path


def utm() -> dict[str, object]:
    return {"crs": CRS(UTM).to_json_dict()}


def test_outlines_and_columns_are_read(tmp_path: Path) -> None:
    columns = {
        "name": ["Großmann", None],
        "number": [1, 2],
        "area": [2.5, None],
        "done": [True, False],
        "day": [datetime.date(2025, 4, 1), None],
        "tags": [["a"], []],
    }
    path = write(tmp_path / "anna.parquet", BOXES, utm(), **columns)
    found = read_features(path, UTM, columns=None)
    assert shapely.equals_exact(found.geometries, np.array(BOXES), 1e-6).all()
    assert found.columns == tuple(columns)
    assert found.values["name"].tolist() == ["Großmann", None]
    assert found.values["number"].tolist() == [1, 2]
    assert found.values["area"].tolist() == [2.5, None]
    assert found.values["done"].tolist() == [True, False]
    assert found.values["day"].tolist() == ["2025-04-01", None]
    assert found.values["tags"].tolist() == ["['a']", "[]"]


def test_a_condition_selects_features(tmp_path: Path) -> None:
    path = write(tmp_path / "anna.parquet", BOXES, utm(), number=[1, 2])
    found = read_features(path, UTM, LayerChoice(condition="number = 2"))
    assert shapely.equals_exact(found.geometries, np.array(BOXES[1:]), 1e-6).all()


def test_without_a_crs_it_is_longitude_and_latitude(tmp_path: Path) -> None:
    path = write(tmp_path / "anna.parquet", [shapely.box(9, 47, 9.00001, 47.00001)], NO_CRS)
    left, bottom, *_ = read_features(path, UTM).geometries[0].bounds
    # The arc of the meridian from the equator to 47 degrees, 5,207,247 m, times 0.9996.
    assert (left, bottom) == pytest.approx((500_000, 5_205_164), abs=1)


def test_records_of_an_office_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "list.parquet", [shapely.Point(1, 2)], utm(), name=["Anna"])
    found = read_records(path)
    assert [dict(row) for row in found.rows] == [{"name": "Anna"}]
    assert found.points is not None
    assert found.points.tolist() == [[1, 2]]


def damaged(path: Path) -> Path:
    write(path, BOXES, utm())
    path.write_bytes(path.read_bytes()[:-30])
    return path


def plain_table(path: Path) -> Path:
    parquet.write_table(pa.table({"a": [1]}), path)
    return path


def no_wkb(path: Path) -> Path:
    table = pa.table({"geom": [b"nonsense"]})
    about = {"primary_column": "geom", "columns": {"geom": {"encoding": "WKB"}}}
    parquet.write_table(table.replace_schema_metadata({"geo": json.dumps(about)}), path)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (damaged, "GeoParquet cannot be read"),
        (plain_table, "found a table without geometries"),
        (no_wkb, "GeoParquet cannot be read"),
        (lambda path: write(path, BOXES, utm(), encoding="polygon"), "found geometries as polygon"),
        (lambda path: write(path, BOXES, {"crs": None}), "CRS"),
    ],
)
def test_others_are_refused_in_one_line(tmp_path: Path, make, words: str) -> None:
    path = make(tmp_path / "anna.parquet")
    with pytest.raises(DatasetError, match=words) as caught:
        read_features(path, UTM)
    assert str(caught.value).startswith(str(path))


def test_whole_numbers_beyond_63_bits_are_text(tmp_path: Path) -> None:
    columns = {"cell": pa.array([2**64 - 1, None], pa.uint64()), "n": pa.array([1, 2], pa.uint64())}
    found = read_features(write(tmp_path / "a.parquet", BOXES, utm(), **columns), UTM, columns=None)
    assert found.values["cell"].tolist() == ["18446744073709551615", None]
    assert found.values["n"].tolist() == [1, 2]
