"""What became of each grave, on hand-made graves that lie on each other."""

import numpy as np
import pytest
import shapely
from shapely import affinity
from survey_scene import halves

from grave_cli.resurvey.changes import Changes, find_changes
from grave_cli.settings.compare import CompareSettings

GRAVE = shapely.box(0, 0, 1, 2)


def row(count: int, gap: float = 0.3) -> list[shapely.Polygon]:
    return [affinity.translate(GRAVE, i * (1 + gap), 0) for i in range(count)]


def changes(old: list, new: list, **values: object) -> Changes:
    before, after = (np.array(graves, dtype=object) for graves in (old, new))
    return find_changes(before, after, CompareSettings.model_validate(values))


@pytest.mark.parametrize(
    ("now", "name"),
    [
        (affinity.translate(GRAVE, 0.1, 0.1), "unchanged"),
        (affinity.translate(GRAVE, 0.3, 0.2), "moved"),
        (affinity.translate(GRAVE, 0.75, 0), "moved"),
        (affinity.rotate(GRAVE, 10), "unchanged"),
        (affinity.rotate(GRAVE, 20), "moved"),
        (affinity.rotate(GRAVE, 180), "unchanged"),
        (affinity.scale(GRAVE, 1.1, 1.1), "unchanged"),
        (affinity.scale(GRAVE, 1.2, 1.2), "resized"),
        (affinity.scale(GRAVE, 0.8, 0.8), "resized"),
        (shapely.box(0, 0, 1, 3), "resized"),  # also moved by half a metre
    ],
)
def test_a_grave_in_both_surveys(now: shapely.Polygon, name: str) -> None:
    found = changes([GRAVE], [now])
    assert found.of_old.tolist() == found.of_new.tolist() == [name]
    assert found.partner.tolist() == [0]


def test_measures_say_how_much() -> None:
    measures = changes([GRAVE], [affinity.rotate(shapely.box(0.3, 0, 1.3, 2.2), 20)]).measures
    assert measures.moved_m[0] == pytest.approx(np.hypot(0.3, 0.1))
    assert measures.turned_deg[0] == pytest.approx(20)
    assert measures.area_change_m2[0] == pytest.approx(0.2)
    assert 0 < measures.iou[0] < 1


def test_outlines_that_differ_by_rounding_overlap_wholly() -> None:
    # GEOS 3.14 returns a point as the overlap of these, which differ by the last digit.
    one = [(1.8967418692753633, 82.0112683990085), (4.164988640541352, 81.90998121671093)]
    one += [(4.200774259448061, 82.71137200181956), (1.932527488182072, 82.81265918411712)]
    other = [(1.8967418692753635, 82.0112683990085), (4.164988640541352, 81.90998121671093)]
    other += [(4.20077425944806, 82.71137200181956), (1.932527488182072, 82.81265918411711)]
    found = changes([shapely.Polygon(one)], [shapely.Polygon(other)])
    assert found.measures.iou[0] == pytest.approx(1)


def test_a_grave_gone_and_a_new_one_beside_it_are_not_a_move() -> None:
    found = changes([GRAVE], [affinity.translate(GRAVE, 1.05, 0)])
    assert (found.of_old.tolist(), found.of_new.tolist()) == (["gone"], ["new"])
    urns = [shapely.box(i * 0.6, 0, i * 0.6 + 0.5, 0.5) for i in range(5)]
    found = changes(urns[:-1], urns[1:])
    assert found.of_old.tolist() == ["gone", *["unchanged"] * 3]
    assert found.of_new.tolist() == [*["unchanged"] * 3, "new"]


def test_pairs_are_chosen_for_the_whole_row_not_one_by_one() -> None:
    old = row(6, gap=0.0)
    new = [affinity.translate(grave, 0.45, 0) for grave in old]
    found = changes(old, new)
    assert found.partner.tolist() == [0, 1, 2, 3, 4, 5]
    assert set(found.of_new.tolist()) == {"moved"}


def test_a_split_names_its_parts_by_their_overlap() -> None:
    first, second = halves(GRAVE, 0.6)
    found = changes([GRAVE], [second, first])
    assert found.of_old.tolist() == ["split"]
    assert found.of_new.tolist() == ["split", "split"]
    assert found.partner.tolist() == [0, 0]
    assert found.rank.tolist() == [1, 0]
    assert np.isnan(found.measures.moved_m).all()


def test_a_merge_names_its_sources() -> None:
    old = row(3, gap=0.1)
    found = changes(old, [shapely.union_all(old).convex_hull])
    assert found.of_old.tolist() == ["merged"] * 3
    assert found.of_new.tolist() == ["merged"]
    assert sorted(found.sources[0]) == [0, 1, 2]


def test_a_small_new_grave_on_an_old_one_does_not_split_it() -> None:
    urn = shapely.box(0.2, 0.2, 0.5, 0.5)  # less than a twentieth
    found = changes([GRAVE], [GRAVE, urn])
    assert found.of_new.tolist() == ["unchanged", "new"]


def test_a_grave_is_in_one_split_or_merge_only() -> None:
    first, second = halves(shapely.box(0, 0, 1, 4), 0.5)
    # The old pair is drawn anew as one grave of 70 % and one of 30 %.
    now = halves(shapely.box(0, 0, 1, 4), 0.7)
    found = changes([first, second], now)
    assert sorted(np.concatenate([found.of_old, found.of_new]).tolist()).count("gone") == 0
    for index, sources in found.sources.items():
        assert found.of_new[index] == "merged"
        assert all(found.of_old[source] == "merged" for source in sources)


def test_one_survey_without_graves() -> None:
    assert changes([], [GRAVE]).of_new.tolist() == ["new"]
    assert changes([GRAVE], []).of_old.tolist() == ["gone"]


def test_limits_are_settings() -> None:
    now = affinity.translate(GRAVE, 0.1, 0)
    assert changes([GRAVE], [now], moved_m=0.05).of_new.tolist() == ["moved"]
    larger = affinity.scale(GRAVE, 1.05, 1.05)
    assert changes([GRAVE], [larger], resized_share=0.05).of_new.tolist() == ["resized"]
