"""The worker processes of a study: none is left behind."""

import operator
from typing import Any

import pytest
from support import interrupted_starts

from grave_cli.tuning import processes


def test_ctrl_c_while_workers_start_ends_those_that_have_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = interrupted_starts(monkeypatch)
    monkeypatch.setattr(processes, "_main", operator.call)
    await_the_end: Any = operator.methodcaller("poll", None)
    with pytest.raises(KeyboardInterrupt), processes._processes(await_the_end, 2):
        pytest.fail("it went on")
    assert [process.is_alive() for process in started] == [False]
