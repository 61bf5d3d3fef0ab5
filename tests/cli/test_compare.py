"""`gravecli compare` on files: any format and CRS, the office's columns, and what is refused."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import fiona
import pytest
import shapely
from pyproj import CRS
from shapely import affinity
from survey_scene import MAP_TYPES, OFFICE_TYPES, UTM, Planted, map_rows, plant, write_survey
from terminal import assert_refused, gravecli

OLD_TYPES = MAP_TYPES | OFFICE_TYPES


@pytest.fixture(scope="module")
def planted() -> Planted:
    return plant()


@pytest.fixture
def here(planted: Planted, tmp_path: Path) -> Path:
    """A folder with both surveys."""
    write_survey(tmp_path / "old.gpkg", planted.old, planted.old_rows, OLD_TYPES)
    write_survey(tmp_path / "new.gpkg", planted.new, planted.new_rows, MAP_TYPES)
    return tmp_path


def rows(path: Path, layer: str = "graves") -> list[dict[str, Any]]:
    with fiona.open(path, layer=layer) as file:
        return [dict(feature.properties) for feature in file]


def types(path: Path, layer: str = "graves") -> dict[str, str]:
    with fiona.open(path, layer=layer) as file:
        return dict(file.schema["properties"])


def outlines(path: Path, layer: str) -> Iterator[shapely.Geometry]:
    with fiona.open(path, layer=layer) as file:
        yield from [shapely.geometry.shape(feature.geometry) for feature in file]


def test_planted_changes_are_counted_shown_and_written(planted: Planted, here: Path) -> None:
    result = gravecli("compare", "old.gpkg", "new.gpkg", cwd=here)
    assert result.returncode == 0, result.stderr
    first, *_, last = result.stdout.strip().splitlines()
    assert first.startswith("shift 1.")
    assert "rotation +0.4" in first
    assert last == f"{len(planted.new)} graves and their changes in changes.gpkg"
    counts = {"moved": 2, "resized": 2, "new": 3, "gone": 3, "split": 2, "merged": 1}
    for name, count in counts.items():
        assert f"│ {name:<9} │ {count:>6} │" in result.stdout
    out = here / "changes.gpkg"
    assert [row["change"] for row in rows(out, "changes")].count("gone") == 3
    before = {row["grave_id"]: row for row in rows(out, "graves_before")}
    assert len(before) == len(planted.old)
    (eldest, younger) = sorted(planted.changes["merged"])
    assert before[younger]["became"] == eldest
    split = planted.changes["split"][0]
    assert before[split]["became"].split(",") == [split, f"{split}A"] or before[split][
        "became"
    ].split(",") == [f"{split}A", split]
    # The old survey lies on the new one.
    distance = [
        shapely.distance(a.centroid, shapely.union_all(list(outlines(out, "graves"))))
        for a in list(outlines(out, "graves_before"))[:5]
    ]
    assert max(distance) < 0.5


def test_columns_of_the_office_keep_their_names_types_and_values(
    planted: Planted, here: Path
) -> None:
    assert gravecli("compare", "old.gpkg", "new.gpkg", cwd=here).returncode == 0
    found = types(here / "changes.gpkg")
    assert found | {name: found[name] for name in OFFICE_TYPES} == found
    assert (found["Ablauf"], found["Gebühr"]) == ("date", "float")
    assert found["Name"].startswith("str")
    old = {row["grave_id"]: row for row in planted.old_rows}
    new = {round(row["area_m2"], 3) for row in planted.new_rows}
    for row in rows(here / "changes.gpkg"):
        if row["change"] == "new":
            assert row["Name"] is row["Gebühr"] is None
            assert row["cemetery_id"] == "st_anna"
            continue
        source = old[row["split_from"] or row["grave_id"]]
        for name in ("Name", "Ablauf", "Gebühr", "cemetery_id", "field", "row", "number"):
            assert row[name] == source[name]
        assert row["area_m2"] in new


def test_every_type_of_column_is_kept(planted: Planted, tmp_path: Path) -> None:
    values = {"Zeit": "2031-05-01T10:00:00", "Ja": True, "Groß": 2**40, "Bild": b"\x00\x01"}
    kinds = {"Zeit": "datetime", "Ja": "bool", "Groß": "int64", "Bild": "bytes"}
    old = [row | values for row in planted.old_rows]
    write_survey(tmp_path / "old.gpkg", planted.old, old, MAP_TYPES | kinds)
    write_survey(tmp_path / "new.gpkg", planted.new, planted.new_rows, MAP_TYPES)
    assert gravecli("compare", "old.gpkg", "new.gpkg", cwd=tmp_path).returncode == 0
    before, after = (types(tmp_path / name) for name in ("old.gpkg", "changes.gpkg"))
    assert {name: after[name] for name in kinds} == {name: before[name] for name in kinds}
    kept = next(row for row in rows(tmp_path / "changes.gpkg") if row["change"] == "unchanged")
    assert (kept["Ja"], kept["Groß"], bytes(kept["Bild"])) == (True, 2**40, b"\x00\x01")
    assert kept["Zeit"].startswith("2031-05-01T10:00:00")


def test_the_result_is_the_old_survey_of_the_next_comparison(planted: Planted, here: Path) -> None:
    assert gravecli("compare", "old.gpkg", "new.gpkg", cwd=here).returncode == 0
    result = gravecli(
        "compare", "changes.gpkg", "new.gpkg", "--out", "next.gpkg", "--json", cwd=here
    )
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["changes"]["unchanged"] == len(planted.new) == summary["old"]["graves"]
    assert summary["shift"]["estimated"]
    assert summary["shift"]["residual_m"] == 0
    assert types(here / "next.gpkg") == types(here / "changes.gpkg")
    for before, after in zip(rows(here / "changes.gpkg"), rows(here / "next.gpkg"), strict=True):
        kept = ("grave_id", "merged_ids", "split_from", "Name")
        assert [after[name] for name in kept] == [before[name] for name in kept]
        assert after["change"] == "unchanged"


@pytest.mark.parametrize(
    ("ending", "crs", "new_crs"),
    [(".gpkg", "EPSG:3857", UTM), (".geojson", "EPSG:4326", UTM), (".gpkg", UTM, "EPSG:4326")],
)
def test_another_format_or_crs_makes_no_difference(
    planted: Planted, tmp_path: Path, ending: str, crs: str, new_crs: str
) -> None:
    old = write_survey(tmp_path / f"old{ending}", planted.old, planted.old_rows, OLD_TYPES, crs)
    new = write_survey(tmp_path / "new.gpkg", planted.new, planted.new_rows, MAP_TYPES, new_crs)
    result = gravecli("compare", old, new, "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["changes"]["moved"] == 2
    assert summary["changes"]["unchanged"] == len(planted.old) - 2 - 2 - 3 - 2 - 2
    with fiona.open(tmp_path / "changes.gpkg", layer="graves_before") as file:
        assert CRS(file.crs_wkt) == CRS(new_crs)
    names = {row["Name"] for row in rows(tmp_path / "changes.gpkg")}
    assert planted.old_rows[0]["Name"] in names


def test_edits_in_qgis_that_are_still_in_its_log_are_read(planted: Planted, here: Path) -> None:
    with closing(sqlite3.connect(here / "old.gpkg")) as database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("ALTER TABLE graves ADD COLUMN Pacht TEXT DEFAULT 'ja'")
        database.commit()
        result = gravecli("compare", "old.gpkg", "new.gpkg", cwd=here)
        assert result.returncode == 0, result.stderr
    kept = [row for row in rows(here / "changes.gpkg") if row["change"] != "new"]
    assert {row["Pacht"] for row in kept} == {"ja"}


def test_columns_of_equal_names_and_technical_ones_are_renamed_and_said(
    planted: Planted, tmp_path: Path
) -> None:
    old = [
        row | {"fid": i, "change": "Umbau", "NAME": "b"} for i, row in enumerate(planted.old_rows)
    ]
    extra = {"fid": "int", "change": "str", "NAME": "str"}
    new = [row | {"Ablauf": 7, "Neu": i} for i, row in enumerate(planted.new_rows)]
    write_survey(tmp_path / "old.geojson", planted.old, old, OLD_TYPES | extra, "EPSG:4326")
    write_survey(
        tmp_path / "new.gpkg", planted.new, new, MAP_TYPES | {"Ablauf": "int", "Neu": "int"}
    )
    result = gravecli("compare", "old.geojson", "new.gpkg", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for name in ("change", "NAME"):
        assert f"column {name} is called {name}_old in the result" in result.stderr
    found = rows(tmp_path / "changes.gpkg")
    kept = next(row for row in found if row["change"] == "unchanged")
    assert (kept["change_old"], kept["NAME_old"], kept["Ablauf_new"]) == ("Umbau", "b", 7)
    assert str(kept["Ablauf"]).startswith("20")
    assert sorted(row["Neu"] for row in found) == list(range(len(new)))


def test_a_result_is_renewed_but_edits_and_other_files_need_the_option(here: Path) -> None:
    command = ["compare", "old.gpkg", "new.gpkg", "--out", "out.gpkg"]
    for _ in range(2):
        assert gravecli(*command, cwd=here).returncode == 0
    swapped = ["compare", "new.gpkg", "old.gpkg", "--out", "out.gpkg"]
    assert_refused(
        gravecli(*swapped, cwd=here),
        "comparison of other files (old.gpkg, new.gpkg)",
        "--overwrite",
    )
    with closing(sqlite3.connect(here / "out.gpkg")) as database, database:
        database.execute("UPDATE layer_styles SET owner = 'me'")
    assert_refused(gravecli(*command, cwd=here), "out.gpkg", "was changed", "--overwrite")
    assert gravecli(*command, "--overwrite", cwd=here).returncode == 0
    for name in ("old.gpkg", "new.gpkg"):
        result = gravecli("compare", "old.gpkg", "new.gpkg", "--out", name, "--overwrite", cwd=here)
        assert_refused(result, "are the same file")


def test_surveys_that_cannot_be_compared_are_refused_in_one_line(
    planted: Planted, here: Path
) -> None:
    away = [affinity.translate(grave, 40_000, 0) for grave in planted.new]
    write_survey(here / "away.gpkg", away, planted.new_rows, MAP_TYPES)
    result = gravecli("compare", "old.gpkg", "away.gpkg", cwd=here)
    assert_refused(result, "no grave in common", "km apart", "CRS")
    write_survey(here / "none.gpkg", [], [], MAP_TYPES)
    assert_refused(gravecli("compare", "none.gpkg", "new.gpkg", cwd=here), "none.gpkg", "no grave")
    assert_refused(
        gravecli("compare", "old.gpkg", "new.gpkg", "--id", "Nummer", cwd=here),
        "old.gpkg: has no column of ids",
        "expected Nummer",
    )
    assert_refused(gravecli("compare", "typo.gpkg", "new.gpkg", cwd=here), "typo.gpkg", "missing")
    assert_refused(
        gravecli("compare", "old.gpkg", "new.gpkg", "--old-layer", "Grab", cwd=here),
        "layer is missing",
    )
    assert not (here / "changes.gpkg").exists()


def test_one_file_as_both_surveys_is_said(here: Path) -> None:
    result = gravecli("compare", "old.gpkg", "old.gpkg", cwd=here)
    assert result.returncode == 0
    assert "OLD and NEW are the same file" in result.stderr


def test_of_few_graves_it_is_said_that_no_shift_could_be_estimated(
    planted: Planted, tmp_path: Path
) -> None:
    for name in ("old.gpkg", "new.gpkg"):
        write_survey(tmp_path / name, planted.old[:3], planted.old_rows[:3], MAP_TYPES)
    result = gravecli("compare", "old.gpkg", "new.gpkg", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "no shift could be estimated, none is removed (a survey has only 3" in result.stdout


def test_a_column_of_the_office_s_own_can_hold_the_ids(planted: Planted, tmp_path: Path) -> None:
    own = [{"Nr": 100 + i, "Name": row["Name"]} for i, row in enumerate(planted.old_rows)]
    write_survey(tmp_path / "old.gpkg", planted.old, own, {"Nr": "int", "Name": "str"})
    write_survey(tmp_path / "new.gpkg", planted.new, [{}] * len(planted.new), {})
    result = gravecli("compare", "old.gpkg", "new.gpkg", "--id", "Nr", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    found = rows(tmp_path / "changes.gpkg")
    kept = {row["Nr"] for row in found if row["change"] == "unchanged"}
    assert kept < {str(row["Nr"]) for row in own}
    assert all(row["Nr"].endswith("A") for row in found if row["split_from"])


def test_ids_of_graves_that_are_gone_or_merged_are_not_given_again_years_later(
    tmp_path: Path,
) -> None:
    plan = [
        shapely.box(1.3 * i, -2.9 * r - 2, 1.3 * i + 1, -2.9 * r) for r in (0, 1) for i in range(8)
    ]
    last, merged = plan[7], shapely.union(plan[14], plan[15]).convex_hull
    further = affinity.translate(plan[15], 1.3, 0)
    second = [*plan[:7], *plan[8:14], merged]
    years = (plan, second, [*second, last, further])
    for year, graves in enumerate(years):
        rows_ = map_rows(graves, "st_anna" if year == 0 else "new")
        write_survey(tmp_path / f"{year}.gpkg", graves, rows_, MAP_TYPES)
    for old, new, out in (("0", "1", "a"), ("a", "2", "b"), ("b", "2", "c")):
        command = ["compare", f"{old}.gpkg", f"{new}.gpkg", "--out", f"{out}.gpkg"]
        result = gravecli(*command, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        (gone,) = rows(tmp_path / f"{out}.gpkg", "gravecli_removed")
        assert (gone["grave_id"], gone["reason"]) == ("st_anna-F01-R01-008", "gone")
    found = {row["grave_id"]: row for row in rows(tmp_path / "b.gpkg")}
    assert found["st_anna-F01-R02-007"]["merged_ids"] == "st_anna-F01-R02-008"
    new_ids = {one for one, row in found.items() if row["change"] == "new"}
    assert new_ids == {"st_anna-F01-R01-009", "st_anna-F01-R02-009"}


def test_a_grave_of_several_parts_is_compared_and_joined(tmp_path: Path) -> None:
    graves: list[Any] = [shapely.box(1.3 * i, 0, 1.3 * i + 1, 2) for i in range(8)]
    rows_ = map_rows(graves, "st_anna")
    write_survey(tmp_path / "new.gpkg", graves[:7], rows_[:7], MAP_TYPES)
    graves[7] = shapely.MultiPolygon([graves[7], shapely.box(9.1, 3, 10.1, 5)])
    graves[1] = shapely.MultiPolygon([graves[1], shapely.box(1.3, 3, 2.3, 3.2)])
    schema = {"geometry": "MultiPolygon", "properties": MAP_TYPES}
    with fiona.open(
        tmp_path / "old.gpkg", "w", driver="GPKG", layer="graves", crs=UTM, schema=schema
    ) as file:
        for grave, row in zip(graves, rows_, strict=True):
            parts = shapely.MultiPolygon(shapely.get_parts(grave).tolist())
            placed = affinity.translate(parts, 500_000, 5_400_000)
            file.write({"geometry": shapely.geometry.mapping(placed), "properties": row})
    for old, new, out in (("old", "new", "a"), ("a", "old", "b")):
        command = ["compare", f"{old}.gpkg", f"{new}.gpkg", "--out", f"{out}.gpkg"]
        result = gravecli(*command, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    kinds = [one.geom_type for one in outlines(tmp_path / "b.gpkg", "graves")]
    assert kinds == ["MultiPolygon"] * 8
    (gone,) = outlines(tmp_path / "b.gpkg", "gravecli_removed")
    assert len(gone.geoms) == 2
    (tmp_path / "list.csv").write_text("Feld;Reihe;Nr\n1;1;3\n")
    result = gravecli("join", "old.gpkg", "list.csv", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
