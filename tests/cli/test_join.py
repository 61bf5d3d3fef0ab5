"""`gravecli join` on a list with planted contradictions: everything that does not fit is named."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import fiona
import pytest
import shapely
from openpyxl import Workbook
from pyproj import Transformer
from survey_scene import MAP_TYPES, PLACE, UTM, map_rows, write_survey
from terminal import assert_refused, gravecli

GRAVES = [
    shapely.box(1.3 * i, -2.9 * r - 2, 1.3 * i + 1, -2.9 * r) for r in range(2) for i in range(8)
]
"""One field of two rows of eight graves."""

LIST = """\
Feld;Reihe;Grab-Nr.;Name;Ablauf;Gebühr;row
1;1;1;Müller;2031;12,50;a
1;1;2-3;Meier;2032;13;b
1;1;4;Groß;2033;14;c
1;1;4;Klein;2034;15;d
1;1;5a;Braun;2035;16;e
1;1;99;Weiß;2036;17;f
1;2;;Ohne;2037;18;g
1;2;links;Unklar;2038;19;h
1;2;7-10;Lang;2039;20;i
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a map and a list."""
    write_survey(tmp_path / "map.gpkg", GRAVES, map_rows(GRAVES, "st_anna"), MAP_TYPES)
    (tmp_path / "list.csv").write_text(LIST, "cp1252")
    return tmp_path


def rows(path: Path, layer: str = "graves") -> list[dict[str, Any]]:
    with fiona.open(path, layer=layer) as file:
        return [dict(feature.properties) for feature in file]


def by_id(path: Path) -> dict[str, dict[str, Any]]:
    return {row["grave_id"].removeprefix("st_anna-F01-"): row for row in rows(path)}


def test_both_remainders_and_double_claims_are_named(here: Path) -> None:
    result = gravecli(
        "join", "map.gpkg", "list.csv", "--on", "Feld,Reihe,Grab-Nr.", "--json", cwd=here
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["keys"] == {"field": "Feld", "row": "Reihe", "number": "Grab-Nr."}
    counts = {key: value for key, value in summary.items() if isinstance(value, int)}
    assert counts == {
        "graves": 16,
        "records": 9,
        "graves_with_record": 6,
        "graves_without_record": 10,
        "graves_claimed_twice": 1,
        "records_joined": 5,
        "records_joined_by_place": 0,
        "records_without_grave": 4,
        "records_in_doubt": 1,
    }
    graves = by_id(here / "joined.gpkg")
    assert [graves[f"R01-00{n}"]["Name"] for n in (1, 2, 3, 4)] == [
        "Müller",
        "Meier",
        "Meier",
        "Groß",
    ]
    assert graves["R01-004"]["records"] == 2
    assert graves["R01-004"]["list_lines"] == "4, 5"
    assert graves["R02-008"]["list_doubt"] == "no grave 9, 10"
    assert (graves["R01-005"]["records"], graves["R01-005"]["Name"]) == (0, None)
    reasons = {r["Name"]: r["reason"] for r in rows(here / "joined.gpkg", "records_without_grave")}
    assert reasons == {
        "Braun": "no grave 5a; but there is 5",
        "Weiß": "no grave 99",
        "Ohne": "no number",
        "Unklar": "number cannot be read: links",
    }
    twice = rows(here / "joined.gpkg", "graves_claimed_twice")
    assert [(row["Name"], row["line"], row["used"]) for row in twice] == [
        ("Groß", 4, True),
        ("Klein", 5, False),
    ]
    without = rows(here / "joined.gpkg", "graves_without_record")
    assert len(without) == 10
    assert "Name" not in without[0]


def test_names_and_types_are_kept_and_a_column_of_the_same_name_is_said(here: Path) -> None:
    result = gravecli("join", "map.gpkg", "list.csv", "--on", "Feld,Reihe,Grab-Nr.", cwd=here)
    assert result.returncode == 0, result.stderr
    assert "column row of the list is called list_row in the result" in result.stderr
    assert "claimed by several records" in result.stdout
    with fiona.open(here / "joined.gpkg", layer="graves") as file:
        types = dict(file.schema["properties"])
    kept = ("Feld", "Grab-Nr.", "Ablauf", "Gebühr", "list_row")
    found = [types[name].partition(":")[0] for name in kept]
    assert found == ["int", "str", "int", "float", "str"]
    assert by_id(here / "joined.gpkg")["R01-001"]["Gebühr"] == 12.5


def test_a_column_of_the_map_that_the_join_needs_is_renamed_not_lost(here: Path) -> None:
    own = [row | {"records": "eigene", "fid": i} for i, row in enumerate(map_rows(GRAVES, "a"))]
    types = MAP_TYPES | {"records": "str", "fid": "int"}
    write_survey(here / "map.geojson", GRAVES, own, types, "EPSG:4326")
    result = gravecli("join", "map.geojson", "list.csv", cwd=here)
    assert result.returncode == 0, result.stderr
    assert "column records of the map is called records_map" in result.stderr
    assert {row["records_map"] for row in rows(here / "joined.gpkg")} == {"eigene"}


def test_columns_are_recognised_by_their_names_or_named_with_map(here: Path) -> None:
    result = gravecli("join", "map.gpkg", "list.csv", "--json", cwd=here)
    assert json.loads(result.stdout)["records_joined"] == 5
    text = LIST.replace("Feld;Reihe;Grab-Nr.", "Teil;Linie;Platz")
    (here / "other.csv").write_text(text, "utf-8")
    on = ["--on", "Teil,Linie,Platz"]
    assert_refused(
        gravecli("join", "map.gpkg", "other.csv", *on, "--out", "o.gpkg", cwd=here),
        "nobody knows what column Teil stands for",
        "--map",
    )
    pairs = [f"--map={pair}" for pair in ("field=Teil", "row=Linie", "number=Platz")]
    for options in (pairs, [*on, *pairs]):
        result = gravecli(
            *["join", "map.gpkg", "other.csv", *options, "--out", "o.gpkg", "--json"], cwd=here
        )
        assert json.loads(result.stdout)["records_joined"] == 5, result.stderr


def test_letters_name_the_parts_of_a_split_grave(here: Path) -> None:
    own = map_rows(GRAVES, "st_anna")
    own[5] = own[5] | {"grave_id": "st_anna-F01-R01-005A", "number": 5}
    write_survey(here / "split.gpkg", GRAVES, own, MAP_TYPES)
    result = gravecli("join", "split.gpkg", "list.csv", "--json", cwd=here)
    assert json.loads(result.stdout)["records_joined"] == 6
    assert by_id(here / "joined.gpkg")["R01-005A"]["Name"] == "Braun"


def test_an_incomplete_key_is_ambiguous_and_says_so(here: Path) -> None:
    (here / "short.csv").write_text("Nummer;Name\n3;Doppelt\n9;Einzeln\n", "utf-8")
    further = [*GRAVES, shapely.box(10.4, -2, 11.4, 0)]  # a ninth in the first row
    write_survey(here / "map.gpkg", further, map_rows(further, "st_anna"), MAP_TYPES)
    result = gravecli("join", "map.gpkg", "short.csv", "--json", cwd=here)
    assert json.loads(result.stdout)["records_joined"] == 1
    (left,) = rows(here / "joined.gpkg", "records_without_grave")
    assert left["reason"] == "several graves have the number 3"


def middle(index: int, east: float = 0.0) -> tuple[float, float]:
    centre = GRAVES[index].centroid
    return centre.x + PLACE[0] + east, centre.y + PLACE[1]


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326", "EPSG:31467"])
def test_records_are_joined_by_place(here: Path, crs: str) -> None:
    step = Transformer.from_crs(UTM, crs, always_xy=True)
    places = [middle(0), middle(3, 0.6), middle(5), middle(7, 60)]
    lines = ["Name;Rechtswert;Hochwert"]
    for name, place in zip("ABCD", places, strict=True):
        x, y = (f"{value:.9f}".replace(".", ",") for value in step.transform(*place))
        lines.append(f"{name};{x};{y}")
    (here / "places.csv").write_text("\n".join([*lines, "E;;"]), "utf-8")
    options = ["--crs", crs] if crs == "EPSG:31467" else []
    result = gravecli("join", "map.gpkg", "places.csv", *options, "--json", cwd=here)
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["records_joined_by_place"] == 3
    graves = by_id(here / "joined.gpkg")
    assert [graves[f"R01-00{n}"]["Name"] for n in (1, 4, 6)] == ["A", "B", "C"]
    left = {r["Name"]: r["reason"] for r in rows(here / "joined.gpkg", "records_without_grave")}
    assert left["D"].startswith("nearest grave 59.5 m")
    assert left["E"] == "no readable coordinates"
    with fiona.open(here / "joined.gpkg", layer="records_without_grave") as layer:
        first = next(iter(layer))
        assert first.geometry["coordinates"] == pytest.approx(middle(7, 60), abs=0.01)


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326"])
def test_swapped_coordinates_are_refused_with_the_option_that_mends_them(
    here: Path, crs: str
) -> None:
    x, y = Transformer.from_crs(UTM, crs, always_xy=True).transform(*middle(0))
    (here / "places.csv").write_text(f"Name,lon,lat\nA,{y:.9f},{x:.9f}\n", "utf-8")

    refused = gravecli("join", "map.gpkg", "places.csv", cwd=here)

    assert_refused(refused, "x and y of the list are swapped", "--map x=lat --map y=lon")
    mended = ("--map", "x=lat", "--map", "y=lon")
    assert gravecli("join", "map.gpkg", "places.csv", *mended, cwd=here).returncode == 0


def test_a_number_and_coordinates_that_contradict_are_in_doubt(here: Path) -> None:
    book = Workbook()
    book.active.append(["Feld", "Reihe", "Nr", "Ost", "Nord"])
    book.active.append([1, 1, 1, *middle(0)])
    book.active.append([1, 1, 2, *middle(4)])
    book.active.append([1, 1, 77, *middle(6)])
    book.save(here / "list.xlsx")
    result = gravecli("join", "map.gpkg", "list.xlsx", "--json", cwd=here)
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["records_joined"], summary["records_joined_by_place"]) == (3, 1)
    assert summary["records_in_doubt"] == 1
    graves = by_id(here / "joined.gpkg")
    assert graves["R01-002"]["list_doubt"] == "its coordinates lie in st_anna-F01-R01-005"
    assert graves["R01-007"]["joined_by"] == "place"


def test_a_layer_of_points_is_joined_by_place(here: Path) -> None:
    schema = {"geometry": "Point", "properties": {"Name": "str"}}
    step = Transformer.from_crs(UTM, "EPSG:3857", always_xy=True)
    point = shapely.geometry.mapping(shapely.Point(step.transform(*middle(9))))
    with fiona.open(here / "p.gpkg", "w", driver="GPKG", crs="EPSG:3857", schema=schema) as file:
        file.write({"geometry": point, "properties": {"Name": "Punkt"}})
    result = gravecli("join", "map.gpkg", "p.gpkg", cwd=here)
    assert result.returncode == 0, result.stderr
    assert "joined by the places of the records" in result.stdout
    assert by_id(here / "joined.gpkg")["R02-002"]["Name"] == "Punkt"


def test_grave_ids_join_too(here: Path) -> None:
    (here / "ids.csv").write_text("grave_id,Name\nST_ANNA-F01-R02-003,Id\nx,y\n,z\n", "utf-8")
    result = gravecli("join", "map.gpkg", "ids.csv", cwd=here)
    assert result.returncode == 0, result.stderr
    assert by_id(here / "joined.gpkg")["R02-003"]["Name"] == "Id"
    left = [r["reason"] for r in rows(here / "joined.gpkg", "records_without_grave")]
    assert left == ["no grave x", "no id"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list.csv", "--on", "Feld,Platz"], ["column is missing", "expected Platz"]),
        (["list.csv", "--map", "Feld"], ["--map cannot be read", "found Feld"]),
        (["list.csv", "--map", "plot=Feld"], ["--map cannot be read", "grave_id, field"]),
        (["names.csv"], ["nothing to join by", "found Name, Ort", "--on"]),
        (["wrong.csv"], ["no record has a grave in the map", "line 2: no grave 1", "--map"]),
        (["typo.csv"], ["typo.csv: file is missing"]),
        (["list.csv", "--sheet", "2026"], ["list.csv: a text file has no sheets", "2026"]),
        (["far.geojson"], ["no record has a grave", "expected places on graves of map.gpkg"]),
        (["list.csv", "--out", "list.csv"], ["a GeoPackage", "found .csv"]),
        (["list.csv", "--out", "map.gpkg", "--overwrite"], ["--out and MAP are the same file"]),
        (["list.csv", "--layer", "x"], ["layer is missing"]),
    ],
)
def test_joins_that_cannot_be_are_refused_in_one_line(
    here: Path, arguments: list[str], words: list[str]
) -> None:
    (here / "names.csv").write_text("Name;Ort\na;b\n", "utf-8")
    (here / "wrong.csv").write_text("Feld;Reihe;Nummer\n7;7;1\n", "utf-8")
    far = {"type": "Point", "coordinates": [9.5, 48.7]}
    feature = {"type": "Feature", "properties": {"Name": "a"}, "geometry": far}
    (here / "far.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": [feature]})
    )
    assert_refused(gravecli("join", "map.gpkg", *arguments, cwd=here), *words)
    assert not (here / "joined.gpkg").exists()


def test_a_join_is_renewed_joined_again_and_kept_when_edited(here: Path) -> None:
    command = ["join", "map.gpkg", "list.csv"]
    for _ in range(2):
        assert gravecli(*command, cwd=here).returncode == 0
    again = gravecli("join", "joined.gpkg", "list.csv", "--out", "again.gpkg", cwd=here)
    assert again.returncode == 0, again.stderr
    assert "column Name of the list is called list_Name" in again.stderr
    with closing(sqlite3.connect(here / "joined.gpkg")) as database, database:
        database.execute("UPDATE layer_styles SET owner = 'me'")
    assert_refused(gravecli(*command, cwd=here), "joined.gpkg", "was changed", "--overwrite")
    (here / "list.csv").write_text(LIST.replace("Meier", "Maier"), "cp1252")
    assert_refused(
        gravecli(*command, "--out", "again.gpkg", cwd=here), "join of other files", "list.csv"
    )


def write_points(path: Path, crs: str | None, columns: dict[str, str], **values: Any) -> None:
    schema = {"geometry": "Point", "properties": columns}
    with fiona.open(path, "w", driver="GPKG", layer="liste", crs=crs, schema=schema) as file:
        point = {"type": "Point", "coordinates": middle(9)}
        file.write({"geometry": point, "properties": values})


def test_places_without_a_crs_are_used_with_the_option_and_never_left_out_in_silence(
    here: Path,
) -> None:
    write_points(here / "p.gpkg", None, {"Name": "str"}, Name="Punkt")
    refused = gravecli("join", "map.gpkg", "p.gpkg", cwd=here)
    assert_refused(refused, "nothing to join by", "name the CRS of its places with --crs")
    result = gravecli("join", "map.gpkg", "p.gpkg", "--crs", UTM, cwd=here)
    assert result.returncode == 0, result.stderr
    assert by_id(here / "joined.gpkg")["R02-002"]["Name"] == "Punkt"
    write_points(
        here / "n.gpkg", None, {"Feld": "int", "Reihe": "int", "Nr": "int"}, Feld=1, Reihe=1, Nr=1
    )
    result = gravecli("join", "map.gpkg", "n.gpkg", "--out", "n_joined.gpkg", cwd=here)
    assert result.returncode == 0, result.stderr
    assert "n.gpkg: its places have no CRS and are not used; name it with --crs" in result.stderr


def test_a_damaged_outline_in_a_list_is_no_place(here: Path) -> None:
    features = [
        {
            "type": "Feature",
            "properties": {"Feld": 1, "Reihe": 1, "Nr": number},
            "geometry": {"type": "LineString", "coordinates": [[9.0, 48.7]]},
        }
        for number in (1, 2)
    ]
    (here / "l.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    result = gravecli("join", "map.gpkg", "l.geojson", "--json", cwd=here)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["records_joined"] == 2


def test_a_doubt_about_the_place_does_not_hide_another_one(here: Path) -> None:
    x, y = middle(12)
    (here / "d.csv").write_text(f"Feld;Reihe;Nr;Ost;Nord\n1;2;7-9;{x};{y}\n", "utf-8")
    assert gravecli("join", "map.gpkg", "d.csv", cwd=here).returncode == 0
    doubt = by_id(here / "joined.gpkg")["R02-007"]["list_doubt"]
    assert doubt == "no grave 9; its coordinates lie in st_anna-F01-R02-005"


def test_coordinates_that_are_no_numbers_are_said(here: Path) -> None:
    text = "Feld;Reihe;Nr;lat;lon\n1;1;1;48°12'30\";9°\n1;1;2;;\n"
    (here / "d.csv").write_text(text, "utf-8")
    result = gravecli("join", "map.gpkg", "d.csv", cwd=here)
    assert result.returncode == 0, result.stderr
    assert "d.csv: 2 coordinates cannot be read, such as 9°" in result.stderr


def test_ids_that_are_not_given_again_go_on_into_the_result(here: Path) -> None:
    schema = {"geometry": "Polygon", "properties": {"grave_id": "str", "reason": "str"}}
    gone = {"grave_id": "st_anna-F01-R01-009", "reason": "deleted"}
    with fiona.open(
        here / "map.gpkg", "w", driver="GPKG", layer="gravecli_removed", crs=UTM, schema=schema
    ) as file:
        file.write({"geometry": None, "properties": gone})
    assert gravecli("join", "map.gpkg", "list.csv", cwd=here).returncode == 0
    (row,) = rows(here / "joined.gpkg", "gravecli_removed")
    assert (row["grave_id"], row["reason"]) == tuple(gone.values())
    further = [*GRAVES, shapely.box(10.4, -2, 11.4, 0)]  # a ninth in the first row
    write_survey(here / "next.gpkg", further, map_rows(further, "new"), MAP_TYPES)
    assert gravecli("compare", "joined.gpkg", "next.gpkg", cwd=here).returncode == 0
    ids = {row["grave_id"] for row in rows(here / "changes.gpkg") if row["change"] == "new"}
    assert ids == {"st_anna-F01-R01-010"}
