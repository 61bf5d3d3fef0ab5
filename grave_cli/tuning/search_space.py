"""A preset's search space: checked against the settings; a point of it drawn by Optuna."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from grave_cli.errors import SettingsError, TuningError
from grave_cli.settings.load import flatten, with_values
from grave_cli.settings.studies import Choice, Domain, IntRange, Study
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    from optuna import Trial

_PREPARED = ("data", "grid", "elevation")  # sections that decide what a study reads, once


def find_study(settings: Settings, name: str, preset: str | None) -> Study:
    """Return the preset of a study: the one named, else the one of its own name, else "default".

    Raises:
        TuningError: There is no such preset.
    """
    presets = settings.hpo.studies
    if preset is None:
        preset = name if name in presets else "default"
    if preset not in presets:
        raise TuningError("no such preset", found=preset, expected=", ".join(sorted(presets)))
    return presets[preset]


def check_search_space(space: Mapping[str, Domain], settings: Settings) -> None:
    """Refuse keys that are no settings, and bounds that the settings refuse.

    Args:
        space: Dotted key -> domain.
        settings: The tree that trials start from.

    Raises:
        TuningError: The space is empty, or a key or bound cannot be used.
    """
    if not space:
        raise TuningError("search space is empty", remedy="add hpo.studies.<preset>.search_space")
    for key, domain in space.items():
        if key.partition(".")[0] in _PREPARED:
            raise TuningError(
                f"search space: {key} cannot be searched",
                expected="no setting of data, grid or elevation",
                remedy="trials share the pixels prepared with them; make a study for each value",
            )
        for value in _extremes(domain):
            try:
                with_values(settings, {key: value})
            except SettingsError as error:
                raise TuningError(f"search space: {error}") from None


def suggest_settings(trial: "Trial", space: Mapping[str, Domain], settings: Settings) -> Settings:
    """Draw a point of the search space and validate the settings it gives."""
    now = dict(flatten(settings.model_dump()))
    return with_values(settings, {key: _suggest(trial, key, space[key], now[key]) for key in space})


def _extremes(domain: Domain) -> tuple[Any, ...]:
    return domain.choices if isinstance(domain, Choice) else (domain.low, domain.high)


def _suggest(trial: "Trial", key: str, domain: Domain, now: Any) -> Any:
    """Draw a value; bounds written as whole numbers span a real setting all the same."""
    if isinstance(domain, Choice):
        return trial.suggest_categorical(key, domain.choices)
    if isinstance(domain, IntRange) and not isinstance(now, float):
        return trial.suggest_int(key, domain.low, domain.high, log=domain.log, step=domain.step)
    return trial.suggest_float(key, domain.low, domain.high, log=domain.log)
