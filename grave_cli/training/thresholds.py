"""Thresholds that separate graves best, searched on cached probabilities without training."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from grave_cli.evaluation.score import add_scores
from grave_cli.graves.instances import (
    Labels,
    Probabilities,
    body_components,
    grow_graves,
    keep_graves,
)
from grave_cli.graves.targets import BODY
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.training.mapped_parts import TruthMap, score_labelled

_AREA = "min_area_m2"
_CANDIDATES: dict[str, tuple[float, ...]] = {
    "min_peak_body": (0.0, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.96, 0.98, 0.99),
    "seed_threshold": (0.55, 0.65, 0.75, 0.8, 0.85, 0.9),
    "body_threshold": (0.4, 0.45, 0.5, 0.55, 0.6),
    "min_seed_area_m2": (0.005, 0.01, 0.02, 0.04, 0.08),
    _AREA: (0.05, 0.1, 0.15, 0.2, 0.3),
}
_ROUNDS = 2  # the best value of one threshold depends on the others
_LEAST_GAIN = 0.003  # of panoptic quality; a smaller gain, or one of less than a grave, is chance


def tune_thresholds(
    maps: Sequence[TruthMap],
    start: DecodingSettings,
    progress: Progress = SILENT,
    *,
    smallest_m2: float = math.inf,
) -> DecodingSettings:
    """Search the thresholds of the highest panoptic quality, one threshold at a time.

    Panoptic quality is object F1 times the mean IoU of the matched graves: F1 alone is flat over
    wide ranges of a threshold. The score of a value is averaged with that of its neighbours, and a
    threshold changes only for a clear gain: a few dozen validation graves are easily overfitted.

    Small graves are rare, and validation cemeteries may have none. So the smallest area is not
    raised above half of the smallest labelled grave, which an outline of half its size still finds.

    Source: Kirillov et al. 2019, Panoptic Segmentation.

    Args:
        maps: Probabilities and ground truth of validation parts.
        start: Thresholds to start from; kept unless another value is clearly better.
        progress: Advances by one per threshold.
        smallest_m2: Area of the smallest grave that is labelled for training or validation.
    """
    areas = (area for area in _CANDIDATES[_AREA] if area <= smallest_m2 / 2)
    allowed = {**_CANDIDATES, _AREA: tuple(areas)}
    best, quality = start, _Quality(maps)
    with progress.task("Tuning thresholds", _ROUNDS * len(allowed), "thresholds") as advance:
        for _ in range(_ROUNDS):
            for key, candidates in allowed.items():
                best = _tune(quality, best, key, candidates)
                advance(1)
    return best


def changed_thresholds(start: DecodingSettings, tuned: DecodingSettings) -> str:
    """Describe the changes, as in "seed_threshold 0.55 -> 0.7"; empty if there are none."""
    before, after = start.model_dump(), tuned.model_dump()
    return ", ".join(f"{k} {before[k]:g} -> {after[k]:g}" for k in before if before[k] != after[k])


class _Quality:
    """Panoptic quality of thresholds on some maps; each step is computed once.

    Candidates that differ only in the smallest area or peak share the slow half of decoding. The
    second round repeats most candidates of the first.

    Args:
        maps: Probabilities and ground truth.
    """

    def __init__(self, maps: Sequence[TruthMap]) -> None:
        self._maps = [(one, one.probabilities()) for one in maps]
        self._known: dict[DecodingSettings, float] = {}
        graves = sum(np.count_nonzero(np.unique(one.truth)) for one in maps)
        self.least_gain = max(_LEAST_GAIN, 1 / max(1, graves))
        self._grown: tuple[DecodingSettings | None, list[Labels]] = (None, [])

    def of(self, decoding: DecodingSettings) -> float:
        """Return the quality of some thresholds."""
        if decoding not in self._known:
            kept = [
                score_labelled(one, keep_graves(grown, values, one.gsd_m, decoding))
                for (one, values), grown in zip(self._maps, self._grow(decoding), strict=True)
            ]
            score = add_scores(kept)
            self._known[decoding] = score.f1 * score.mean_iou
        return self._known[decoding]

    def _grow(self, decoding: DecodingSettings) -> list[Labels]:
        key = decoding.model_copy(update={"min_area_m2": 0.0, "min_peak_body": 0.0})
        if self._grown[0] != key:
            self._grown = key, [self._grow_map(one, values, key) for one, values in self._maps]
        return self._grown[1]

    def _grow_map(self, one: TruthMap, values: Probabilities, decoding: DecodingSettings) -> Labels:
        components = body_components(values[BODY] >= decoding.body_threshold)
        return grow_graves(values, components, one.gsd_m, decoding)


def _tune(
    quality: _Quality, start: DecodingSettings, key: str, candidates: tuple[float, ...]
) -> DecodingSettings:
    values = sorted({*candidates, getattr(start, key)})
    found = np.array([quality.of(_with(start, key, value)) for value in values])
    smooth = np.convolve(np.pad(found, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    now, best = values.index(getattr(start, key)), int(np.argmax(smooth))
    gain = min(smooth[best] - smooth[now], found[best] - found[now])
    return _with(start, key, values[best]) if gain > quality.least_gain else start


def _with(decoding: DecodingSettings, key: str, value: Any) -> DecodingSettings:
    return DecodingSettings.model_validate({**decoding.model_dump(), key: value})
