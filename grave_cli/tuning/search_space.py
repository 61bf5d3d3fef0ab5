"""Search space of a study: check it against the settings, convert it for Optuna and back."""

import json
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

from grave_cli.errors import SettingsError, TuningError
from grave_cli.settings.load import with_values
from grave_cli.settings.nested import flatten
from grave_cli.settings.presets import DEFAULT_PRESET
from grave_cli.settings.studies import Choice, Domain, IntRange, Study
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

VARIANT = "variant"
"""Name of the parameter that chooses a trial's variant."""

FEATURES_KEY = "elevation.features"
CHANNELS_KEY = "data.channels"
GENERATED_KEY = "chips.generated_share"

# A study reads its pixels once: no trial may change these sections, except for two settings, whose
# alternatives are all read.
_READ_ONCE = ("data", "grid", "elevation")
_SELECTABLE = (CHANNELS_KEY, FEATURES_KEY)
_DECODING = "prediction.decoding."


def preset_name(settings: Settings, study: str, preset: str | None = None) -> str:
    """Choose the preset of a study: the given one, else the one with its name, else "default".

    Raises:
        TuningError: The preset does not exist.
    """
    presets = settings.hpo.studies
    name = preset or (study if study in presets else DEFAULT_PRESET)
    if name not in presets:
        raise TuningError("no such preset", found=name, expected=", ".join(sorted(presets)))
    return name


def check_search_space(plan: Study, settings: Settings) -> None:
    """Refuse an empty search space, unknown keys, and values that the settings do not allow.

    Args:
        plan: Search space of the study.
        settings: Settings that trials start from.

    Raises:
        TuningError: The search space is empty, or a key or value cannot be used.
    """
    if not plan.search_space and not plan.variants:
        raise TuningError("search space is empty", remedy="add hpo.studies.<preset>.search_space")
    for key, domain in plan.search_space.items():
        _check_key(key, plan)
        for value in _probes(domain):
            _check_values({key: value}, settings)
    for name, values in plan.variants.items():
        for key in values:
            _check_key(key, plan)
        try:
            _check_values(values, settings)
        except TuningError as error:
            raise TuningError(f"variant {name}: {error}") from None
    if plan.sampler == "grid":
        _grid_axes(plan)


def distributions(plan: Study, settings: Settings) -> dict[str, "BaseDistribution"]:
    """Convert a search space to Optuna's distributions, by parameter name.

    Whole bounds of a real setting span real numbers, unless they have a step. Optuna stores plain
    values only: a list among the choices is represented by its JSON.
    """
    from optuna.distributions import CategoricalDistribution

    now = dict(flatten(settings.model_dump()))
    space = {
        key: _distribution(domain, isinstance(now[key], float))
        for key, domain in plan.search_space.items()
    }
    variants = {VARIANT: CategoricalDistribution(tuple(plan.variants))} if plan.variants else {}
    return {**variants, **space}


def combinations(plan: Study) -> list[dict[str, Any]]:
    """List every combination of a search space of choices and whole numbers.

    Raises:
        TuningError: A parameter has a range of real numbers.
    """
    axes = _grid_axes(plan)
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def searched_keys(plan: Study) -> list[str]:
    """List the settings that the trials of a study may vary, by dotted key."""
    return sorted(
        {*plan.search_space, *(key for values in plan.variants.values() for key in values)}
    )


def settings_of(params: Mapping[str, Any], plan: Study, settings: Settings) -> Settings:
    """Return the validated settings of a trial.

    Args:
        params: Parameter values, by the names that `distributions` gives. A study that goes on with
            --force may have trials of another search space.
        plan: Search space of the study.
        settings: Settings that trials start from.

    Raises:
        TuningError: The plan has no such variant.
    """
    variant = params.get(VARIANT)
    if variant is not None and variant not in plan.variants:
        raise TuningError(
            "the preset no longer has the variant of a trial",
            found=variant,
            remedy="add it again, or choose another study name",
        )
    values = {} if variant is None else dict(plan.variants[variant])
    values |= {key: _value(label) for key, label in params.items() if key != VARIANT}
    return with_values(settings, values)


def _check_key(key: str, plan: Study) -> None:
    if plan.tunes == "decoding" and not key.startswith(_DECODING):
        raise TuningError(
            f"search space: {key} cannot be searched",
            expected=f"{_DECODING}…, because this study trains nothing",
        )
    if key.partition(".")[0] in _READ_ONCE and key not in _SELECTABLE:
        raise TuningError(
            f"search space: {key} cannot be searched",
            expected=f"of data, grid and elevation only {' and '.join(_SELECTABLE)}",
            remedy="all trials share the pixels read with it; run one study per value",
        )


def _check_values(values: Mapping[str, Any], settings: Settings) -> None:
    try:
        with_values(settings, values)
    except SettingsError as error:
        raise TuningError(f"search space: {error}") from None


def _probes(domain: Domain) -> tuple[Any, ...]:
    """Return all choices, or the bounds and a value between them, such as 65 of 64 to 512."""
    if isinstance(domain, Choice):
        return domain.choices
    if isinstance(domain, IntRange):
        return domain.low, min(domain.low + domain.step, domain.high), domain.high
    return domain.low, domain.low + 0.38 * (domain.high - domain.low), domain.high


def _distribution(domain: Domain, is_real: bool) -> "BaseDistribution":
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(domain, Choice):
        return CategoricalDistribution(tuple(_labels(domain)))
    if isinstance(domain, IntRange) and not is_real:
        return IntDistribution(domain.low, domain.high, domain.log, domain.step)
    # Whole numbers with a step keep it; the usual step of 1 means any real number.
    step = domain.step if isinstance(domain, IntRange) and domain.step > 1 else None
    return FloatDistribution(domain.low, domain.high, domain.log, step)


def _labels(domain: Choice) -> dict[Any, Any]:
    """Map a label that Optuna can store to each choice."""
    plain = (str, int, float, type(None))
    return {
        value if isinstance(value, plain) else json.dumps(value): value for value in domain.choices
    }


def _value(label: Any) -> Any:
    """Return the choice of a label: lists and tables are stored as JSON."""
    is_json = isinstance(label, str) and label.startswith(("[", "{"))
    return json.loads(label) if is_json else label


def _grid_axes(plan: Study) -> dict[str, tuple[Any, ...]]:
    axes: dict[str, tuple[Any, ...]] = {VARIANT: tuple(plan.variants)} if plan.variants else {}
    for key, domain in plan.search_space.items():
        if isinstance(domain, Choice):
            axes[key] = tuple(_labels(domain))
        elif isinstance(domain, IntRange):
            axes[key] = tuple(range(domain.low, domain.high + 1, domain.step))
        else:
            raise TuningError(
                f"search space: {key} has no countable values",
                expected="choices or whole numbers for the grid sampler",
            )
    return axes
