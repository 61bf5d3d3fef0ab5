"""An edited map is tidied: what changes, what stays, and that a second run finds nothing."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from terminal import assert_refused, gravecli
from tidy_scene import (
    LEFT,
    TOP,
    answer,
    box,
    by_id,
    copy,
    delete,
    dem_provenance,
    draw,
    edit,
    grave_id,
    reshape,
    rows_of,
    write_map,
)

from grave_cli.dataset.truth_notes import count_accepted
from grave_cli.delivery import geopackage_edit
from grave_cli.delivery.geometry_blobs import blob_of
from grave_cli.delivery.geopackage_seal import DTM_KEY, seal_geopackage, why_keep_map
from grave_cli.outputs import source_of
from grave_cli.settings.tree import Settings
from grave_cli.tidying.edited_map import read_edited_map
from grave_cli.tidying.overlaps import find_overlaps
from grave_cli.tidying.repair import repair_outlines
from grave_cli.tidying.tidy import plan_tidying
from grave_cli.tidying.write import write_tidying

Edited = Callable[..., dict[str, Any]]
MEASURES = ("area_m2", "length_m", "width_m", "azimuth_deg")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The map of an orthophoto, as gravecli wrote it: two rows of five graves, but one."""
    orthophoto = tmp_path / "anna.tif"
    orthophoto.write_bytes(b"pixels")
    write_map(tmp_path / "anna.gpkg", orthophoto)
    return tmp_path / "anna.gpkg"


@pytest.fixture
def tidied(path: Path) -> Edited:
    """Edits the map and tidies it; returns what the command said."""

    def run(*edits: Any, options: tuple[str, ...] = (), code: int = 0) -> dict[str, Any]:
        edit(path, *edits)
        result = gravecli("tidy", path.name, "--json", *options, cwd=path.parent)
        assert result.returncode == code, result.stderr
        written = path.read_bytes()
        again = gravecli("tidy", path.name, "--json", *options, cwd=path.parent)
        assert again.returncode == code
        assert not json.loads(again.stdout)["changed"], again.stdout
        assert path.read_bytes() == written
        said: dict[str, Any] = json.loads(result.stdout)
        return said

    return run


@pytest.mark.parametrize("crs", [None, "EPSG:3857", "EPSG:4326"])
def test_a_map_that_nobody_edited_stays_as_it_is(path: Path, crs: str | None) -> None:
    write_map(path, path.with_suffix(".tif"), crs)
    before = path.read_bytes()
    result = gravecli("tidy", path, cwd=path.parent)
    assert (result.returncode, path.read_bytes()) == (0, before)
    assert "nothing to change, 9 graves" in result.stdout


def test_changed_outlines_are_measured_anew_and_others_stay(path: Path, tidied: Edited) -> None:
    before = by_id(path)
    turned = shapely.affinity.rotate(box(2, 0, 1.2, 1.8), 30)
    said = tidied(reshape(grave_id(1, 2), turned), draw(box(6.1, 3.1)))
    assert said["numbered"] == [grave_id(2, 5)]
    assert said["measured"] == [grave_id(1, 2), grave_id(2, 5)]
    after = by_id(path)
    row = after[grave_id(1, 2)]
    assert [row[name] for name in MEASURES] == pytest.approx([2.16, 1.8, 1.2, 150], rel=2e-3)
    assert row["shape_of"].equals_exact(turned, 0)
    for one in (grave_id(1, 2), grave_id(2, 5)):
        # The model's confidence and flags were about another outline.
        assert after[one]["confidence"] is None
        assert (after[one]["flags"], after[one]["needs_review"]) == ("", 0)
        assert after[one]["shape"] == "rectangle"
        assert after[one]["cemetery_id"] == "anna"
    kept = before.keys() - {grave_id(1, 2)}
    assert {one: after[one] for one in kept} == {one: before[one] for one in kept}


def test_flags_that_an_outline_shows_are_set(path: Path, tidied: Edited) -> None:
    tidied(reshape(grave_id(1, 2), box(2, 0, 0.3, 2)), draw(shapely.Point(LEFT, TOP - 9).buffer(1)))
    rows = rows_of(path)
    assert (rows[1]["flags"], rows[1]["needs_review"]) == ("size_outlier,shape_outlier", 1)
    assert rows[-1]["shape"] == "outline"


def test_columns_tables_and_styles_of_the_office_are_not_touched(
    path: Path, tidied: Edited
) -> None:
    edit(
        path,
        "ALTER TABLE graves ADD COLUMN Name TEXT",
        "UPDATE graves SET Name = 'Müller ' || fid, needs_review = 0, number = number + 100",
        "CREATE TABLE qgis_projects (name TEXT, content BLOB)",
        "INSERT INTO qgis_projects VALUES ('office', x'00ff')",
        "UPDATE layer_styles SET styleQML = 'own' WHERE f_table_name = 'graves'",
    )
    said = tidied(draw(box(6.1, 3.1), Name="new"), delete(grave_id(1, 1)))
    assert said["measured"] == [said["numbered"][0]]
    rows = rows_of(path)
    assert [row["Name"] for row in rows] == [*(f"Müller {fid}" for fid in range(2, 10)), "new"]
    assert [row["number"] for row in rows[:4]] == [102, 103, 104, 105]
    assert not any(row["needs_review"] for row in rows)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT * FROM qgis_projects").fetchall() == [
            ("office", b"\x00\xff")
        ]
        styles = dict(database.execute("SELECT f_table_name, styleQML FROM layer_styles"))
        assert styles["graves"] == "own"
        assert "Removed in the review" not in styles["gravecli_removed"]
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        count = "SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = 'graves'"
        assert database.execute(count).fetchone() == (9,)
        (record,) = database.execute("SELECT metadata FROM gpkg_metadata").fetchone()
        assert ": 9.</gco" in record
        bounds = "SELECT min_x, max_y FROM gpkg_contents WHERE table_name = 'graves'"
        assert database.execute(bounds).fetchone() == (LEFT, TOP)
    with fiona.open(path, layer="graves") as layer:  # by the spatial index
        assert len(list(layer.filter(bbox=box(6.1, 3.1).bounds))) == 1


def test_an_edit_of_columns_alone_is_sealed(path: Path, tidied: Edited) -> None:
    said = tidied("UPDATE graves SET needs_review = 0")
    assert said["changed"]
    assert not any(said[name] for name in ("measured", "numbered", "problems"))


def test_deleted_graves_are_recorded_and_their_numbers_not_given_again(
    path: Path, tidied: Edited
) -> None:
    raw = rows_of(path, "graves_raw")[4]["shape_of"]
    assert tidied(delete(grave_id(1, 5)))["removed"] == [grave_id(1, 5)]
    (gone,) = rows_of(path, "gravecli_removed")
    assert (gone["grave_id"], gone["reason"], gone["became"]) == (grave_id(1, 5), "deleted", None)
    assert gone["shape_of"].equals(raw)
    assert len(rows_of(path, "graves_raw")) == 8
    said = tidied(draw(box(8.6, 0)), delete(grave_id(2, 1)))
    assert said["numbered"] == [grave_id(1, 6)]
    assert [row["grave_id"] for row in rows_of(path, "gravecli_removed")] == [
        grave_id(1, 5),
        grave_id(2, 1),
    ]
    # It was no mistake: somebody copies it back.
    said = tidied(draw(box(0.1, 3), grave_id=grave_id(2, 1)))
    assert said["returned"] == [grave_id(2, 1)]
    assert len(rows_of(path, "gravecli_removed")) == 1


def test_a_grave_drawn_where_one_was_deleted_has_its_id(path: Path, tidied: Edited) -> None:
    said = tidied(delete(grave_id(1, 3)), draw(box(4.1, 0.1, 1.1, 2.1)))
    assert (said["redrawn"], said["removed"]) == ([grave_id(1, 3)], [])
    assert by_id(path)[grave_id(1, 3)]["number"] == 3


def test_of_merged_graves_the_others_are_recorded(path: Path, tidied: Edited) -> None:
    said = tidied(reshape(grave_id(1, 1), box(0, 0, 3, 2)), delete(grave_id(1, 2)))
    assert said["removed"] == [grave_id(1, 2)]
    assert f"{grave_id(1, 2)} is now part of {grave_id(1, 1)}" in said["notes"]
    (gone,) = rows_of(path, "gravecli_removed")
    assert (gone["reason"], gone["became"]) == ("merged", grave_id(1, 1))


def test_parts_of_a_cut_grave_get_a_letter_and_copies_a_number(path: Path, tidied: Edited) -> None:
    one, other = grave_id(1, 1), grave_id(1, 2)
    said = tidied(
        reshape(one, box(0, 0, 1, 1.2)), copy(one, box(0, 1.2, 1, 0.8)), copy(other, box(6, 3))
    )
    assert said["parts"] == [grave_id(1, 1, "A")]
    assert said["numbered"] == [grave_id(2, 5)]
    assert any(note.startswith(f"{grave_id(2, 5)} is a copy of {other}") for note in said["notes"])
    rows = by_id(path)
    assert rows[one]["area_m2"] == pytest.approx(1.2, rel=2e-3)
    assert rows[grave_id(1, 1, "A")]["number"] == 1
    assert (rows[grave_id(2, 5)]["row"], rows[grave_id(2, 5)]["number"]) == (2, 5)


def test_lost_ids_are_given_back_and_own_ones_kept(path: Path, tidied: Edited) -> None:
    said = tidied(
        "UPDATE graves SET grave_id = NULL WHERE fid = 2",
        "UPDATE graves SET grave_id = 'own' WHERE fid = 3",
        draw(box(10, 0), field=1, row=1, number=7),
    )
    assert said["given_back"] == [grave_id(1, 2)]
    assert said["numbered"] == [grave_id(1, 7)]
    assert said["removed"] == []
    assert [row["grave_id"] for row in rows_of(path)[1:3]] == [grave_id(1, 2), "own"]
    assert said["notes"][0] == f"{grave_id(1, 3)} was renamed own, which is kept"


def test_what_is_missing_of_a_place_that_was_typed_in_is_added(path: Path, tidied: Edited) -> None:
    said = tidied(
        draw(box(6.1, 3.1), field=1, row=2),
        draw(box(10, 0), number=77),
        draw(box(0, 6), row=7),
        draw(box(2, 6), row=7),
    )
    numbered = [(1, 77), (2, 5), (7, 1), (7, 2)]
    assert sorted(said["numbered"]) == [grave_id(*place) for place in numbered]
    rows = by_id(path)
    for row, number in numbered:
        found = rows[grave_id(row, number)]
        assert (found["field"], found["row"], found["number"]) == (1, row, number)


def test_an_id_that_a_comparison_merged_into_another_is_not_given_again(
    path: Path, tidied: Edited
) -> None:
    edit(path, "ALTER TABLE graves ADD COLUMN merged_ids TEXT")
    merged = f"UPDATE graves SET merged_ids = '{grave_id(2, 5)},{grave_id(2, 6)}' WHERE fid = 9"
    said = tidied(merged, draw(box(6.1, 3.1)))
    assert said["numbered"] == [grave_id(2, 7)]


BOW_TIE = shapely.Polygon([(LEFT + x, TOP - 9 + y) for x, y in ((0, 0), (1, 1), (1, 0), (0, 1))])
SPIKE = shapely.Polygon([*box(6, 3).exterior.coords[:2], (LEFT + 6.5, TOP - 3), (LEFT + 6.5, TOP),
                         (LEFT + 6.5, TOP - 3),
                         *box(6, 3).exterior.coords[2:]])  # fmt: skip


def test_outlines_are_repaired_or_named(path: Path, tidied: Edited) -> None:
    said = tidied(
        draw(SPIKE),
        draw(shapely.MultiPolygon([box(10, 0)])),
        draw(shapely.force_3d(box(10, 3), 300)),
        draw(BOW_TIE),
        draw(shapely.MultiPolygon([box(4, 9), box(6, 9)])),
        draw(None),
        "UPDATE graves SET geom = x'00' WHERE fid = 1",
        code=1,
    )
    assert len(said["repaired"]) == len(said["numbered"]) == 3
    assert said["problems"] == [
        f"grave {grave_id(1, 1)} has no outline: draw one, or delete the row",
        "grave fid 13 has an outline of 2 parts: make one grave of each, or delete the wrong ones",
        "grave fid 14 has an outline of 2 parts: make one grave of each, or delete the wrong ones",
        "grave fid 15 has no outline: draw one, or delete the row",
    ]
    for fid, expected in ((10, box(6, 3)), (11, box(10, 0)), (12, box(10, 3))):
        outline = rows_of(path)[fid - 1]["shape_of"]
        assert (outline.geom_type, outline.is_valid, outline.has_z) == ("Polygon", True, False)
        assert outline.symmetric_difference(expected).area < 1e-6


def test_a_grave_far_away_is_named_and_not_numbered(path: Path, tidied: Edited) -> None:
    said = tidied(draw(box(-500_000, 5_000_000)), draw(box(6.1, 3.1)), code=1)
    (problem,) = said["problems"]
    assert problem.startswith("grave fid 10 lies 5,0")
    assert problem.endswith(" m away from the mapped area: check its place")
    assert (said["numbered"], said["graves"]) == ([grave_id(2, 5)], 11)


def shared_m2(path: Path) -> float:
    shapes = np.array([row["shape_of"] for row in rows_of(path)], dtype=object)
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    once = first < second
    return float(
        shapely.area(shapely.intersection(shapes[first[once]], shapes[second[once]])).sum()
    )


@pytest.mark.parametrize("crs", [None, "EPSG:4326"])
def test_small_overlaps_are_trimmed(path: Path, tidied: Edited, crs: str | None) -> None:
    write_map(path, path.with_suffix(".tif"), crs)
    before = by_id(path)
    drawn = box(2.9, 0.2)  # 10 cm on the second grave
    two = (box(10, 6), shapely.affinity.rotate(box(10.9, 6), 2))
    shapes = [in_crs(shape, path) for shape in (drawn, *two)]
    said = tidied(*(draw(shape) for shape in shapes))
    assert grave_id(1, 2) in said["trimmed"]
    assert len(said["trimmed"]) == 3
    after = by_id(path)
    # What a person has drawn keeps its ground; two drawn outlines meet half-way.
    assert after[grave_id(1, 2)]["area_m2"] == pytest.approx(1.82, abs=0.005)
    assert after[grave_id(1, 2)]["confidence"] == 0.9
    assert rows_of(path)[9]["shape_of"].symmetric_difference(shapes[0]).area < 1e-5
    areas = [row["area_m2"] for row in rows_of(path)[10:]]
    assert areas[0] == pytest.approx(areas[1], abs=0.1)
    assert sum(areas) < 3.95
    assert shared_m2(path) < 1e-9
    unmoved = before.keys() - {grave_id(1, 2)}
    assert all(after[one]["geom"] == before[one]["geom"] for one in unmoved)


def in_crs(shape: shapely.Geometry, path: Path) -> shapely.Geometry:
    """Bring an outline into the CRS of the map."""
    from pyproj import Transformer

    with fiona.open(path, layer="graves") as layer:
        step = Transformer.from_crs("EPSG:25832", layer.crs_wkt, always_xy=True)
    return shapely.transform(shape, step.transform, interleaved=False)


def test_two_graves_on_one_place_are_named_and_wait(path: Path, tidied: Edited) -> None:
    said = tidied(draw(box(0.2, 0.1)), code=1)
    (problem,) = said["problems"]
    assert problem.startswith(f"graves {grave_id(1, 1)} and fid 10 share 1.52 m², 76% of the")
    assert said["numbered"] == said["trimmed"] == []
    # The old outline was the wrong one: the new one is this grave.
    said = tidied(delete(grave_id(1, 1)))
    assert (said["redrawn"], said["removed"]) == ([grave_id(1, 1)], [])


def test_decisions_about_candidates_are_carried_out(path: Path, tidied: Edited) -> None:
    said = tidied(answer("accept", 1, 3), answer(" Refuse", 2))
    assert said["refused"] == [2]
    assert len(said["accepted"]) == 2
    assert rows_of(path, "candidates") == []
    new = [by_id(path)[one] for one in said["accepted"]]
    assert [row["area_m2"] for row in new] == pytest.approx([2, 2], rel=2e-3)
    assert [row["confidence"] for row in new] == [None, None]
    (refused,) = rows_of(path, "gravecli_removed")
    assert (refused["candidate_id"], refused["probability"]) == (2, 0.3)
    assert (refused["reason"], refused["grave_id"]) == ("refused", None)
    assert refused["shape_of"].equals(box(10, 4))


def test_accepted_candidates_are_counted_until_they_are_graves(path: Path, tidied: Edited) -> None:
    edit(path, answer("Accept ", 1, 3))
    assert count_accepted(path) == 2
    assert len(tidied()["accepted"]) == 2
    assert count_accepted(path) == count_accepted(path.with_suffix(".tif")) == 0


def test_candidates_without_a_clear_decision_stay(path: Path, tidied: Edited) -> None:
    said = tidied(answer("vielleicht", 1), code=1)
    assert said["problems"] == ["candidate 1 has the decision 'vielleicht': write accept or refuse"]
    assert said["notes"] == ["2 candidates without a decision"]
    assert len(rows_of(path, "candidates")) == 3
    said = tidied(answer("accept", 1), draw(box(10.6, 1)), draw(box(10.7, 4.1)), code=1)
    assert "candidate 1 is accepted, but a grave lies on 40% of it" in said["problems"][0]
    assert said["covered"] == [2]  # somebody drew it instead of accepting it
    (covered,) = rows_of(path, "gravecli_removed")
    assert (covered["reason"], covered["became"] in said["numbered"]) == ("covered", True)


def write_dem(
    path: Path, ground: float = 300, places: Sequence[tuple[float, float]] = ((10, 6), (2.5, 0))
) -> Path:
    """Level ground with blocks of 0.5 m where graves are drawn."""
    heights = np.full((140, 160), ground, np.float32)
    place = Affine(0.1, 0, LEFT - 2, 0, -0.1, TOP + 2)
    for x, y in places:
        column, row = (int(value) for value in ~place @ (LEFT + x, TOP - y))
        heights[row : row + 20, column : column + 10] = ground + 0.5
    how = {"driver": "GTiff", "width": 160, "height": 140, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", crs="EPSG:25832", transform=place, **how) as dataset:
        dataset.write(heights, 1)
    return path


def test_heights_of_new_outlines_come_from_the_dem_of_the_map(path: Path, tidied: Edited) -> None:
    dem = write_dem(path.with_name("anna_dem.tif"))
    write_map(path, path.with_suffix(".tif"), **dem_provenance(dem))
    away = dem.rename(path.with_name("elsewhere.tif"))
    said = tidied(draw(box(10, 6)), reshape(grave_id(1, 2), box(2.5, 0)))
    assert said["notes"][-1] == (
        "no height for 2 graves with a new outline: anna_dem.tif is not here; name the DEM with "
        "--dem"
    )
    assert [row["height_m"] for row in rows_of(path)[8:]] == [0.25, None]
    tidied(options=("--dem", away.name))
    heights = [row["height_m"] for row in rows_of(path)]
    assert heights[1::8] == pytest.approx([0.5, 0.5], abs=0.05)
    assert [*heights[:1], *heights[2:9]] == [0.25] * 8
    away.rename(dem)
    said = tidied(reshape(grave_id(1, 2), box(2.1, 0)))
    assert said["notes"] == ["3 candidates without a decision"]
    dem.write_bytes(b"other heights")
    said = tidied(reshape(grave_id(1, 2), box(2.2, 0)))
    assert "anna_dem.tif has other content" in said["notes"][-1]


def test_heights_are_those_above_the_dtm_of_the_map(path: Path, tidied: Edited) -> None:
    dem = write_dem(path.with_name("anna_dem.tif"))
    dtm = write_dem(path.with_name("anna_dtm.tif"), 299.8, [])
    recorded = {"dtm": dtm.name, DTM_KEY: source_of(dtm), **dem_provenance(dem)}
    write_map(path, path.with_suffix(".tif"), **recorded)
    away = dtm.rename(path.with_name("elsewhere.tif"))
    said = tidied(draw(box(10, 6)))
    assert "anna_dtm.tif is not here; name the DTM with --dtm" in said["notes"][-1]
    tidied(options=("--dtm", away.name))
    assert rows_of(path)[-1]["height_m"] == pytest.approx(0.7, abs=0.05)


def test_check_only_reports(path: Path) -> None:
    edit(path, draw(box(6.1, 3.1)))
    before = path.read_bytes()
    result = gravecli("tidy", path, "--check", cwd=path.parent)
    assert (result.returncode, path.read_bytes()) == (1, before)
    assert "would be changed, 10 graves" in result.stdout
    assert grave_id(2, 5) in result.stdout
    assert gravecli("tidy", path, "-q", cwd=path.parent).returncode == 0
    assert gravecli("tidy", path, "--check", cwd=path.parent).returncode == 0
    assert sorted(one.name for one in path.parent.iterdir()) == ["anna.gpkg", "anna.tif"]


def test_a_tidied_map_is_verified_and_still_protected(path: Path, tidied: Edited) -> None:
    source = source_of(path.with_suffix(".tif"))
    assert why_keep_map(path, source) is None
    tidied(draw(box(6.1, 3.1)), answer("refuse", 1), delete(grave_id(1, 1)))
    tidied(draw(box(10, 6)))
    result = gravecli("verify", path, "--only", "graves", "--only", "tables", cwd=path.parent)
    assert result.returncode == 0, result.stdout
    assert "; by hand: 2 drawn, 1 deleted, 1 refused" in result.stdout
    assert why_keep_map(path, source) == "was corrected by hand"
    edit(path, delete(grave_id(1, 2)))
    assert (
        "1 removed; 10 were written"
        in gravecli("verify", path, "--only", "graves", cwd=path.parent).stdout
    )


def test_a_map_of_an_earlier_version_is_tidied_as_far_as_it_tells(
    path: Path, tidied: Edited
) -> None:
    edit(path, "DELETE FROM gravecli_provenance WHERE key = 'row_record'")
    said = tidied(draw(box(6.1, 3.1)), delete(grave_id(1, 1)))
    assert (said["numbered"], said["removed"]) == ([grave_id(2, 5)], [grave_id(1, 1)])
    assert "does not tell its rows as written" in said["notes"][0]


def test_titles_of_the_new_layer_are_german_on_request(path: Path, tidied: Edited) -> None:
    tidied(delete(grave_id(1, 1)), options=("--lang", "de"))
    with closing(sqlite3.connect(path)) as database:
        titles = dict(database.execute("SELECT table_name, identifier FROM gpkg_contents"))
    assert titles["gravecli_removed"] == "Entfernt"


def test_a_trigger_without_an_end_is_stopped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = (
        "CREATE TRIGGER endless AFTER UPDATE ON graves BEGIN SELECT count(*) FROM ("
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n); END"
    )
    edit(path, draw(box(6.1, 3.1)), endless)
    before = path.read_bytes()
    monkeypatch.setattr(geopackage_edit, "_LONGEST_S", 0.2)
    result = gravecli("tidy", path, cwd=path.parent)
    assert_refused(result, "anna.gpkg: cannot be written: interrupted", "new GeoPackage")
    assert path.read_bytes() == before
    assert sorted(one.name for one in path.parent.iterdir()) == ["anna.gpkg", "anna.tif"]


def test_a_surprise_in_a_map_is_one_line(path: Path) -> None:
    edit(path, "ALTER TABLE graves RENAME COLUMN grave_id TO id")
    result = gravecli("tidy", path, cwd=path.parent)
    assert_refused(result, "anna.gpkg: graves have no column of ids", "expected grave_id")
    edit(path, "DROP TABLE graves")
    assert_refused(gravecli("tidy", path, cwd=path.parent), "anna.gpkg: not a map of gravecli")


def test_edits_in_a_log_are_not_mixed_with_the_tidying(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = wal")
        database.execute("CREATE TABLE notes (text)")
        for options in ((), ("--check",)):
            result = gravecli("tidy", path, *options, cwd=path.parent)
            assert_refused(result, "anna.gpkg: GeoPackage holds edits", "close it in QGIS")


def test_a_map_without_graves_is_tidied(path: Path, tidied: Edited) -> None:
    said = tidied("DELETE FROM graves", "DELETE FROM candidates")
    assert (said["graves"], len(said["removed"])) == (0, 9)


places = st.tuples(st.floats(-1, 12), st.floats(-1, 9))
edits = st.one_of(
    st.tuples(st.just("draw"), places),
    st.tuples(st.just("copy"), st.integers(1, 9), places),
    st.tuples(st.just("move"), st.integers(1, 9), places),
    st.tuples(st.just("delete"), st.integers(1, 9)),
    st.tuples(st.just("answer"), st.integers(1, 3), st.sampled_from(["accept", "refuse", "x"])),
)


def carry_out(path: Path, one: tuple[Any, ...]) -> None:
    kind, *how = one
    ids = [row["grave_id"] for row in rows_of(path) if row["grave_id"]]
    if kind == "draw":
        edit(path, draw(box(*how[0])))
    elif kind == "copy":
        edit(path, copy(ids[how[0] % len(ids)], box(*how[1])))
    elif kind == "move":
        edit(path, reshape(ids[how[0] % len(ids)], box(*how[1])))
    elif kind == "delete":
        edit(path, delete(ids[how[0] % len(ids)]))
    else:
        edit(path, answer(how[1], how[0]))


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(edits, min_size=1, max_size=5), st.lists(edits, max_size=3))
def test_any_edits_are_tidied_at_once(
    path: Path, first: list[tuple[Any, ...]], second: list[tuple[Any, ...]]
) -> None:
    """Ids are unique and stay with their rows, no number is given twice, a second run is idle."""
    write_map(path, path.with_suffix(".tif"))
    kept: dict[int, str] = {}
    ever: set[str] = {row["grave_id"] for row in rows_of(path)}
    for round_ in (first, second):
        for one in round_:
            carry_out(path, one)
        plan = plan_tidying(read_edited_map(path), Settings())
        write_tidying(plan, "en")
        again = plan_tidying(read_edited_map(path), Settings())
        assert not again.is_needed
        assert again.report.problems == plan.report.problems
        rows = rows_of(path)
        ids = [row["grave_id"] for row in rows if row["grave_id"]]
        assert len(set(ids)) == len(ids)
        assert all(kept.get(row["fid"], row["grave_id"]) == row["grave_id"] for row in rows)
        new = {*plan.report.numbered, *plan.report.accepted} - {""}
        assert not any(one in ever for one in new if not one.startswith("fid"))
        kept |= {row["fid"]: row["grave_id"] for row in rows if row["grave_id"]}
        ever |= set(ids)
        if not plan.report.problems:
            assert shared_m2(path) < 1e-4 * len(rows)


def test_a_coverage_that_crosses_itself_is_repaired(path: Path, tidied: Edited) -> None:
    left, bottom, right, top = box(-2, -2, 16, 14).bounds
    crossing = shapely.Polygon([(left, bottom), (right, top), (right, bottom), (left, top)])
    edits = [
        ("UPDATE coverage SET geom = ?", [blob_of(shapely.MultiPolygon([crossing]), 25832)]),
        (
            "INSERT INTO coverage (geom, cemetery_id) VALUES (?, 'anna')",
            [blob_of(shapely.MultiPolygon([box(0, 0)]), 25832)],
        ),
    ]
    assert not tidied(*edits)["problems"]


def test_a_collection_among_outlines_of_several_parts_is_its_polygons() -> None:
    several = shapely.MultiPolygon([box(0, 0), box(2, 0)])
    line = shapely.LineString([(0, 0), (1, 1)])
    drawn = np.array([shapely.GeometryCollection([*several.geoms, line]), box(4, 0)], dtype=object)
    found = repair_outlines(drawn, with_parts=True)
    assert shapely.equals(found.outlines, [several, box(4, 0)]).all()
    assert not find_overlaps(found.outlines)


def test_a_hairline_left_by_a_cut_is_named(path: Path, tidied: Edited) -> None:
    left, bottom, right, _ = box(10, 0).bounds
    hair = [(left, bottom), (right, bottom), (right, bottom + 1e-9), (left, bottom + 1e-9)]
    (problem,) = tidied(draw(shapely.Polygon(hair)), code=1)["problems"]
    assert "without an area" in problem


def test_a_grave_far_away_is_named_also_in_a_map_without_a_coverage(
    path: Path, tidied: Edited
) -> None:
    """As in the maps of compare and join; its place must not change the sizes of all others."""
    edit(path, "DROP TABLE coverage")
    said = tidied(draw(box(5_000_000, 3)), reshape(grave_id(1, 1), box(-1500, 0)), code=1)
    assert [problem.split(" m away")[0] for problem in said["problems"]] == [
        f"grave {grave_id(1, 1)} lies 1,500",
        "grave fid 10 lies 5,001,990",
    ]
    assert said["measured"] == said["numbered"] == []
    # Another cemetery is no slip.
    others = [draw(box(3000 + 2 * i, 0)) for i in range(5)]
    assert (
        len(
            tidied(delete(grave_id(1, 1)), "DELETE FROM graves WHERE fid = 10", *others)["numbered"]
        )
        == 5
    )


def test_candidates_that_cannot_be_graves_are_called_by_their_numbers(
    path: Path, tidied: Edited
) -> None:
    def outline(number: int, shape: shapely.Geometry) -> tuple[str, list[Any]]:
        query = "UPDATE candidates SET geom = ? WHERE candidate_id = ?"
        return query, [blob_of(shape, 25832), number]

    edit(path, outline(1, box(20_000, 0)), outline(2, box(10.2, 6)), outline(3, box(10, 6)))
    edit(path, answer("accept", 1, 2, 3))
    result = gravecli("tidy", path, "--check", "--json", cwd=path.parent)
    said = json.loads(result.stdout)
    assert said["accepted"] == ["candidate 2", "candidate 3"]
    assert said["problems"] == [
        "graves candidate 2 and candidate 3 share 1.60 m², 80% of the smaller one: delete or "
        "reshape one of them",
        "candidate 1 lies 19,994 m away from the mapped area: check its place",
    ]


def test_in_a_layer_of_several_parts_graves_of_one_part_stay(path: Path, tidied: Edited) -> None:
    """As in the map that compare writes of an office's file with a grave of two parts."""
    parts = [(shapely.MultiPolygon([row["shape_of"]]), row["fid"]) for row in rows_of(path)]
    query = "UPDATE graves SET geom = ? WHERE fid = ?"
    edit(
        path,
        "UPDATE gpkg_geometry_columns SET geometry_type_name = 'MULTIPOLYGON' "
        "WHERE table_name = 'graves'",
        *((query, [blob_of(shape, 25832), fid]) for shape, fid in parts),
    )
    seal_geopackage(path)
    said = tidied(draw(box(6.1, 3.1)), reshape(grave_id(1, 2), shapely.MultiPolygon([box(2.1, 0)])))
    assert (said["numbered"], said["repaired"]) == ([grave_id(2, 5)], [])
    assert {row["shape_of"].geom_type for row in rows_of(path)[:9]} == {"MultiPolygon"}
    assert by_id(path)[grave_id(1, 1)]["confidence"] == 0.9
    spike = shapely.affinity.translate(SPIKE, 6, 0)
    said = tidied(draw(shapely.MultiPolygon([spike])))
    assert said["repaired"] == said["numbered"]
    assert rows_of(path)[-1]["shape_of"].geom_type == "MultiPolygon"
