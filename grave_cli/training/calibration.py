"""Graves of validation cemeteries in, the meaning of their confidence out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from grave_cli.graves.confidence import FEATURES, Calibration
from grave_cli.mapping.extract_graves import extract_graves
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings
from grave_cli.training.judged_part import judge_part
from grave_cli.training.mapped_parts import MappedPart

_FEWEST = 10  # graves; fewer teach nothing
_SPREADS = np.array([0.1, 0.15, 0.2, 0.2, 0.1, 0.25])  # usual standard deviation of each feature
_CAUTION = 1.0  # pull of the weights towards 0, about as strong as one grave


def calibrate(
    parts: Sequence[MappedPart],
    decoding: DecodingSettings,
    settings: Settings,
    progress: Progress = SILENT,
) -> Calibration | None:
    """Learn from mapped validation parts how often graves of some evidence are right.

    Args:
        parts: Validation parts; the model has not been trained on them.
        decoding: Thresholds of the model.
        settings: Outlines, review.
        progress: Receives progress and notes.

    Returns:
        None if too few graves were drawn.
    """
    if not parts:
        return None
    features, is_right = [], []
    for part in parts:
        result = extract_graves(
            part.probabilities, part.scene, decoding, settings, {}, progress=progress
        )
        assert result.features is not None  # kept by extract_graves
        features.append(result.features[part.plan.owns(result.polygons)])
        is_right.append(judge_part(part.plan, result.polygons).is_right)
    return fit_calibration(np.concatenate(features), np.concatenate(is_right))


def fit_calibration(
    features: NDArray[np.float64], is_right: NDArray[np.bool_]
) -> Calibration | None:
    """Fit a logistic model in which better evidence never lowers the confidence.

    A few dozen graves must suffice: weights are pulled towards 0, and targets are softened so that
    no grave counts as certain.

    Source: Platt 1999, Probabilistic outputs for support vector machines (softened targets).

    Args:
        features: As returned by `confidence_features`.
        is_right: Whether each grave is right.

    Returns:
        None if there are too few graves.

    Shapes:
        features: (graves, features); is_right: (graves,)
    """
    if len(is_right) < _FEWEST:
        return None
    right, wrong = int(is_right.sum()), int((~is_right).sum())
    targets = np.where(is_right, (right + 1) / (right + 2), 1 / (wrong + 2))
    centre = features.mean(axis=0)
    scaled = (features - centre) / _SPREADS

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = values[0] + scaled @ values[1:]
        errors = 1 / (1 + np.exp(-odds)) - targets
        likelihood = np.logaddexp(0, odds) - targets * odds
        slope = np.concatenate([[errors.sum()], errors @ scaled + _CAUTION * values[1:]])
        return float(likelihood.sum() + _CAUTION * (values[1:] ** 2).sum() / 2), slope

    count = len(FEATURES)
    start = np.zeros(count + 1)
    found = minimize(loss, start, jac=True, bounds=[(None, None)] + [(0, None)] * count).x
    weights = found[1:] / _SPREADS
    return Calibration(
        intercept=float(found[0] - weights @ centre),
        weights={name: float(weight) for name, weight in zip(FEATURES, weights, strict=True)},
    )
