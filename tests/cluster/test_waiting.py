"""The rules by which a cluster gets its cemeteries."""

from grave_cli.cluster.waiting import Waiting


def test_the_largest_come_first_and_equals_in_their_order() -> None:
    waiting = Waiting(["bb", "a", "cccc", "dd"], len)
    assert list(waiting.take(0, 10)) == ["cccc", "bb", "dd", "a"]
    assert not waiting


def test_twice_as_many_are_in_flight_as_can_be_mapped_at_a_time() -> None:
    waiting = Waiting(range(20), float)
    assert list(waiting.take(0, 3)) == [19, 18, 17, 16, 15, 14]
    assert list(waiting.take(6, 3)) == []
    assert list(waiting.take(5, 3)) == [13]
    assert list(waiting.take(6, 4)) == [12, 11]  # a node has come
    assert len(waiting) == 11


def test_without_a_node_one_waits_for_the_next_that_comes() -> None:
    waiting = Waiting(range(3), float)
    assert list(waiting.take(0, 0)) == [2]
    assert list(waiting.take(1, 0)) == []
