"""Graves of validation cemeteries in, what their confidence means out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from grave_cli.dataset.plans import PartPlan
from grave_cli.graves.confidence import FEATURES, Calibration
from grave_cli.mapping.engine import Engine
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.model.bundle import Bundle
from grave_cli.progress import SILENT, Progress
from grave_cli.settings.tree import Settings
from grave_cli.training.final_score import judge_part

_FEWEST = 10  # graves from which anything can be learnt
_SPREADS = np.array([0.1, 0.15, 0.2, 0.2, 0.1, 0.25])  # by how much features usually differ
_CAUTION = 1.0  # pull of the weights towards 0: that of one grave or so


def calibrate(
    parts: Sequence[PartPlan],
    bundle: Bundle,
    engine: Engine,
    settings: Settings,
    progress: Progress = SILENT,
) -> Calibration | None:
    """Map validation cemeteries and learn from them what confidence means.

    Args:
        parts: What the model was validated on; it has not been trained on them.
        bundle: The model.
        engine: Runs it.
        settings: Tiles, outlines.
        progress: Is told how far it is.

    Returns:
        None where too few graves were drawn.
    """
    features, is_right = [], []
    for plan in parts:
        cemetery = plan.part.cemetery
        dem = cemetery.dem if bundle.card.recipe.elevation is not None else None
        result = predict_cemetery(
            cemetery.orthophoto, dem, bundle, engine, settings, progress=progress
        )
        assert result.features is not None  # kept by predict_cemetery
        features.append(result.features[plan.owns(result.polygons)])
        is_right.append(judge_part(plan, result.polygons).is_right)
    if not parts:
        return None
    return fit_calibration(np.concatenate(features), np.concatenate(is_right))


def fit_calibration(
    features: NDArray[np.float64], is_right: NDArray[np.bool_]
) -> Calibration | None:
    """Fit a logistic model that better evidence never makes less confident.

    A few dozen graves have to do: weights are pulled towards 0, and answers are never taken for
    quite certain.

    Source: Platt 1999, Probabilistic outputs for support vector machines (the softened answers).

    Args:
        features: As of `confidence_features`.
        is_right: Whether each grave is right.

    Returns:
        None where there are too few graves.

    Shapes:
        features: (graves, features); is_right: (graves,)
    """
    if len(is_right) < _FEWEST:
        return None
    right, wrong = int(is_right.sum()), int((~is_right).sum())
    answers = np.where(is_right, (right + 1) / (right + 2), 1 / (wrong + 2))
    centre = features.mean(axis=0)
    scaled = (features - centre) / _SPREADS

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = values[0] + scaled @ values[1:]
        errors = 1 / (1 + np.exp(-odds)) - answers
        likelihood = np.logaddexp(0, odds) - answers * odds
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
