"""The arithmetic of many cemeteries, against sums worked out by hand."""

import argparse
from dataclasses import replace

import numpy as np
import pytest
from tools.many_cemeteries import Rates, Survey, add_up, sensitivity
from tools.mapping_costs import Cost, fit_costs

SURVEY = Survey(median_ha=1.0, spread=0.0, margin=2.0, gsd_m=0.02, graves_per_ha=1000.0)
RATES = Rates(
    cemetery_s=2.0,
    source_mpx_s=0.1,
    working_mpx_s=1.0,
    grave_s=0.001,
    source_px_bytes=1.5,
    read_share=0.5,
    map_bytes=1000.0,
    grave_bytes=10.0,
    scratch_px_bytes=3.0,
    working_gsd_m=0.04,
)


def test_a_hectare_and_four_are_added_up() -> None:
    bill = add_up(np.array([1.0, 4.0]), SURVEY, RATES)
    # 2 and 8 ha are flown: 50 and 200 Mpx of 2 cm, 12.5 and 50 Mpx of 4 cm
    assert bill.source_mpx == pytest.approx([50, 200])
    assert bill.working_mpx == pytest.approx([12.5, 50])
    # model + reading + graves + each
    assert bill.core_s == pytest.approx([12.5 + 5 + 1 + 2, 50 + 20 + 4 + 2])
    assert list(bill.parts_h) == [
        "working pixels, mostly the model",
        "pixels of the orthophotos",
        "graves",
        "each cemetery",
    ]
    assert list(bill.parts_h.values()) == pytest.approx([x / 3600 for x in (62.5, 25, 5, 4)])
    assert bill.core_h == pytest.approx(96.5 / 3600)
    assert bill.input_bytes == pytest.approx(375e6)
    assert bill.read_bytes == pytest.approx(187.5e6)
    assert bill.map_bytes == 2 * 1000 + 5000 * 10
    # Only the larger one has more than 25 working Mpx; its scratch is written and read.
    assert bill.scratch_bytes == pytest.approx([0, 150e6])
    assert bill.network_bytes == pytest.approx(187.5e6 + 52e3 + 300e6)


def test_scratch_at_once_is_that_of_the_largest_at_a_time() -> None:
    bill = add_up(np.array([4.0, 1.0, 8.0, 4.0]), SURVEY, RATES)
    assert bill.scratch_at_once(1) == pytest.approx(300e6)
    assert bill.scratch_at_once(2) == pytest.approx(450e6)
    assert bill.scratch_at_once(9) == pytest.approx(600e6)


def test_a_gpu_is_bounded_by_its_training_steps() -> None:
    bill = add_up(np.array([8.0]), SURVEY, RATES)
    # 100 Mpx at 1042 chips of 256 px a second, without and with overlap
    assert bill.h200_hours_at_most(1.0) * 3600 == pytest.approx(100 / (1042 * 0.065536))
    assert bill.h200_hours_at_most() == pytest.approx(1.5 * bill.h200_hours_at_most(1.0))


def test_assumptions_are_changed_one_at_a_time() -> None:
    # A cemetery of 1 ha costs 20.5 core-seconds: see above.
    found = {name: (hours, read) for name, hours, read in sensitivity(3, SURVEY, RATES)}
    assert found["pixels of the orthophoto half as wide"] == pytest.approx((35.5 / 20.5, 4))
    assert found["working pixels half as wide"] == pytest.approx((58 / 20.5, 1))
    assert found["cemeteries twice as large"] == pytest.approx((39 / 20.5, 2))
    assert found["twice as many graves"] == pytest.approx((21.5 / 20.5, 1))
    assert found["orthophotos cut to the cemetery"] == pytest.approx((11.75 / 20.5, 0.5))


def test_areas_have_the_median_and_the_spread_that_were_asked_for() -> None:
    hectares = replace(SURVEY, median_ha=0.5, spread=0.8).draw_hectares(20_000, seed=1)
    assert np.median(hectares) == pytest.approx(0.5, rel=0.03)
    assert np.log(hectares).std() == pytest.approx(0.8, rel=0.03)
    assert Survey().median_ha * np.exp(Survey().spread ** 2 / 2) == pytest.approx(
        35_000 / 32_000, rel=0.02
    )


def test_numbers_are_options() -> None:
    parser = argparse.ArgumentParser()
    Survey.add_options(parser)
    assert Survey.chosen(parser.parse_args([])) == Survey()
    assert Survey.chosen(parser.parse_args(["--gsd-m", "0.01"])) == replace(Survey(), gsd_m=0.01)
    assert "--median-ha" in parser.format_help()


def test_costs_are_told_apart() -> None:
    def cost(source_mpx: float, working_mpx: float, graves: int) -> Cost:
        core_s = 2 + 0.1 * source_mpx + 1.5 * working_mpx + 0.001 * graves
        return Cost(1.0, 0.02, source_mpx, working_mpx, graves, 0.0, core_s, 1, 1, 1, 1)

    costs = [cost(25, 6, 900), cost(100, 6, 900), cost(6, 6, 800), cost(6, 1.5, 200)]
    fit = fit_costs(costs, grave_s=0.001)
    assert (fit.cemetery_s, fit.source_mpx_s, fit.working_mpx_s) == pytest.approx((2, 0.1, 1.5))
    assert fit.error == pytest.approx(0, abs=1e-9)
