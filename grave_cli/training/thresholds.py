"""Thresholds that separate graves best, searched on cached probabilities without training."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from grave_cli.progress import SILENT, Progress
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.training.mapped_parts import TruthMap, score_decoding

_CANDIDATES: dict[str, tuple[float, ...]] = {
    "min_peak_body": (0.0, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.96, 0.98, 0.99),
    "seed_threshold": (0.55, 0.65, 0.75, 0.8, 0.85, 0.9),
    "body_threshold": (0.4, 0.45, 0.5, 0.55, 0.6),
    "min_seed_area_m2": (0.005, 0.01, 0.02, 0.04, 0.08),
    "min_area_m2": (0.05, 0.1, 0.15, 0.2, 0.3),
}
_ROUNDS = 2  # the best value of one threshold depends on the others
_LEAST_GAIN = 0.003  # of panoptic quality; a smaller gain is chance


def tune_thresholds(
    maps: Sequence[TruthMap], start: DecodingSettings, progress: Progress = SILENT
) -> DecodingSettings:
    """Search the thresholds of the highest panoptic quality, one threshold at a time.

    Panoptic quality is object F1 times the mean IoU of the matched graves: F1 alone is flat over
    wide ranges of a threshold. The score of a value is averaged with that of its neighbours, and a
    threshold changes only for a clear gain: a few dozen validation graves are easily overfitted.

    Source: Kirillov et al. 2019, Panoptic Segmentation.

    Args:
        maps: Probabilities and ground truth of validation parts.
        start: Thresholds to start from; kept unless another value is clearly better.
        progress: Advances by one per threshold.
    """
    best = start
    with progress.task("Tuning thresholds", _ROUNDS * len(_CANDIDATES), "thresholds") as advance:
        for _ in range(_ROUNDS):
            for key, candidates in _CANDIDATES.items():
                best = _tune(maps, best, key, candidates)
                advance(1)
    return best


def changed_thresholds(start: DecodingSettings, tuned: DecodingSettings) -> str:
    """Describe the changes, as in "seed_threshold 0.55 -> 0.7"; empty if there are none."""
    before, after = start.model_dump(), tuned.model_dump()
    return ", ".join(f"{k} {before[k]:g} -> {after[k]:g}" for k in before if before[k] != after[k])


def _tune(
    maps: Sequence[TruthMap], start: DecodingSettings, key: str, candidates: tuple[float, ...]
) -> DecodingSettings:
    values = sorted({*candidates, getattr(start, key)})
    quality = np.array([_quality(maps, _with(start, key, value)) for value in values])
    smooth = np.convolve(np.pad(quality, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    now, best = values.index(getattr(start, key)), int(np.argmax(smooth))
    gain = min(smooth[best] - smooth[now], quality[best] - quality[now])
    return _with(start, key, values[best]) if gain > _LEAST_GAIN else start


def _with(decoding: DecodingSettings, key: str, value: Any) -> DecodingSettings:
    return DecodingSettings.model_validate({**decoding.model_dump(), key: value})


def _quality(maps: Sequence[TruthMap], decoding: DecodingSettings) -> float:
    score = score_decoding(maps, decoding)
    return score.f1 * score.mean_iou
