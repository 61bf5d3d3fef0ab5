"""The checkpoints of a small real training, and early stopping after a resume."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader

from grave_cli.errors import ModelError
from grave_cli.learning.checkpoints import KeepCheckpoints, StopEarly, read_checkpoint


class Scripted(LightningModule):
    """Learns one number and logs the given scores, epoch by epoch."""

    def __init__(self, scores: list[float]) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)
        self.scores = scores

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        return self.layer(batch).mean()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.log("val/dice", self.scores[self.current_epoch])

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["scores"] = {"val/dice": self.scores[self.current_epoch]}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(
    folder: Path, scores: list[float], validate_every: int = 1, tolerance: float = 0.0
) -> None:
    keeper = KeepCheckpoints(folder / "last.ckpt", folder / "best.ckpt", "val/dice", tolerance)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=len(scores),
        check_val_every_n_epoch=validate_every,
        num_sanity_val_steps=0,
        callbacks=[keeper],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    batches = DataLoader(torch.ones(2, 1))
    trainer.fit(Scripted(scores), batches, batches)


def test_the_last_epoch_and_the_latest_of_the_best_are_kept(tmp_path: Path) -> None:
    train(tmp_path, [0.7, 0.7, 0.1, 0.3])
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt", "best.ckpt"}
    best, last = (read_checkpoint(tmp_path / f"{name}.ckpt") for name in ("best", "last"))
    assert (best["epoch"], last["epoch"]) == (1, 3)
    assert best["scores"] == {"val/dice": pytest.approx(0.7)}
    assert "optimizer_states" in last
    assert "optimizer_states" not in best


@pytest.mark.parametrize(
    ("scores", "kept"),
    [([0.5, 0.9, 0.895, 0.88], 2), ([0.9, 0.895, 0.885], 1), ([0.9, 0.92, 0.905], 1)],
)
def test_the_latest_of_tied_epochs_is_kept(scores: list[float], kept: int, tmp_path: Path) -> None:
    train(tmp_path, scores, tolerance=0.01)
    best = read_checkpoint(tmp_path / "best.ckpt")
    assert best["epoch"] == kept
    assert best["scores"] == {"val/dice": pytest.approx(scores[kept])}


def test_an_epoch_without_validation_is_kept_as_the_last_one_only(tmp_path: Path) -> None:
    train(tmp_path, [0.9, 0.2, 0.9], validate_every=2)
    best, last = (read_checkpoint(tmp_path / f"{name}.ckpt") for name in ("best", "last"))
    assert (best["epoch"], last["epoch"]) == (1, 2)


def test_a_score_that_is_no_number_is_not_the_best(tmp_path: Path) -> None:
    train(tmp_path, [float("nan")])
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt"}


@pytest.mark.parametrize(("patience", "stops"), [(2, True), (3, True), (4, False)])
def test_a_training_that_was_stopped_early_goes_on_only_with_more_patience(
    patience: int, stops: bool
) -> None:
    before = StopEarly("val/dice", mode="max", patience=3)
    before.wait_count = 3
    after = StopEarly("val/dice", mode="max", patience=patience)
    after.load_state_dict(before.state_dict())
    trainer = SimpleNamespace(should_stop=False)
    after.on_train_start(trainer, None)
    assert trainer.should_stop is stops


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_checkpoint_is_named_in_one_line(share: float, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"epoch": 3, "state_dict": {"weight": torch.zeros(1000)}}, path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError) as caught:
        read_checkpoint(path)
    assert str(caught.value).startswith(f"{path}: checkpoint cannot be read")
    assert "\n" not in str(caught.value)
