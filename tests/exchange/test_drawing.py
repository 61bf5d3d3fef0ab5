import pytest

from grave_cli.exchange.drawing import rectangle, turned


def test_a_box_beyond_all_numbers_is_not_turned() -> None:
    endless = rectangle(1e308, 1.0, 1e308, 5.0)
    assert turned(endless, 0) is endless
    with pytest.warns(RuntimeWarning), pytest.raises(ValueError, match="too large to be turned"):
        turned(endless, 30)
