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
    """Search the logarithm (for values that span decades)."""

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
    """Search the logarithm (for values that span decades)."""

    step: Annotated[int, Field(ge=1)] = 1
    """Distance between two values."""

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.low > self.high or (self.log and self.low < 1):
            raise ValueError("low must not exceed high, and must be at least 1 with log")
        return self


class Choice(Section):
    """One of a list of values."""

    choices: Annotated[tuple[Any, ...], Field(min_length=1)]
    """Values to choose from."""


DOMAIN_KINDS = ("choice", "whole", "real")


def _kind(domain: Any) -> str:
    """Tell from the bounds what is searched, so that errors speak of that alone."""
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
"""What is searched of one setting: choices, whole numbers or real ones."""


class Study(Section):
    """What a study searches, for how long, and how hopeless trials are cut short."""

    trials: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """Finished trials (complete or pruned) the study is to have in all."""

    tunes: Literal["training", "decoding"] = "training"
    """What a trial is: a training, judged by training.monitor, or thresholds that separate graves
    (prediction.decoding), tried on the probabilities of one model and judged by object F1."""

    sampler: Literal["tpe", "random", "grid"] = "tpe"
    """How values are chosen: where good ones were found, anywhere, or every combination once."""

    pruner: Literal["median", "hyperband", "none"] = "median"
    """How trials that do badly are stopped early."""

    startup_trials: Annotated[int, Field(ge=0, le=10_000)] = 5
    """Trials that are never pruned, for comparison."""

    warmup_epochs: Annotated[int, Field(ge=0, le=10_000)] = 5
    """Epochs in which a trial is not pruned."""

    prune_every: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Epochs between two looks at whether a trial is hopeless."""

    final_score: bool = False
    """Make a model of each trial and score it on the test cemeteries, as `train` does."""

    search_space: dict[str, Domain] = Field(default_factory=dict)
    """Settings to search, by dotted key: {low, high, log} or {choices}."""

    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings that go together, by the name of the variant: each trial takes one of these."""
