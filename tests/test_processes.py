import os

import pytest

from grave_cli.processes import usable_cores


def test_cores_are_those_that_a_scheduler_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 7, 9}, raising=False)
    assert usable_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")  # Windows and macOS have none
    assert usable_cores() == os.cpu_count()
