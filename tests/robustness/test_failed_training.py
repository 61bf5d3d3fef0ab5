"""A training that started and failed is told as such, with exit code 1."""

import pytest

from grave_cli.errors import OutOfMemoryError, TrainingError
from grave_cli.settings.tree import Settings
from grave_cli.training import trainer as trainer_room
from grave_cli.training.peers import Place
from grave_cli.training.trainer import _run_fit


class FullTrainer:
    """A trainer whose memory is exhausted, which cannot be made in a test without harm."""

    def fit(self, *parts: object, **how: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")


class Chips:
    settings = Settings()


def test_exhausted_memory_names_the_setting() -> None:
    with pytest.raises(OutOfMemoryError, match=r"batches of .*chips\.batch_size") as caught:
        _run_fit(FullTrainer(), None, Chips(), None, Place())  # type: ignore[arg-type]
    assert caught.value.exit_code == 1


def test_a_training_without_a_score_fails(
    monkeypatch: pytest.MonkeyPatch, trained: Settings, tmp_path: object
) -> None:
    from grave_cli.settings.load import with_values
    from grave_cli.training.trainer import run_training

    monkeypatch.setattr(trainer_room, "_run_fit", lambda *parts: None)  # no epoch is finished
    settings = with_values(trained, {"work_dir": tmp_path})
    with pytest.raises(TrainingError, match="without a value of val/dice") as caught:
        run_training(settings)
    assert caught.value.exit_code == 1
