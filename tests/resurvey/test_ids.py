"""Ids go on: to the largest part, to the eldest of merged graves; new graves get free numbers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from shapely import affinity
from survey_scene import MAP_TYPES, halves, map_rows, plant, survey

from grave_cli.errors import DatasetError
from grave_cli.resurvey.compare import Comparison, compare_surveys
from grave_cli.resurvey.layers import comparison_layers
from grave_cli.resurvey.removed import empty_layer, removed_row
from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings

EMPTY: dict[str, Any] = dict.fromkeys(MAP_TYPES)


def graves(rows: int = 3, count: int = 8) -> list[shapely.Polygon]:
    return [
        shapely.box(1.3 * i, -2.9 * r - 2, 1.3 * i + 1, -2.9 * r)
        for r in range(rows)
        for i in range(count)
    ]


def compare(
    old: Sequence[shapely.Polygon],
    rows: Sequence[dict[str, Any]],
    new: Sequence[shapely.Polygon],
    **values: object,
) -> Comparison:
    before = survey(old, rows, MAP_TYPES)
    after = survey(new, [EMPTY] * len(new), MAP_TYPES, "new.gpkg")
    settings = with_values(Settings(), values) if values else Settings()
    return compare_surveys(before, after, settings, "st_anna")


def short(ids: Sequence[str | None]) -> list[str | None]:
    return [one and one.removeprefix("st_anna-") for one in ids]


def test_a_survey_of_the_same_graves_keeps_all_ids_in_any_order() -> None:
    planted = plant()
    order = np.random.default_rng(0).permutation(len(planted.old))
    same = compare(planted.old, planted.old_rows, [planted.old[i] for i in order])
    assert set(same.changes.of_new) == {"unchanged"}
    assert list(same.identities.ids) == [planted.old_rows[i]["grave_id"] for i in order]


def test_whole_numbers_of_a_decimal_column_are_ids_without_a_point() -> None:
    old = graves(1, 6)
    numbers = [1000.0, 1001.0, 1002.5, 1e16, float("nan"), None]
    before = survey(old, [{"Nr": number} for number in numbers], {"Nr": "float"})
    after = survey(old, [{}] * len(old), {}, "new.gpkg")
    settings = with_values(Settings(), {"compare.id_column": "Nr"})
    ids = compare_surveys(before, after, settings, "st_anna").identities.ids
    assert ids[:4] == ("1000", "1001", "1002.5", "10000000000000000")
    assert all(one.startswith("st_anna-F01-") for one in ids[4:])


def test_planted_changes_are_found_exactly_and_ids_follow_them() -> None:
    for seed in (1, 2, 3):
        planted = plant(seed)
        result = compare(planted.old, planted.old_rows, planted.new)
        changes, identities = result.changes, result.identities
        found = {
            name: sorted(
                one
                for one, change in zip(identities.old_ids, changes.of_old, strict=True)
                if change == name and one
            )
            for name in ("moved", "resized", "gone", "split", "merged")
        }
        assert found == {name: sorted(planted.changes[name]) for name in found}
        fresh = [
            one
            for one, change in zip(identities.ids, changes.of_new, strict=True)
            if change == "new"
        ]
        rows = {one.rsplit("-", 1)[0] for one in planted.changes["new"]}
        assert {one.rsplit("-", 1)[0] for one in fresh} == rows
        assert len(fresh) == len(planted.changes["new"])
        assert len(set(identities.ids)) == len(planted.new)
        assert not set(fresh) & set(identities.old_ids)
        eldest, younger = sorted(planted.changes["merged"])
        assert identities.merged_ids[identities.ids.index(eldest)] == younger
        assert younger not in identities.ids
        for one in planted.changes["split"]:
            assert one in identities.ids
            assert identities.split_from[identities.ids.index(f"{one}A")] == one


def test_letters_of_parts_do_not_repeat() -> None:
    old = graves()
    first, second = halves(old[2])
    once = compare(old, map_rows(old, "st_anna"), [*old[:2], second, first, *old[3:]])
    assert short(once.identities.ids[2:4]) == ["F01-R01-003A", "F01-R01-003"]
    rows = [EMPTY | {"grave_id": one} for one in once.identities.ids]
    now = list(once.new.outlines)
    now = [affinity.translate(grave, -500_000, -5_400_000) for grave in now]
    parts = halves(now[2], 0.6)
    again = compare(now, rows, [*now[:2], *parts, *now[3:]])
    assert short(again.identities.ids[2:5]) == ["F01-R01-003A", "F01-R01-003B", "F01-R01-003"]


@pytest.mark.parametrize(
    ("missing", "numbered"),
    [
        ([3], ["F01-R01-004"]),  # a number was left out
        ([0], ["F01-R01-001"]),
        ([7], ["F01-R01-008"]),
        ([3, 4], ["F01-R01-004", "F01-R01-005"]),
    ],
)
def test_a_new_grave_takes_the_number_that_its_row_left_out(
    missing: list[int], numbered: list[str]
) -> None:
    now = graves()
    rows = map_rows(now, "st_anna")
    kept = [i for i in range(len(now)) if i not in missing]
    result = compare([now[i] for i in kept], [rows[i] for i in kept], now)
    assert short([result.identities.ids[i] for i in missing]) == numbered


def test_a_number_is_never_given_twice_not_even_that_of_a_grave_that_is_gone() -> None:
    old = graves()
    urn = shapely.box(*np.add(old[3].bounds, (0.8, 0, 0, 0)))  # a fifth of the old grave
    result = compare(old, map_rows(old, "st_anna"), [*old[:3], urn, *old[4:]])
    assert result.counts["gone"] == result.counts["new"] == 1
    assert short(result.identities.ids[3:4]) == ["F01-R01-009"]
    between = affinity.translate(shapely.box(0, 0, 0.28, 2), 1.01, -2)
    crowded = compare(old, map_rows(old, "st_anna"), [*old, between])
    assert short([crowded.identities.ids[-1]]) == ["F01-R01-009"]


def test_values_of_the_office_in_the_new_survey_are_taken_or_said() -> None:
    old, types = graves(1, 6), {"grave_id": "str", "Pacht": "str", "number": "int"}
    ids = [f"st_anna-F01-R01-00{i}" for i in range(1, 7)]
    then = [
        {"grave_id": one, "Pacht": pacht, "number": None}
        for one, pacht in zip(ids, ["bis 2030", "bis 2031", None, None, None, None], strict=True)
    ]
    now = [{"grave_id": None, "Pacht": "bis 2040", "number": 9}] * 6
    before, after = survey(old, then, types), survey(old, now, types, "new.gpkg")
    result = compare_surveys(before, after, Settings(), "st_anna")
    rows = list(comparison_layers(result)[0].rows)
    assert [row["Pacht"] for row in rows] == ["bis 2030", "bis 2031", *["bis 2040"] * 4]
    assert [row["number"] for row in rows] == [1, 2, 3, 4, 5, 6]  # of the old ids
    assert result.notes[-1].startswith("column Pacht: the old survey's value is kept")
    assert result.notes[-1].endswith("(2 graves)")


@pytest.mark.parametrize(("known", "given"), [(12, 12), (None, None)])
def test_new_graves_of_an_office_that_counts_its_cemeteries_have_its_number(
    known: int | None, given: int | None
) -> None:
    now = graves(1, 9)
    rows = [{"grave_id": f"x-F01-R01-00{i}", "cemetery_id": known} for i in range(1, 9)]
    before = survey(now[:8], rows, {"grave_id": "str", "cemetery_id": "int32"})
    own = {"grave_id": None, "cemetery_id": "x"}
    after = survey(now, [own] * 9, {"grave_id": "str", "cemetery_id": "str"}, "new.gpkg")
    layer = comparison_layers(compare_surveys(before, after, Settings(), "x"))[0]
    assert layer.rows[-1]["cemetery_id"] == given


@pytest.mark.parametrize(("width", "after", "number"), [(1.0, 5, 4), (1.6, 6, 4), (1.6, 5, 8)])
def test_the_second_number_of_a_double_grave_is_its_own(
    width: float, after: int, number: int
) -> None:
    upper, lower = graves(1), [shapely.box(1.3 * i, -4.9, 1.3 * i + 1, -2.9) for i in range(8)]
    double = shapely.box(1.3, -4.9, 3.3, -2.9)  # takes the numbers 2 and 3
    gap = shapely.box(3.9, -4.9, 3.9 + width, -2.9)  # beside it
    old = [*upper, lower[0], double, *lower[5:]]
    numbers = [*((1, i) for i in range(1, 9)), (2, 1), (2, 2)]
    numbers += [(2, after + i) for i in range(3)]
    rows = [EMPTY | {"grave_id": f"st_anna-F01-R0{r}-{n:03d}"} for r, n in numbers]
    result = compare(old, rows, [*old, gap], **{"register.double_graves": "two"})
    assert short([result.identities.ids[-1]]) == [f"F01-R02-00{number}"]


def test_a_new_row_and_a_new_field_get_the_next_numbers() -> None:
    old = graves(rows=2)
    further = [affinity.translate(grave, 0, -5.8) for grave in graves(rows=1)]
    far = [affinity.translate(grave, 30, 0) for grave in graves(rows=2)]
    result = compare(old, map_rows(old, "st_anna"), [*old, *further, *far])
    ids = short(result.identities.ids)
    assert ids[16:24] == [f"F01-R03-00{i}" for i in range(1, 9)]
    assert ids[24:] == [f"F02-R0{r}-00{i}" for r in (1, 2) for i in range(1, 9)]


def test_missing_and_repeated_ids_are_mended_and_reported() -> None:
    old = graves()
    rows = map_rows(old, "st_anna")
    rows[5] = rows[5] | {"grave_id": None, "number": None}
    rows[9] = rows[9] | {"grave_id": rows[8]["grave_id"]}
    result = compare(old, rows, old)
    assert short(result.identities.ids[5:6]) == ["F01-R01-006"]
    assert short(result.identities.ids[8:10]) == ["F01-R02-001", "F01-R02-001A"]
    assert result.notes == (
        "old.gpkg: 1 of 24 graves without grave_id, which get a new one",
        "old.gpkg: 1 grave_id of several graves got a letter: st_anna-F01-R02-001",
    )


def test_ids_of_the_office_s_own_go_on() -> None:
    old = graves()
    rows = [EMPTY | {"grave_id": f"Grab {i}"} for i in range(len(old))]
    further = affinity.translate(old[-1], 1.3, 0)
    first, second = halves(old[0])
    result = compare(old, rows, [first, second, *old[1:], further])
    ids = result.identities.ids
    assert ids[:3] == ("Grab 0", "Grab 0A", "Grab 1")
    assert ids[-1].startswith("st_anna-F01-R")


def test_files_without_ids_or_without_a_common_grave_are_refused() -> None:
    old = graves()
    with pytest.raises(DatasetError, match=r"no column of ids.*found Name.*compare.id_column"):
        compare_surveys(
            survey(old, [{"Name": "x"}] * len(old), {"Name": "str"}),
            survey(old, [EMPTY] * len(old), MAP_TYPES),
            Settings(),
            "a",
        )
    for east, found in ((20.0, "no grave of either"), (5_000.0, "5.0 km apart")):
        away = [affinity.translate(grave, east, 0) for grave in old]
        with pytest.raises(DatasetError, match=rf"no grave in common.*{found}"):
            compare(old, map_rows(old, "st_anna"), away)


def test_a_shift_beyond_the_limit_is_found_or_doubted() -> None:
    planted = plant()
    away = [affinity.translate(grave, 7.3, 3.1) for grave in planted.new]
    doubtful = compare(planted.old, planted.old_rows, away)
    assert not doubtful.shift.is_estimated
    assert any("may have got wrong ids" in doubt for doubt in doubtful.doubts)
    found = compare(planted.old, planted.old_rows, away, **{"compare.max_shift_m": 12.0})
    assert found.shift.is_estimated
    assert found.counts["moved"] == 2
    assert not found.doubts


def test_of_a_survey_without_graves_all_are_gone() -> None:
    old = graves()
    result = compare(old, map_rows(old, "st_anna"), [])
    assert result.counts["gone"] == len(old)
    assert result.identities.ids == ()
    assert np.isfinite(shapely.total_bounds(result.moved_outlines)).all()


def test_a_grave_outside_the_new_imagery_is_not_gone() -> None:
    old = graves()
    seen = affinity.translate(shapely.box(-1, -10, 5.1, 1), 500_000, 5_400_000)
    before = survey(old, map_rows(old, "st_anna"), MAP_TYPES)
    kept = [i for i in range(len(old)) if i % 8 < 4 and i != 0]
    after = survey([old[i] for i in kept], [EMPTY] * len(kept), MAP_TYPES, "new.gpkg")
    after = type(after)(**{**after.__dict__, "coverage": seen})
    result = compare_surveys(before, after, Settings(), "st_anna")
    assert result.counts["gone"] == 1
    assert result.counts["outside"] == 12


def test_ids_that_a_review_removed_are_not_given_again() -> None:
    old = graves()
    rows = map_rows(old, "st_anna")
    end = rows[7]["grave_id"]
    layer = replace(empty_layer("EPSG:25832"), rows=[removed_row("deleted", "", grave_id=end)])
    without = [one for index, one in enumerate(old) if index != 7]
    before = survey(without, rows[:7] + rows[8:], MAP_TYPES)
    after = survey(old, [EMPTY] * len(old), MAP_TYPES, "new.gpkg")
    for removed, expected in ((None, end), (layer, end[:-1] + "9")):
        result = compare_surveys(replace(before, removed=removed), after, Settings(), "st_anna")
        assert result.identities.ids[7] == expected
        assert (layer in comparison_layers(result)) == (removed is not None)


def test_candidates_that_a_review_of_the_new_survey_refused_are_kept() -> None:
    old = graves()
    rows = [removed_row("refused", "", candidate_id=7), removed_row("deleted", "", grave_id="x")]
    outlines = np.array([old[0], old[1]], dtype=object)
    layer = replace(empty_layer("EPSG:25832"), rows=rows, geometries=outlines)
    before = survey(old, map_rows(old, "st_anna"), MAP_TYPES)
    after = survey(old[:-1], [EMPTY] * (len(old) - 1), MAP_TYPES, "new.gpkg")
    result = compare_surveys(before, replace(after, removed=layer), Settings(), "st_anna")
    found = comparison_layers(result)[-1]
    assert [row["reason"] for row in found.rows] == ["refused", "gone"]
    assert len(found.polygons()) == 2
    both = compare_surveys(
        replace(before, removed=layer), replace(after, removed=layer), Settings(), "st_anna"
    )
    assert len(comparison_layers(both)[-1].rows) == 3
