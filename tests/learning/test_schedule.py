import pytest
from hypothesis import given
from hypothesis import strategies as st

from grave_cli.learning.schedule import Schedule


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_rises_then_falls_to_almost_nothing() -> None:
    schedule = Schedule(total_steps=1000, max_time_s=0, warmup_share=0.1)
    factors = [schedule.factor(step) for step in range(1001)]
    assert factors[0] < 0.02
    assert max(factors) == factors[100] == pytest.approx(1)
    assert factors[:101] == sorted(factors[:101])
    assert factors[100:] == sorted(factors[100:], reverse=True)
    assert factors[1000] == pytest.approx(1e-3)
    assert factors[550] == pytest.approx(0.5, abs=0.01)


def test_a_training_limited_by_the_clock_also_anneals() -> None:
    clock = Clock()
    schedule = Schedule(total_steps=10_000, max_time_s=60, warmup_share=0.1, clock=clock)
    schedule.start()
    assert not schedule.time_is_up()
    clock.now += 33
    assert schedule.factor(50) == pytest.approx(0.5, abs=0.01)
    clock.now += 27
    assert schedule.time_is_up()
    assert schedule.factor(60) == pytest.approx(1e-3)


def test_without_a_limit_time_is_never_up() -> None:
    clock = Clock()
    schedule = Schedule(total_steps=10, max_time_s=0, warmup_share=0, clock=clock)
    schedule.start()
    clock.now += 1e9
    assert not schedule.time_is_up()
    assert schedule.factor(0) == pytest.approx(1)


@given(
    total=st.integers(0, 5000),
    step=st.integers(0, 10_000),
    warmup=st.floats(0, 0.99),
    limit=st.floats(0, 1e4),
    passed=st.floats(0, 1e5),
)
def test_the_factor_is_always_usable(
    total: int, step: int, warmup: float, limit: float, passed: float
) -> None:
    clock = Clock()
    schedule = Schedule(total, limit, warmup, clock)
    schedule.start()
    clock.now += passed
    assert 0 < schedule.factor(step) <= 1


def test_time_spent_before_an_interruption_counts() -> None:
    clock = Clock()
    schedule = Schedule(total_steps=10_000, max_time_s=60, warmup_share=0.1, clock=clock)
    schedule.spent_before_s = 33
    schedule.start()
    assert schedule.factor(50) == pytest.approx(0.5, abs=0.01)
    clock.now += 20
    assert schedule.elapsed_s() == 53
    assert not schedule.time_is_up()
    clock.now += 7
    assert schedule.time_is_up()


def test_the_time_left_is_that_of_the_steps_left() -> None:
    clock = Clock()
    schedule = Schedule(total_steps=100, max_time_s=0, warmup_share=0.1, clock=clock)
    assert schedule.left_s(0) is None
    schedule.start(20)  # a resumed training: its first 20 steps took no time of this process
    assert schedule.left_s(20) is None
    clock.now += 30
    assert schedule.left_s(30) == pytest.approx(3 * 70)
    assert schedule.left_s(100) == 0


def test_a_time_limit_shortens_the_time_left() -> None:
    clock = Clock()
    schedule = Schedule(total_steps=100, max_time_s=60, warmup_share=0.1, clock=clock)
    schedule.start()
    clock.now += 20
    assert schedule.left_s(10) == pytest.approx(40)
    assert schedule.left_s(90) == pytest.approx(20 / 9)
    clock.now += 100
    assert schedule.left_s(91) == 0
