"""Each flag is raised by its own cause and by no other."""

from dataclasses import replace

import numpy as np
import pytest
import shapely

from grave_cli.graves.evidence import Evidence
from grave_cli.graves.flags import Review, review
from grave_cli.outlines.polygons import Outlines
from grave_cli.settings.mapping import FLAGS, ReviewSettings

GSD_M = 0.05
COUNT = 10


def rows(*changes: tuple[int, float, float]) -> Outlines:
    """Ten graves of 1 m x 2 m, two metres apart, some with another width and length in metres."""
    sides = np.tile([1.0, 2.0], (COUNT, 1))
    for index, width, length in changes:
        sides[index] = width, length
    left = np.arange(COUNT) * 3.0
    boxes = shapely.box(left / GSD_M, 0, (left + sides[:, 0]) / GSD_M, sides[:, 1] / GSD_M)
    kinds = np.full(COUNT, "rectangle", dtype="<U10")
    return Outlines(boxes, boxes, kinds, np.full(COUNT, 0.95), np.arange(COUNT))


def clear() -> Evidence:
    nothing = np.zeros(COUNT)
    return Evidence(
        body=np.full(COUNT, 0.95),
        unsure=nothing,
        line_inside=nothing,
        second_seed=nothing,
        contact_seam=nothing,
        nodata=nothing,
        edge=np.zeros(COUNT, np.bool_),
    )


def at(index: int, value: float) -> np.ndarray:
    values = np.zeros(COUNT)
    values[index] = value
    return values


def look(
    outlines: Outlines | None = None,
    evidence: Evidence | None = None,
    confidence: np.ndarray | None = None,
    settings: ReviewSettings | None = None,
) -> Review:
    sure = np.full(COUNT, 0.95) if confidence is None else confidence
    return review(
        outlines or rows(), evidence or clear(), sure, GSD_M, settings or ReviewSettings()
    )


def test_usual_graves_carry_no_flag() -> None:
    assert look().flags.tolist() == [""] * COUNT
    assert not look().needed.any()


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"edge": at(4, 1) > 0}, "edge"),
        ({"nodata": at(4, 0.3)}, "nodata"),
        ({"second_seed": at(4, 0.4)}, "possible_merge"),
        ({"line_inside": at(4, 0.6)}, "possible_merge"),
    ],
)
def test_evidence_raises_its_flag(changes: dict[str, np.ndarray], flag: str) -> None:
    seen = look(evidence=replace(clear(), **changes))
    assert seen.flags.tolist() == [""] * 4 + [flag] + [""] * 5
    assert np.flatnonzero(seen.needed).tolist() == [4]


def test_low_confidence_is_flagged() -> None:
    assert look(confidence=1 - at(4, 0.7)).flags[4] == "low_confidence"


@pytest.mark.parametrize(
    ("width", "length", "flag"),
    [
        (0.3, 0.3, "size_outlier"),  # 0.09 m2
        (2.2, 5.0, "size_outlier"),  # 11 m2 among graves of 2 m2
        (0.4, 2.4, "shape_outlier"),  # six times as long as wide
    ],
)
def test_sizes_and_shapes_out_of_the_usual_are_flagged(
    width: float, length: float, flag: str
) -> None:
    assert flag in look(rows((4, width, length))).flags[4].split(",")


def test_a_limit_itself_is_not_exceeded() -> None:
    assert look(rows((4, 0.5, 2.5))).flags[4] == ""  # five times as long as wide, the limit
    assert look(rows((4, 0.45, 2.5))).flags[4] == "shape_outlier"


def test_a_second_kind_of_graves_is_no_outlier() -> None:
    urns = [(index, 0.5, 0.5) for index in range(4)]
    assert not look(rows(*urns)).needed.any()
    assert look(rows(urns[0])).flags[0] == "size_outlier"


def test_an_outline_far_from_a_rectangle_is_a_shape_outlier() -> None:
    outlines = replace(rows(), fit=0.95 - at(4, 0.4))
    assert look(outlines).flags[4] == "shape_outlier"


def test_a_doubtful_and_irregular_grave_is_occluded() -> None:
    outlines = rows()
    outlines.shape[4] = "outline"
    evidence = replace(clear(), unsure=at(4, 0.6))
    assert look(outlines, evidence).flags[4] == "occluded"
    assert look(rows(), evidence).flags[4] == ""


def test_two_halves_of_one_grave_are_a_possible_split_but_two_graves_are_not() -> None:
    outlines = rows()
    left, right = shapely.box(0, 0, 10, 40), shapely.box(10.2, 0, 20, 40)
    outlines.regular[[0, 1]] = left, right
    found = look(outlines)
    assert ["possible_split" in flags for flags in found.flags] == [True] * 2 + [False] * 8
    apart = replace(clear(), contact_seam=at(0, 0.8) + at(1, 0.8))
    assert "possible_split" not in ",".join(look(outlines, apart).flags)


def test_small_neighbours_that_make_no_rectangle_are_no_halves() -> None:
    outlines = rows()
    outlines.regular[[0, 1]] = shapely.box(0, 0, 10, 40), shapely.box(10.2, 20, 20, 60)
    assert "possible_split" not in ",".join(look(outlines).flags)


def test_several_flags_stand_in_their_order() -> None:
    evidence = replace(clear(), nodata=at(4, 1), edge=at(4, 1) > 0)
    flags = look(evidence=evidence, confidence=np.zeros(COUNT)).flags[4].split(",")
    assert flags == ["edge", "nodata", "low_confidence"]
    assert sorted(flags, key=FLAGS.index) == flags


def test_flags_that_are_left_out_call_for_no_review() -> None:
    settings = ReviewSettings(without_review=("nodata",))
    evidence = replace(clear(), nodata=at(4, 1))
    found = look(evidence=evidence, confidence=1 - at(5, 0.8), settings=settings)
    assert found.flags[4] == "nodata"
    assert np.flatnonzero(found.needed).tolist() == [5]


def test_no_graves_need_no_review() -> None:
    none = np.array([], np.intp)
    found = review(rows().take(none), clear().take(none), np.array([]), GSD_M, ReviewSettings())
    assert len(found.flags) == len(found.needed) == 0
