"""Estimate of a training without running it: parts, steps, time and memory."""

import math
import time
from contextlib import nullcontext
from dataclasses import dataclass

import psutil
import torch

from grave_cli.dataset.cemetery_arrays import valid_share
from grave_cli.dataset.plans import PartPlan
from grave_cli.dataset.training_data import TrainingPlan, arrays_bytes, plan_training
from grave_cli.learning.chips import chips_for_area
from grave_cli.learning.losses import GraveLoss
from grave_cli.model.device import Device, await_device, memory_layout
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.tree import Settings
from grave_cli.tracking.unfinished import Unfinished
from grave_cli.training.device import memory_named, training_device, training_precision
from grave_cli.training.readiness import check_ready, note_doubts, trained_epochs
from grave_cli.training.start import build_start, settle_start

_TIMED_STEPS = 3
_OVERHEAD = 1.35  # chip preparation and validation, measured on sample cemeteries on 2 cores


@dataclass(frozen=True)
class PartEstimate:
    """A part and its role.

    Args:
        name: Cemetery, with the split if it is a strip.
        split: train, val or test.
        graves: Labelled graves.
        mpx: Valid working pixels, in millions.
    """

    name: str
    split: str
    graves: int
    mpx: float


@dataclass(frozen=True)
class Estimate:
    """Estimate of a training.

    Args:
        dataset_id: Id of the data set.
        parts: Training, validation and test parts.
        chips_per_epoch: Chips per epoch.
        steps_per_epoch: Optimiser steps per epoch.
        epochs: Maximum number of epochs.
        seconds: Maximum duration (of a run to resume: of the epochs that are left), extrapolated
            from a few timed steps on this machine.
        memory_gb: Memory of the arrays and of those steps.
        device: Device of the training.
    """

    dataset_id: str
    parts: tuple[PartEstimate, ...]
    chips_per_epoch: int
    steps_per_epoch: int
    epochs: int
    seconds: float
    memory_gb: float
    device: str


def estimate_training(
    settings: Settings, progress: Progress = SILENT, unfinished: Unfinished | None = None
) -> Estimate:
    """Estimate a training with these settings; nothing is written.

    Args:
        settings: All settings.
        progress: Receives a note about every repair and omission in the data.
        unfinished: The run to resume; None for a new one.

    Raises:
        GraveError: Data, settings, model weights or stores cannot be used.
    """
    training_device(settings)
    plan = plan_training(settings, progress)
    check_ready(settings, plan, unfinished)
    settled, start = settle_start(settings, resumed=unfinished is not None)
    note_doubts(settled, start, plan, progress)
    return estimate_plan(plan, settings, unfinished)


def estimate_plan(
    plan: TrainingPlan, settings: Settings, unfinished: Unfinished | None = None
) -> Estimate:
    """Estimate a training whose parts are planned.

    Args:
        plan: The parts.
        settings: All settings.
        unfinished: The run to resume; None for a new one.

    Raises:
        GraveError: The settings cannot be used.
        OutOfMemoryError: A single step takes more memory than there is.
    """
    device = training_device(settings)
    areas = {id(part): _valid_pixels(part) for part in plan.parts}
    train_area = sum(areas[id(part)] for part in plan.split("train"))
    chips = settings.chips.per_epoch or chips_for_area(train_area, settings.chips)
    steps = max(1, chips // settings.chips.batch_size)
    epochs = settings.training.epochs - (trained_epochs(unfinished) if unfinished else 0)
    step_s = _step_seconds(settings, device, resumed=unfinished is not None)
    seconds = step_s * steps * epochs * _OVERHEAD
    if settings.training.max_time_s:
        seconds = min(seconds, settings.training.max_time_s)
    return Estimate(
        dataset_id=plan.dataset_id,
        parts=tuple(_describe(part, areas[id(part)]) for part in plan.parts),
        chips_per_epoch=chips,
        steps_per_epoch=steps,
        epochs=settings.training.epochs,
        seconds=seconds,
        memory_gb=(_arrays(plan, settings) + psutil.Process().memory_info().rss) / 1e9,
        device=device,
    )


def _describe(plan: PartPlan, pixels: float) -> PartEstimate:
    return PartEstimate(plan.part.name, plan.part.split, len(plan.graves), pixels / 1e6)


def _valid_pixels(plan: PartPlan) -> float:
    return valid_share(plan) * plan.grid.width * plan.grid.height


def _arrays(plan: TrainingPlan, settings: Settings) -> int:
    return arrays_bytes(plan.split("train") + plan.split("val"), settings)


def _step_seconds(settings: Settings, device: Device, *, resumed: bool) -> float:
    """Time a few steps on random chips in the training's precision, after a warm-up step."""
    recipe, network = build_start(*settle_start(settings, resumed=resumed), resumed=resumed)
    layout = memory_layout(device)
    network = network.to(memory_format=layout).to(device)
    training, chips = settings.training, settings.chips
    loss = GraveLoss.from_settings(training).to(device)
    size = (chips.batch_size, recipe.channel_count, chips.size_px, chips.size_px)
    batch = torch.randn(size, device=device).contiguous(memory_format=layout)
    targets = torch.zeros((size[0], 3, *size[2:]), device=device)
    scored = torch.ones((size[0], 1, *size[2:]), device=device)
    number = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(
        training_precision(settings)
    )
    seconds = math.inf
    with memory_named(chips.batch_size):
        for _ in range(1 + _TIMED_STEPS):
            start = time.perf_counter()
            with torch.autocast(device, number) if number else nullcontext():
                step_loss = loss(network(batch), targets, scored)
            step_loss.backward()
            await_device(device)
            seconds = min(seconds, time.perf_counter() - start)
    return seconds
