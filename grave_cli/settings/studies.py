"""Settings of hyperparameter studies: search spaces and the presets that ship with gravecli."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from grave_cli.settings.section import Section


class FloatRange(Section):
    """A real number between two bounds."""

    low: float
    """Smallest value."""

    high: float
    """Largest value."""

    log: bool = False
    """Search on a logarithmic scale, for values that span orders of magnitude."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.low > self.high or (self.log and self.low <= 0):
            raise ValueError("low must not exceed high, and must be above 0 with log")
        return self


class IntRange(Section):
    """A whole number between two bounds, both included."""

    low: Annotated[int, Field(strict=True)]
    """Smallest value."""

    high: Annotated[int, Field(strict=True)]
    """Largest value."""

    log: bool = False
    """Search on a logarithmic scale, for values that span orders of magnitude."""

    step: Annotated[int, Field(ge=1)] = 1
    """Distance between two neighbouring values. With 1, a setting that is a real number takes any
    value between the bounds."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.low > self.high or (self.log and self.low < 1):
            raise ValueError("low must not exceed high, and must be at least 1 with log")
        if self.log and self.step > 1:
            raise ValueError("step must be 1 with log")
        return self


class Choice(Section):
    """One of a list of values."""

    choices: Annotated[tuple[Any, ...], Field(min_length=1)]
    """Values to choose from."""


DOMAIN_KINDS = ("choice", "whole", "real")


def _kind(domain: Any) -> str:
    """Name the kind of a domain, so that errors are about that kind alone."""
    if isinstance(domain, Section):
        domain = domain.model_dump()
    if not isinstance(domain, dict) or "choices" in domain:
        return "choice"
    bounds = [domain[name] for name in ("low", "high") if name in domain]
    return "whole" if all(isinstance(bound, int) for bound in bounds) else "real"


Domain = Annotated[
    Annotated[Choice, Tag("choice")]
    | Annotated[IntRange, Tag("whole")]
    | Annotated[FloatRange, Tag("real")],
    Discriminator(_kind),
]
"""Domain of one searched setting: choices, whole numbers or real numbers."""


class Study(Section):
    """A preset: search space, number of trials and pruning of a study."""

    trials: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """Number of finished trials (complete or pruned) that the study should have in all."""

    tunes: Literal["training", "decoding"] = "training"
    """Kind of trial. "training" trains a model and maximises training.monitor. "decoding" tries
    thresholds of prediction.decoding on the probabilities of one model and maximises object F1."""

    sampler: Literal["tpe", "random", "grid"] = "tpe"
    """How values are chosen. "tpe": near good values; "random": anywhere; "grid": every combination
    once."""

    pruner: Literal["median", "hyperband", "none"] = "median"
    """Optuna pruner that stops hopeless trials early. "none": every trial runs to its end."""

    startup_trials: Annotated[int, Field(ge=0, le=10_000)] = 5
    """Median pruner: number of complete trials, not pruned ones, before any trial can be pruned."""

    warmup_epochs: Annotated[int, Field(ge=0, le=10_000)] = 5
    """Median pruner: number of epochs before a trial can be pruned."""

    prune_every: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Median pruner: interval between two decisions, in epochs."""

    final_score: bool = False
    """Turn each trial into a model and score it on the test cemeteries, as `train` does."""

    search_space: dict[str, Domain] = Field(default_factory=dict)
    """Settings to search, by dotted key: {low, high, log, step} or {choices}."""

    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Groups of settings that change together, by name. Each trial takes one of them."""
