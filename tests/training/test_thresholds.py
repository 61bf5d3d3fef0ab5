"""Thresholds that suit a model are found, and kept where nothing is to be gained."""

import itertools

import numpy as np
import pytest
from grave_rows import GSD_M, blurred, row_of_graves

from grave_cli.graves.targets import BORDER, CONTACT, encode
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.training.mapped_parts import TruthMap, score_decoding
from grave_cli.training.thresholds import _Quality, changed_thresholds, tune_thresholds


def map_of(labels: np.ndarray, courage: float = 1.0) -> TruthMap:
    """Say what a network would answer that sees bodies well, and edges with some courage."""
    channels = blurred(encode(labels, GSD_M, 0.10, 0.20), 1.0)
    channels[[BORDER, CONTACT]] *= courage
    levels = np.rint(channels * 255).astype(np.uint8)
    everywhere = np.ones(labels.shape, bool)
    return TruthMap(levels, labels, everywhere, GSD_M)


def rows(gap_m: float) -> list[np.ndarray]:
    return [row_of_graves(6, 2.0, 0.9, gap_m, angle)[1] for angle in (0.0, 30.0)]


def test_shy_edges_are_met_with_surer_seeds() -> None:
    maps = [map_of(labels, courage=0.35) for labels in rows(0.0)]
    start = DecodingSettings(seed_threshold=0.55)
    tuned = tune_thresholds(maps, start)
    assert score_decoding(maps, start).f1 < 0.5
    assert score_decoding(maps, tuned).f1 == 1
    assert tuned.seed_threshold > start.seed_threshold


def test_quality_equals_plain_decoding_in_any_order_of_candidates() -> None:
    """What candidates share is computed once, and never taken for another candidate's."""
    maps = [map_of(labels, courage=0.6) for labels in rows(0.0)]
    values = itertools.product((0.0, 0.95, 0.999), (0.1, 1.6), (0.55, 0.85), (0.45, 0.9))
    names = ("min_peak_body", "min_area_m2", "seed_threshold", "body_threshold")
    candidates = [DecodingSettings(**dict(zip(names, some, strict=True))) for some in values]
    scores = {decoding: score_decoding(maps, decoding) for decoding in candidates}
    expected = {decoding: score.f1 * score.mean_iou for decoding, score in scores.items()}
    assert len(set(expected.values())) >= 3  # the thresholds matter here
    for order in (candidates, candidates[::-1], sorted(candidates, key=repr)):
        quality = _Quality(maps)
        assert {decoding: quality.of(decoding) for decoding in order} == expected


def test_thresholds_that_serve_are_kept() -> None:
    maps = [map_of(labels) for labels in rows(0.08)]
    start = DecodingSettings(min_area_m2=0.123)
    assert tune_thresholds(maps, start) == start


def test_spots_that_the_network_is_unsure_of_are_left_out() -> None:
    (labels, _) = rows(0.3)
    one = map_of(labels)
    one.levels[0, :8] = 140  # a pale band that is no grave
    start = DecodingSettings(min_peak_body=0)
    tuned = tune_thresholds([one] * 4, start)
    assert score_decoding([one], start).f1 < 1
    assert score_decoding([one], tuned).f1 == 1


@pytest.mark.parametrize(("smallest_m2", "most_m2"), [(1.8, 0.3), (0.36, 0.15), (0.1, 0.1)])
def test_the_smallest_area_stays_below_the_smallest_labelled_grave(
    smallest_m2: float, most_m2: float
) -> None:
    """Specks of 0.12 and 0.24 m2 lie beside graves of 1.8 m2; small graves would look alike."""
    (labels, _) = rows(0.3)
    one = map_of(labels)
    for column, width in zip(range(0, 128, 16), (6, 12) * 4, strict=True):
        one.levels[0, :8, column : column + width] = 255
    tuned = tune_thresholds([one] * 4, DecodingSettings(), smallest_m2=smallest_m2)
    assert tuned.min_area_m2 == most_m2


def test_a_gain_of_less_than_a_grave_is_chance() -> None:
    (labels, _) = rows(0.3)
    one = map_of(labels)
    one.levels[0, :8] = 140  # one wrong grave beside six
    start = DecodingSettings(min_peak_body=0)
    assert tune_thresholds([one], start) == start


def test_changes_are_told() -> None:
    start = DecodingSettings()
    tuned = start.model_copy(update={"seed_threshold": 0.7})
    assert changed_thresholds(start, tuned) == "seed_threshold 0.85 -> 0.7"
    assert changed_thresholds(start, start) == ""
