"""The register on layouts whose rows are known: hand-made ones, and sample cemeteries."""

from collections.abc import Sequence

import numpy as np
import pytest
import scipy.sparse as sp
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity

from grave_cli.register.register import Register, register_graves
from grave_cli.sample_data.known_rows import sample_rows
from grave_cli.settings.register import RegisterSettings

SINGLE, DOUBLE, URN = (1.0, 2.0), (2.0, 2.0), (0.7, 0.7)
FAR = (500_000, 5_400_000)


def row(
    sizes: Sequence[tuple[float, float] | None], west: float, head: float, gap: float = 0.3
) -> list[shapely.Polygon]:
    """Lay graves from west to east with their heads on one line; None is an empty plot."""
    graves = []
    for size in sizes:
        width, length = size or SINGLE
        if size:
            graves.append(shapely.box(west, head - length, west + width, head))
        west += width + gap
    return graves


def field(
    rows: int, graves: int, west: float, north: float, size: tuple[float, float] = SINGLE
) -> list[shapely.Polygon]:
    pitch = size[1] + 0.9
    return [g for r in range(rows) for g in row([size] * graves, west, north - r * pitch)]


def four_fields() -> np.ndarray:
    """Two fields side by side, one of upright rows, one of urns."""
    upright = [affinity.rotate(g, 90, origin=(5, -18)) for g in field(4, 6, 1, -13)]
    return np.array(
        [*field(3, 8, 0, 0), *field(3, 7, 13, 0.2), *upright, *field(4, 9, 14, -13, URN)]
    )


def registered(polygons: Sequence[shapely.Polygon], **values: object) -> Register:
    chosen = RegisterSettings.model_validate(values)
    return register_graves(np.array(polygons, dtype=object), "st_anna", chosen)


def places(register: Register) -> list[tuple[int, int, int]]:
    return [
        (int(f), int(r), int(n))
        for f, r, n in zip(register.field, register.row, register.number, strict=True)
    ]


def adjusted_rand_index(first: np.ndarray, second: np.ndarray) -> float:
    """Compare two groupings: 1 for the same groups, about 0 for chance (Hubert and Arabie)."""
    groups = [np.unique(labels, return_inverse=True)[1] for labels in (first, second)]
    both = sp.coo_array((np.ones(len(first)), tuple(groups))).tocsr().data
    sizes = (both, np.bincount(groups[0]), np.bincount(groups[1]), np.array([len(first)]))
    common, one, other, whole = (float((n * (n - 1.0) / 2).sum()) for n in sizes)
    chance = one * other / whole
    return (common - chance) / ((one + other) / 2 - chance)


def test_fields_rows_and_numbers_are_counted_like_a_page_is_read() -> None:
    expected = [
        (f, r, n) for f, count in ((1, 8), (2, 7)) for r in (1, 2, 3) for n in range(1, count + 1)
    ]
    graves = [*field(3, 8, 0, 0), *field(3, 7, 13, 0.2)]
    register = registered(graves)
    assert places(register) == expected
    assert register.grave_id[0] == "st_anna-F01-R01-001"
    assert register.grave_id[-1] == "st_anna-F02-R03-007"
    assert register.order.tolist() == list(range(len(graves)))


def test_upright_rows_and_urns_are_fields_of_their_own() -> None:
    register = registered(four_fields())
    assert [int((register.field == f).sum()) for f in (1, 2, 3, 4)] == [24, 21, 24, 36]
    upright, urns = register.field == 3, register.field == 4
    assert register.row[upright].max() == 4
    assert register.number[upright].max() == 6
    assert register.row[urns].max() == 4
    assert register.number[urns].max() == 9


@pytest.mark.parametrize("size_m", [30.0, 50.0])
def test_rows_of_sample_cemeteries_are_found(size_m: float) -> None:
    found = []
    for seed in range(8):
        known = sample_rows(seed, size_m)
        register = registered(known.polygons)
        assert len(set(register.grave_id)) == len(known.polygons)
        alone = -1 - np.arange(len(known.rows))
        rows = np.where(register.row > 0, 1000 * register.field + register.row, alone)
        found.append(adjusted_rand_index(known.rows, rows))
    assert np.mean(found) > 0.98
    assert min(found) > 0.95


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    turn_deg=st.floats(-4, 4),
    shift_m=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_ids_survive_shift_turn_jitter_and_another_order(
    seed: int, turn_deg: float, shift_m: tuple[float, float]
) -> None:
    rng = np.random.default_rng(seed)
    graves = four_fields()
    corners = shapely.get_coordinates(graves).reshape(-1, 5, 2)[:, :4]
    corners = corners + rng.uniform(-0.04, 0.04, (len(graves), 1, 2))
    moved = shapely.polygons(corners + rng.uniform(-0.02, 0.02, corners.shape))
    moved = [affinity.rotate(grave, turn_deg, origin=(0, 0)) for grave in moved]
    moved = [affinity.translate(grave, FAR[0] + shift_m[0], FAR[1] + shift_m[1]) for grave in moved]
    order = rng.permutation(len(graves))
    again = registered([moved[index] for index in order])
    before = registered(graves).grave_id
    assert again.grave_id == tuple(before[index] for index in order)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), preset=st.sampled_from([None, "central-europe", "all"]))
def test_irregular_cemeteries_give_unique_ids_in_any_order(seed: int, preset: str | None) -> None:
    graves = sample_rows(seed, 30.0, preset).polygons
    register = registered(graves)
    assert len(set(register.grave_id)) == len(graves)
    assert (register.number > 0).all()
    assert ((register.field > 0) | (register.row == 0)).all()
    order = np.random.default_rng(seed).permutation(len(graves))
    again = registered(graves[order])
    assert again.grave_id == tuple(register.grave_id[index] for index in order)


def test_numbers_restart_or_turn_back_at_the_end_of_a_row() -> None:
    graves = field(3, 4, 0, 0)
    assert registered(graves).number.tolist() == [1, 2, 3, 4] * 3
    back = registered(graves, numbering="serpentine").number.tolist()
    assert back == [1, 2, 3, 4, 4, 3, 2, 1, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("start", "first", "last"),
    [
        ("north-west", 0, -1),
        ("south-east", -1, 0),
        ("north-east", 7, -8),
        ("south-west", -8, 7),
    ],
)
def test_the_start_is_a_corner_of_the_cemetery(start: str, first: int, last: int) -> None:
    register = registered(field(3, 8, 0, 0), start=start)
    assert places(register)[first] == (1, 1, 1)
    assert places(register)[last] == (1, 3, 8)


def test_a_double_grave_counts_as_one_or_two() -> None:
    graves = row([SINGLE, SINGLE, DOUBLE, SINGLE, SINGLE, SINGLE], 0, 0)
    assert registered(graves).number.tolist() == [1, 2, 3, 4, 5, 6]
    assert registered(graves, double_graves="two").number.tolist() == [1, 2, 3, 5, 6, 7]
    wide = {"double_graves": "two", "double_width_m": 2.5}
    assert registered(graves, **wide).number.tolist() == [1, 2, 3, 4, 5, 6]


def test_a_row_goes_on_across_empty_plots_but_not_across_a_path() -> None:
    gap = [SINGLE] * 4 + [None] * 2 + [SINGLE] * 4
    beside_each_other = [
        *row([SINGLE] * 10, 0, 0),
        *row(gap, 0, -2.9),
        *row([SINGLE] * 10, 0, -5.8),
    ]
    register = registered(beside_each_other)
    assert register.number[register.row == 2].tolist() == list(range(1, 9))
    divided = registered([grave for r in range(3) for grave in row(gap, 0, -2.9 * r)])
    assert divided.field.tolist() == ([1] * 4 + [2] * 4) * 3


def test_empty_plots_that_line_up_to_a_crack_do_not_divide_a_field() -> None:
    def rows(shifts: Sequence[int]) -> list[shapely.Polygon]:
        return [
            grave
            for r, shift in enumerate(shifts)
            for grave in row(
                [SINGLE] * (4 + shift) + [None] * 2 + [SINGLE] * (6 - shift), 0, -2.9 * r
            )
        ]

    assert set(registered(rows([0, 0, 0, 0])).field.tolist()) == {1, 2}
    cracked = registered(rows([0, 1, 3, 2]))
    assert places(cracked) == [(1, r, n) for r in (1, 2, 3, 4) for n in range(1, 11)]


def test_a_curved_row_is_one_row() -> None:
    angles = np.linspace(60, 120, 24)  # an arc of 60 degrees, 20 m from its middle: 0.9 m apart
    arcs = [
        affinity.rotate(shapely.box(-0.4, radius, 0.4, radius + 2), angle - 90, origin=(0, 0))
        for radius in (23.0, 20.0)
        for angle in angles[::-1]
    ]
    register = registered(arcs)
    assert places(register) == [(1, r, n) for r in (1, 2) for n in range(1, 25)]


def test_rows_of_a_curved_field_are_counted_across_it_although_one_is_short() -> None:
    def arc(radius: float, start: float, stop: float) -> list[shapely.Polygon]:
        step = np.degrees(1.2 / radius)
        return [
            affinity.rotate(shapely.box(-0.45, radius, 0.45, radius + 2), -angle, origin=(0, 0))
            for angle in np.arange(start, stop, step)
        ]

    rows = [arc(30, -35, 35), arc(27, 15, 35), arc(24, -35, 35)]  # the short one lies lower
    register = registered([grave for one in rows for grave in one])
    assert register.row.tolist() == [1 + r for r, one in enumerate(rows) for _ in one]


def test_a_ring_of_graves_is_one_row_whatever_their_order() -> None:
    ring = [
        affinity.rotate(shapely.box(-0.45, 8, 0.45, 10), -angle, origin=(0, 0))
        for angle in range(4, 364, 9)
    ]
    register = registered(ring)
    assert set(register.row.tolist()) == {1}
    assert sorted(register.number.tolist()) == list(range(1, 41))
    again = registered(ring[::-1])
    assert again.grave_id == register.grave_id[::-1]


def test_graves_without_row_or_field_have_ids() -> None:
    lone = shapely.box(60, -2, 61, 0)
    turned = affinity.rotate(shapely.box(12.5, -4, 13.5, -2), 40)
    register = registered([lone, *field(2, 8, 0, 0), turned])
    assert register.grave_id[0] == "st_anna-F00-R00-001"
    assert register.grave_id[-1] == "st_anna-F01-R00-001"
    assert register.order.tolist() == [*range(1, 18), 0]


def test_small_numbers_of_graves_and_twins_are_registered() -> None:
    grave = shapely.box(0, 0, 1, 2)
    assert registered([]).grave_id == ()
    assert registered([grave]).grave_id == ("st_anna-F00-R00-001",)
    twins = registered([*field(1, 6, 0, 0), field(1, 6, 0, 0)[2]])
    assert len(set(twins.grave_id)) == 7


def test_distances_are_metres_on_the_ground() -> None:
    graves = field(3, 8, 0, 0)
    small = [affinity.scale(grave, 0.1, 0.1, origin=(0, 0)) for grave in graves]
    chosen = RegisterSettings()
    register = register_graves(np.array(small, dtype=object), "a", chosen, metres_per_unit=10.0)
    assert places(register) == places(registered(graves))
