"""Pictures of the same validation places in MLflow, every few epochs of a training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from PIL import Image

from grave_cli.drawing.panels import SampleView, combined, part_picture
from grave_cli.graves.instances import decode
from grave_cli.graves.targets import BODY
from grave_cli.learning.task import GraveTask
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.tracking.keys import image_slug
from grave_cli.tracking.runs import TrackedRun
from grave_cli.training.shown_places import Sample, predict_samples

_STATIC = ("rgb", "dem", "gt_overlay")


class SamplePanels(Callback):
    """Logs pictures of validation samples before training, in the first epoch and every few epochs.

    The trainer draws the last epoch and the kept one after the fit. Keys are `predictions/combined`
    and `predictions/<sample>/<aspect>`; the step is the epoch, counted from 1. Step 0 shows the
    network before training: MLflow's slider stands at 0 first, and showed no picture without it.
    This callback must stand before the one that averages the weights: the network holds the average
    while it draws.

    Args:
        run: Run that receives the pictures.
        samples: Validation samples.
        recipe: Preparation of the network input.
    """

    def __init__(self, run: TrackedRun, samples: Sequence[Sample], recipe: InputRecipe) -> None:
        self._run = run
        self._samples = samples
        self._recipe = recipe
        self._every = run.settings.tracking.images_every
        self._last_epoch: int | None = None
        self._drawn: set[int] = set()
        self._static: dict[tuple[str, str], Image.Image] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the samples before training; a resumed training is past that."""
        assert isinstance(pl_module, GraveTask)
        if trainer.global_step == 0:
            self.draw(pl_module, 0)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the samples if pictures are due."""
        assert isinstance(pl_module, GraveTask)
        epoch = trainer.current_epoch + 1
        if self._is_due(epoch):
            self.draw(pl_module, epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs drawn so far."""
        return {"last_epoch": self._last_epoch, "drawn": sorted(self._drawn)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the rhythm of a resumed training."""
        self._last_epoch, self._drawn = state_dict["last_epoch"], set(state_dict["drawn"])

    def draw(self, task: GraveTask, epoch: int) -> None:
        """Log the pictures of an epoch, unless they are logged already.

        Args:
            task: Network with the weights of that epoch.
            epoch: Number of the epoch, from 1; 0 for the network before training.
        """
        self._last_epoch = epoch
        if epoch in self._drawn or not self._samples:
            return
        self._drawn.add(epoch)
        results = predict_samples(task, self._samples, self._recipe)
        views = [self._view(s, p) for s, p in zip(self._samples, results, strict=True)]
        title = f"epoch {epoch}" if epoch else "before training"
        sheet = combined(views, f"{self._run.name}, {title}: validation samples")
        self._run.log_image(sheet, "predictions/combined", epoch)
        for sample, view in zip(self._samples, views, strict=True):
            folder = f"predictions/{image_slug(sample.name)}"
            for key in view.aspects:
                picture = self._part(sample, view, key, title)
                self._run.log_image(picture, f"{folder}/{key}", epoch)

    def _is_due(self, epoch: int) -> bool:
        """Return whether a multiple of the interval has been reached since the last pictures."""
        if not self._last_epoch:
            return True
        return epoch // self._every > self._last_epoch // self._every

    def _part(self, sample: Sample, view: SampleView, key: str, title: str) -> Image.Image:
        """Draw one aspect; aspects that do not change are drawn once."""
        if key not in _STATIC:
            return part_picture(view, key, title)
        place = (sample.name, key)
        if place not in self._static:
            self._static[place] = part_picture(view, key, "")
        return self._static[place]

    def _view(self, sample: Sample, probabilities: NDArray[np.float32]) -> SampleView:
        chip, gsd_m = sample.chip, self._recipe.gsd_m
        return SampleView(
            name=f"{sample.cemetery}, place {sample.number}",
            gsd_m=gsd_m,
            rgb=chip.rgb,
            valid=chip.valid,
            scored=chip.scored,
            truth=chip.instances,
            predicted=decode(probabilities, gsd_m, self._run.settings.prediction.decoding),
            probability=probabilities[BODY],
            heights=sample.heights,
        )
