"""Any geometry becomes clean polygons; repairs and omissions are counted."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from deliveries import GRAVES, GRID, OPEN_LINE, Shape, grave, outline, with_spike, write
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli.dataset.annotations import read_grave_file
from grave_cli.settings.inputs import DataSettings
from grave_cli.vectors.outline_repair import clean_outlines

FIRST = GRAVES[0]
BOW_TIE = shapely.Polygon(
    [(500003, 5400003), (500005, 5400004), (500005, 5400003), (500003, 5400004)]
)
HAIRLINE = shapely.Polygon(
    [(500001, 5400001), (500003, 5400001), (500003, 5400001.000001), (500001, 5400001.000001)]
)
FINDINGS: dict[str, tuple[list[Shape], int, dict[str, int]]] = {
    "nothing": (GRAVES, 8, {}),
    "repaired": ([with_spike(FIRST), GRAVES[1]], 2, {"repaired": 1}),
    "a bow tie stays in two": ([BOW_TIE], 2, {"repaired": 1}),
    "empty": ([FIRST, None, shapely.Polygon()], 1, {"empty": 2}),
    "a sliver": ([FIRST, shapely.box(500001, 5400001, 500003, 5400001.001)], 1, {"empty": 1}),
    "a hairline": ([FIRST, HAIRLINE], 1, {"empty": 1}),
    "unclosed": ([FIRST, OPEN_LINE], 1, {"unclosed": 1}),
    "closed but for a hair": ([OPEN_LINE, outline(GRAVES[1])], 1, {"unclosed": 1}),
    "other": ([FIRST, shapely.Point(500001, 5400001)], 1, {"other": 1}),
    "duplicates": ([FIRST, GRAVES[1], FIRST, FIRST.buffer(0.01)], 2, {"duplicates": 2}),
    "overlapping": ([FIRST, grave(4, 3), grave(3, 7)], 3, {"overlapping": 1}),
    "a shared edge": ([grave(3, 3, 0), grave(5, 3, 0)], 2, {}),
    "outside": ([FIRST, grave(50, 3)], 1, {"outside": 1}),
    "clipped": ([FIRST, grave(20, 5, 0), grave(0, 5, 0)], 3, {"clipped": 2}),
    "hardly inside": ([FIRST, grave(20.95, 5, 0)], 1, {"outside": 1}),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_repairs_and_omissions_are_counted(tmp_path: Path, name: str) -> None:
    shapes, count, expected = FINDINGS[name]
    graves = read_grave_file(
        write(tmp_path / "g.gpkg", shapes, kind="Unknown"), GRID, DataSettings()
    )
    assert len(graves.polygons) == count
    counted = {name: count for name, count in vars(graves.findings).items() if count}
    assert counted == expected
    assert len(list(graves.findings.sentences())) == len(expected)


POINT = st.tuples(st.integers(0, 12), st.integers(0, 12))
RING = st.lists(POINT, min_size=3, max_size=7)
ANY_SHAPE = st.one_of(
    RING.map(shapely.Polygon),
    RING.map(shapely.LineString),
    POINT.map(shapely.Point),
    st.lists(RING.map(shapely.Polygon), max_size=3).map(shapely.MultiPolygon),
    st.none(),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ANY_SHAPE, max_size=6))
def test_any_geometry_becomes_valid_polygons(shapes: list[Shape]) -> None:
    drawn = np.empty(len(shapes), dtype=object)
    drawn[:] = shapes
    clean = clean_outlines(drawn, min_area=0.25).polygons
    assert all(shape.geom_type == "Polygon" for shape in clean)
    assert shapely.is_valid(clean).all()
    assert (shapely.area(clean) >= 0.25).all()
    again = clean_outlines(clean, min_area=0.25)
    assert shapely.equals(again.polygons, clean).all()
    assert not any(count for name, count in vars(again.findings).items() if name != "overlapping")


def test_each_outline_remembers_its_feature() -> None:
    pair = shapely.MultiPolygon([GRAVES[1], GRAVES[2]])
    drawn = np.array([None, outline(FIRST), pair, BOW_TIE, OPEN_LINE, GRAVES[3]], dtype=object)
    clean = clean_outlines(drawn, min_area=0.25)
    assert clean.source.tolist() == [1, 2, 2, 3, 3, 5]
    assert shapely.equals(clean.polygons[:3], GRAVES[:3]).all()


def test_duplicates_are_kept_where_they_are_one_too_many() -> None:
    twice = np.array([FIRST, GRAVES[1], FIRST])
    clean = clean_outlines(twice, min_area=0.25, drop_duplicates=False)
    assert clean.source.tolist() == [0, 1, 2]
    assert clean.findings.duplicates == 0


def test_a_hairline_is_no_outline_whatever_is_asked_for() -> None:
    wall = shapely.box(500000, 5400000, 500100, 5400000.05)
    clean = clean_outlines(np.array([HAIRLINE, wall], dtype=object), 0.0)
    assert clean.polygons.tolist() == [wall]
    assert clean.findings.empty == 1


def test_a_repair_that_geos_leaves_crossing_is_repaired_again() -> None:
    # GEOS 3.14 repairs this one by an outline that crosses itself.
    corners = [
        (500001.901485289, 5300004.658316498),
        (500002.480379723, 5300003.539805959),
        (500001.901485288, 5300004.6583165),
        (500001.901485289, 5300004.658316498),
        (500002.313066342, 5300003.25750546),
        (500001.693965109, 5300003.083530956),
        (500003.729243275, 5300002.118659327),
        (500003.371170118, 5300002.960563703),
    ]
    clean = clean_outlines(np.array([shapely.Polygon(corners)], dtype=object), 0.0)
    assert shapely.is_valid(clean.polygons).all()
    assert shapely.area(clean.polygons).sum() == pytest.approx(1.548, abs=1e-3)
