"""One GPU for each worker of a study."""

import os

import pytest
from gpu_worker import tell_gpus

from grave_cli.tuning import processes
from grave_cli.tuning.gpus import GPU_NAME, gpus_here


@pytest.mark.parametrize(
    ("listed", "gpus"),
    [("3,5", ("3", "5")), ("GPU-8a1f", ("GPU-8a1f",)), ("", ()), ("-1", ()), ("1,-1,2", ("1",))],
)
def test_the_gpus_of_a_scheduler_are_kept(listed: str, gpus: tuple[str, ...]) -> None:
    assert gpus_here({GPU_NAME: listed}) == gpus


def test_each_worker_process_sees_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_main", tell_gpus)
    monkeypatch.setenv(GPU_NAME, "3,5")
    with processes._processes(None, 3, gpus_here()) as workers:  # type: ignore[arg-type]
        assert [line.recv() for _, line in workers] == ["3", "5", "3"]
    assert os.environ[GPU_NAME] == "3,5"
