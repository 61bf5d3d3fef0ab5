"""The study presets that ship with gravecli."""

from itertools import combinations
from typing import Annotated, Any, get_args

from pydantic import Field

from grave_cli.settings.inputs import ElevationFeature
from grave_cli.settings.learning import DEFAULT_ENCODER
from grave_cli.settings.section import OnResume, Section
from grave_cli.settings.studies import Choice, FloatRange, IntRange, Study

DEFAULT_PRESET = "default"


def _elevation_variants() -> dict[str, dict[str, Any]]:
    """List rgb, and rgb+dem with each elevation feature and each pair of features."""
    features: tuple[str, ...] = get_args(ElevationFeature)
    pairs = [*((one,) for one in features), *combinations(features, 2)]
    with_heights = {
        "-".join(names): {"data.channels": "rgb+dem", "elevation.features": list(names)}
        for names in pairs
    }
    return {"rgb": {"data.channels": "rgb"}, **with_heights}


_ELEVATION = _elevation_variants()

PRESETS: dict[str, Study] = {
    DEFAULT_PRESET: Study(
        trials=50,
        search_space={
            "training.learning_rate": FloatRange(low=1e-4, high=1e-2, log=True),
            "training.weight_decay": FloatRange(low=1e-6, high=1e-3, log=True),
            "training.bce_weight": FloatRange(low=0.2, high=0.8),
            "training.epochs": IntRange(low=20, high=60),
            "model.encoder": Choice(choices=(DEFAULT_ENCODER, "resnet18", "resnet34")),
        },
    ),
    "pilot": Study(
        trials=20,
        search_space={
            "training.learning_rate": FloatRange(low=3e-4, high=1e-2, log=True),
            "training.weight_decay": FloatRange(low=1e-5, high=1e-4, log=True),
            "training.epochs": IntRange(low=30, high=80),
        },
    ),
    "loss": Study(
        trials=30,
        search_space={
            "training.bce_weight": FloatRange(low=0.2, high=0.8),
            "training.border_weight": FloatRange(low=0.1, high=2.0, log=True),
            "training.contact_weight": FloatRange(low=0.3, high=5.0, log=True),
            "training.focal_gamma": FloatRange(low=0.0, high=3.0),
        },
    ),
    "elevation": Study(
        trials=len(_ELEVATION),
        sampler="grid",
        pruner="none",
        final_score=True,
        variants=_ELEVATION,
    ),
    "decode": Study(
        trials=100,
        tunes="decoding",
        pruner="none",
        search_space={
            "prediction.decoding.body_threshold": FloatRange(low=0.3, high=0.7),
            "prediction.decoding.seed_threshold": FloatRange(low=0.55, high=0.95),
            "prediction.decoding.seed_floor": FloatRange(low=0.35, high=0.75),
            "prediction.decoding.min_seed_area_m2": FloatRange(low=0.005, high=0.1, log=True),
            "prediction.decoding.min_peak_body": FloatRange(low=0.5, high=0.99),
            "prediction.decoding.min_area_m2": FloatRange(low=0.05, high=0.4),
        },
    ),
}


class HpoSettings(Section):
    """Optuna: hyperparameter studies."""

    on_resume = OnResume.MAY_CHANGE

    storage: str = ""
    """Optuna storage URL; several machines can share it. Empty: a SQLite file in work_dir."""

    wait_s: Annotated[float, Field(gt=0, le=3600)] = 15
    """Longest wait for the first answer of the storage, in seconds."""

    heartbeat_s: Annotated[int, Field(ge=1, le=3600)] = 10
    """Heartbeat interval of a running trial, in seconds. A trial without a sign of life for six
    intervals counts as dead and is repeated."""

    studies: dict[str, Study] = PRESETS
    """Presets by name. "default", "pilot", "loss", "elevation" and "decode" ship with gravecli;
    each of their keys can be overridden."""
