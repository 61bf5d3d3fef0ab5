"""Evidence for and against each instance, which does not depend on the window."""

import numpy as np
import pytest
from grave_rows import GSD_M, blurred, row_of_graves
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli.graves.evidence import Evidence, measure_evidence
from grave_cli.graves.targets import BODY, CONTACT, encode


def seen(labels: np.ndarray) -> np.ndarray:
    return blurred(encode(labels, GSD_M, 0.10, 0.20))


def measure(labels: np.ndarray, probabilities: np.ndarray) -> Evidence:
    return measure_evidence(labels, probabilities, np.ones(labels.shape, np.bool_))


def test_graves_that_were_seen_clearly_have_clear_evidence() -> None:
    _, labels = row_of_graves(4, 2.0, 0.9, 0.0, 20)
    evidence = measure(labels, seen(labels))
    assert len(evidence) == 4
    assert (evidence.body > 0.9).all()
    assert (evidence.unsure < 0.1).all()
    assert (evidence.line_inside < 0.05).all()
    assert (evidence.second_seed == 0).all()
    assert (evidence.contact_seam > 0.5).all()
    assert not evidence.edge.any()
    assert (evidence.nodata == 0).all()


def test_two_graves_in_one_show_a_line_and_two_seeds() -> None:
    _, labels = row_of_graves(3, 2.0, 0.9, 0.0, 20)
    merged = np.where(labels == 2, 1, labels)
    evidence = measure(merged, seen(labels))
    assert evidence.line_inside[0] > 0.5
    assert evidence.second_seed[0] == pytest.approx(0.5, abs=0.1)
    assert evidence.line_inside[1] < 0.05
    assert evidence.second_seed[1] == 0


def test_an_isolated_grave_touches_no_other() -> None:
    _, labels = row_of_graves(1, 2.0, 0.9, 0.0, 20)
    assert measure(labels, seen(labels)).contact_seam.tolist() == [0]


def test_doubt_is_counted_by_pixels() -> None:
    labels = np.zeros((12, 12), np.int32)
    labels[2:10, 2:10] = 7
    probabilities = np.zeros((3, 12, 12), np.float32)
    probabilities[BODY, 2:10, 2:10] = 0.9
    probabilities[BODY, 2:4, 2:10] = 0.6
    evidence = measure(labels, probabilities)
    assert evidence.unsure == pytest.approx([0.25])
    assert evidence.body == pytest.approx([0.825])


def test_a_contact_line_across_a_grave_is_measured_deep_inside() -> None:
    labels = np.zeros((50, 50), np.int32)
    labels[5:45, 5:45] = 1
    probabilities = np.zeros((3, 50, 50), np.float32)
    probabilities[CONTACT, :, 23:27] = 1
    # 4 px wide and, 4 px away from either side, 32 px long; a full line has 4 * 40.
    assert measure(labels, probabilities).line_inside == pytest.approx([0.8])


def test_the_second_largest_sure_spot_is_compared_with_all() -> None:
    labels = np.ones((30, 30), np.int32)
    probabilities = np.zeros((3, 30, 30), np.float32)
    for top, left, height, width in ((1, 1, 6, 10), (10, 1, 5, 6), (20, 1, 2, 7), (27, 1, 1, 5)):
        probabilities[BODY, top : top + height, left : left + width] = 0.8
    # Spots of 60, 30, 14 and 5 px, of which the last is noise.
    assert measure(labels, probabilities).second_seed == pytest.approx([30 / 104])


def test_missing_imagery_and_the_edge_are_measured_along_the_rim() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[5:15, 5:15] = 1
    labels[0:3, 17:20] = 2
    valid = np.ones(labels.shape, np.bool_)
    valid[:, :5] = False
    evidence = measure_evidence(labels, np.zeros((3, 20, 20), np.float32), valid)
    assert evidence.nodata == pytest.approx([10 / 36, 0])
    assert evidence.edge.tolist() == [False, True]


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_window_around_an_instance_gives_the_same_evidence_as_the_whole(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = np.zeros((30, 60), np.int32)
    labels[8:20, 8:22], labels[8:20, 36:52] = 1, 2
    probabilities = random.random((3, 30, 60), np.float32)
    valid = random.random((30, 60)) < 0.98
    windows = [slice(None, 30), slice(30, None)]
    parts = [measure_evidence(labels[:, w], probabilities[:, :, w], valid[:, w]) for w in windows]
    whole, joined = measure_evidence(labels, probabilities, valid), Evidence.join(parts)
    assert vars(whole).keys() == vars(joined).keys()
    for name, values in vars(whole).items():
        assert getattr(joined, name) == pytest.approx(values), name
    swapped = whole.take(np.array([1, 0]))
    assert swapped.body.tolist() == whole.body[::-1].tolist()


def test_nothing_has_no_evidence() -> None:
    evidence = measure(np.zeros((8, 8), np.int32), np.zeros((3, 8, 8), np.float32))
    assert len(evidence) == 0
