"""From defaults, TOML, environment and command line to one settings tree, and where each value came from.

Precedence, weakest first: defaults < TOML < environment < `--set` < command-line options.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource

from grave_cli.errors import SettingsError
from grave_cli.settings.tree import ENV_DELIMITER, ENV_PREFIX, Settings

DEFAULT_CONFIG = Path("gravecli.toml")
Tree = dict[str, Any]

# Dotted keys below these are data of the user's own naming, not fields of the tree.
_FREE_KEYS = ("hpo.studies",)


@dataclass(frozen=True)
class LoadedSettings:
    """A settings tree and the origin of each value that is not a default.

    Args:
        settings: The validated tree.
        origins: Dotted key -> where its value came from.
    """

    settings: Settings
    origins: Mapping[str, str]

    def origin(self, key: str) -> str:
        """Name the origin of a dotted key ("default" when nothing set it)."""
        return self.origins.get(key, "default")


def load_settings(
    config: Path | None = None,
    assignments: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> LoadedSettings:
    """Resolve the settings of one command.

    Args:
        config: TOML file; None takes `gravecli.toml` of the working directory when there is one.
        assignments: `section.key=value` texts of `--set`, values in TOML notation.
        options: Dotted keys set by options of the command; None values are left out.
        environ: Environment; None takes the process's own.

    Raises:
        SettingsError: A file is missing or no TOML, a key is unknown, a value is out of bounds.
    """
    environ = os.environ if environ is None else environ
    chosen = {key: value for key, value in (options or {}).items() if value is not None}
    layers = [
        _toml_layer(config),
        (f"environment ({ENV_PREFIX}…)", _environment_layer(environ)),
        ("--set", _nest(dict(_parse_assignment(text) for text in assignments))),
        ("command line", _nest(chosen)),
    ]
    merged: Tree = {}
    origins: dict[str, str] = {}
    for name, layer in layers:
        merged = merge(merged, layer)
        origins.update({key: name for key, _ in flatten(layer)})
    return LoadedSettings(validate(merged, origins), origins)


def with_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Change values by dotted key and validate the whole tree again.

    Args:
        settings: The tree to start from; it stays as it is.
        values: Dotted key -> new value.

    Raises:
        SettingsError: A key is unknown or a value out of bounds.
    """
    return validate(merge(settings.model_dump(), _nest(values)), {})


def validate(tree: Tree, origins: Mapping[str, str]) -> Settings:
    """Build the tree, or say in one line which value is wrong and where it came from.

    Raises:
        SettingsError: A key is unknown or a value out of bounds.
    """
    try:
        return Settings.model_validate(merge(_preset_layer(), tree))
    except ValidationError as error:
        raise _explain(error, origins) from None


def merge(lower: Tree, upper: Mapping[str, Any]) -> Tree:
    """Lay one tree over another, key by key; anything but a table is replaced as a whole."""
    result = dict(lower)
    for key, value in upper.items():
        below = result.get(key)
        both_tables = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = merge(dict(below), value) if both_tables else value  # type: ignore[arg-type]
    return result


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) of every leaf; an empty table is a leaf."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _preset_layer() -> Tree:
    studies = Settings().hpo.studies
    return {"hpo": {"studies": {name: study.model_dump() for name, study in studies.items()}}}


def _toml_layer(config: Path | None) -> tuple[str, Tree]:
    path = config or DEFAULT_CONFIG
    if not path.is_file():
        if config is None:
            return str(path), {}
        raise SettingsError(
            "config file is missing", where=path, remedy="`gravecli config --init` writes one"
        )
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"not a TOML file: {error}", where=path) from None
    return str(path), _flat_search_spaces(tree)


def _environment_layer(environ: Mapping[str, str]) -> Tree:
    ours = {key.lower(): value for key, value in environ.items() if key.startswith(ENV_PREFIX)}
    for name in ours:
        _check_known(name.removeprefix(ENV_PREFIX.lower()).split(ENV_DELIMITER), name.upper())
    source = EnvSettingsSource(Settings)
    source.env_vars = ours
    try:
        return source()
    except ValueError as error:
        raise SettingsError(f"environment: {error}") from None


def _check_known(parts: Sequence[str], name: str) -> None:
    """Refuse environment names that pydantic-settings would silently ignore."""
    model: type[BaseModel] | None = Settings
    for part in parts:
        if model is None:
            return
        if part not in model.model_fields:
            raise SettingsError(f"unknown setting in the environment: {name}", remedy=_SEE_CONFIG)
        annotation = model.model_fields[part].annotation
        is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        model = annotation if is_section else None  # type: ignore[assignment]


def _parse_assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SettingsError("--set cannot be read", found=repr(text), expected="section.key=value")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def _nest(values: Mapping[str, Any]) -> Tree:
    tree: Tree = {}
    for key, value in values.items():
        *sections, leaf = key.split(".")
        for section in reversed(sections):
            leaf, value = section, {leaf: value}
        tree = merge(tree, {leaf: value})
    return _flat_search_spaces(tree)


def _flat_search_spaces(tree: Tree) -> Tree:
    """Turn nested search spaces into dotted keys: TOML reads `training.learning_rate` as two."""
    studies = tree.get("hpo", {}).get("studies", {}) if isinstance(tree.get("hpo"), dict) else {}
    if not isinstance(studies, dict):
        return tree
    flat = {
        name: {**study, "search_space": _flat_space(study["search_space"])}
        for name, study in studies.items()
        if isinstance(study, dict) and isinstance(study.get("search_space"), dict)
    }
    return merge_studies(tree, flat) if flat else tree


def merge_studies(tree: Tree, studies: Tree) -> Tree:
    """Replace the named studies of a tree."""
    hpo = tree["hpo"]
    return {**tree, "hpo": {**hpo, "studies": {**hpo["studies"], **studies}}}


def _flat_space(space: Mapping[str, Any], prefix: str = "") -> Tree:
    flat: Tree = {}
    for key, value in space.items():
        is_domain = not isinstance(value, Mapping) or not value or _is_domain(value)
        flat |= {f"{prefix}{key}": value} if is_domain else _flat_space(value, f"{prefix}{key}.")
    return flat


def _is_domain(value: Mapping[str, Any]) -> bool:
    return bool({"low", "high", "log", "step", "choices"} & set(value))


_SEE_CONFIG = "`gravecli config` lists all settings"


def _explain(error: ValidationError, origins: Mapping[str, str]) -> SettingsError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    origin = next((name for k, name in origins.items() if key.startswith(k)), None)
    source = f" (from {origin})" if origin else ""
    if first["type"] == "extra_forbidden":
        return SettingsError(f"unknown setting {key}{source}", remedy=_SEE_CONFIG)
    return SettingsError(
        f"setting {key or 'tree'}{source}: {first['msg']}", found=repr(first.get("input"))
    )
