"""Defaults, TOML, environment and command line in; one settings tree with origins out.

Precedence, weakest first: defaults < TOML < environment < `--set` < command-line options.
OMP_NUM_THREADS stands in for a `prediction.threads` of 0.
"""

import codecs
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_settings import EnvSettingsSource

from grave_cli.errors import SettingsError
from grave_cli.regular_files import check_regular
from grave_cli.settings.control_characters import WRITE_PATHS, refuse_control_characters
from grave_cli.settings.nearest import nearest_setting, nearest_variable
from grave_cli.settings.nested import Tree, flat_studies, flatten, merge, nest
from grave_cli.settings.studies import DOMAIN_KINDS
from grave_cli.settings.tree import ENV_DELIMITER, ENV_PREFIX, Settings

DEFAULT_CONFIG = Path("gravecli.toml")
THREADS, THREADS_NAME = "prediction.threads", "OMP_NUM_THREADS"
CALLER = "arguments"
"""Origin of values that a caller of the Python API sets."""
_SHOWN_LETTERS = 200
_SET = "--set"
_OPTION = "command line"


@dataclass(frozen=True)
class LoadedSettings:
    """A settings tree, and the origin of each value that some layer has set.

    Args:
        settings: The validated tree.
        origins: Dotted key -> origin of its value.
    """

    settings: Settings
    origins: Mapping[str, str]

    def origin(self, key: str) -> str:
        """Name the origin of a dotted key ("default" when nothing set it)."""
        return self.origins.get(key, "default")

    def given(self) -> Tree:
        """Return the values set on the command line, by `--set` or an option, or by a caller."""
        values = flatten(self.settings.model_dump())
        return {key: value for key, value in values if self.origin(key) in (_SET, _OPTION, CALLER)}


def load_settings(
    config: Path | None = None,
    assignments: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    values: Mapping[str, Any] | None = None,
) -> LoadedSettings:
    """Resolve the settings of one command.

    Args:
        config: TOML file; None for `gravecli.toml` in the working directory, if there is one.
        assignments: `section.key=value` texts of `--set`, values in TOML notation.
        options: Dotted keys set by options of the command; None values are left out.
        environ: Environment; None for that of the process.
        values: Dotted keys that a caller sets, above the environment.

    Raises:
        SettingsError: The file is missing or not TOML, a key is unknown, a value out of bounds.
    """
    environ = os.environ if environ is None else environ
    chosen = {key: value for key, value in (options or {}).items() if value is not None}
    layers = [
        _toml_layer(config),
        (f"environment ({ENV_PREFIX}…)", _environment_layer(environ)),
        (CALLER, nest(values or {})),
        (_SET, nest(dict(_parse_assignment(text) for text in assignments))),
        (_OPTION, nest(chosen)),
    ]
    merged: Tree = {}
    origins: dict[str, str] = {}
    for name, layer in layers:
        refuse_control_characters(flatten(layer), name)
        merged = merge(merged, _at_home(layer))
        origins.update({key: name for key, _ in flatten(layer)})
    settings = validate(merged, origins)
    if not settings.prediction.threads and (threads := _system_threads(environ)):
        origins[THREADS] = THREADS_NAME
        settings = validate(merge(merged, nest({THREADS: threads})), origins)
    return LoadedSettings(settings, origins)


def with_values(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Change values by dotted key and validate the whole tree again.

    Args:
        settings: The original tree, which stays unchanged.
        values: Dotted key -> new value.

    Raises:
        SettingsError: A key is unknown or a value out of bounds.
    """
    return validate(merge(settings.model_dump(), nest(values)), {})


def validate(tree: Tree, origins: Mapping[str, str]) -> Settings:
    """Build the tree, or report in one line the first wrong value and its origin.

    Raises:
        SettingsError: A key is unknown or a value out of bounds.
    """
    _check_sections(tree, origins)
    try:
        return Settings.model_validate(merge(_preset_layer(), tree))
    except ValidationError as error:
        raise _explain(error, origins) from None


def _check_sections(tree: Tree, origins: Mapping[str, str]) -> None:
    """Refuse a section in other letters, `[Training]`: pydantic-settings takes it for `training`.

    It would win over every layer above the file, without a trace in the origins.
    """
    for section in tree:
        if section not in Settings.model_fields:
            names = {name for key, name in origins.items() if _on_one_branch(section, key)}
            source = f" (from {', '.join(sorted(names))})" if names else ""
            key = next((key for key in origins if _on_one_branch(section, key)), section)
            known = section.lower() if section.lower() in Settings.model_fields else None
            raise SettingsError(
                f"unknown setting {section}{source}",
                expected=known or nearest_setting(key) or nearest_setting(section),
                remedy=_SEE_CONFIG,
            )


def _at_home(value: Any) -> Any:
    """Expand `~/` at the start of paths: no shell does it in a file, in quotes or after `=`."""
    if isinstance(value, Mapping):
        return {key: _at_home(below) for key, below in value.items()}
    if isinstance(value, str | Path) and str(value).startswith(("~/", "~\\")):
        return type(value)(os.path.expanduser(value))
    return value


def _preset_layer() -> Tree:
    studies = Settings().hpo.studies
    # Without defaults: real numbers could not override a range that has a step of 1.
    trees = {name: study.model_dump(exclude_defaults=True) for name, study in studies.items()}
    return {"hpo": {"studies": trees}}


def _toml_layer(config: Path | None) -> tuple[str, Tree]:
    path = config or DEFAULT_CONFIG
    if not os.path.lexists(path):
        if config is None:
            return str(path), {}
        raise SettingsError(
            "config file is missing", where=path, remedy="`gravecli config --init` writes one"
        )
    check_regular(path, SettingsError, "a config file")
    try:
        tree = tomllib.loads(_decode(path.read_bytes()))
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", where=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        remedy = None
        if isinstance(error, UnicodeDecodeError):
            remedy = "save it as UTF-8"
        elif "\\" in str(error):
            remedy = WRITE_PATHS
        raise SettingsError(f"not a TOML file: {error}", where=path, remedy=remedy) from None
    return str(path), flat_studies(tree)


def _decode(data: bytes) -> str:
    """Decode a text file; some editors of Windows write UTF-16 or start with a byte order mark."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if utf16 else "utf-8-sig")
    return text.replace("\r\n", "\n")


def _system_threads(environ: Mapping[str, str]) -> int:
    """Read OMP_NUM_THREADS; 0 if it is not set, or a list of numbers, for nested parallelism."""
    threads = environ.get(THREADS_NAME, "")
    return int(threads) if threads.isdecimal() else 0


def _environment_layer(environ: Mapping[str, str]) -> Tree:
    source = EnvSettingsSource(Settings)
    tree: Tree = {}
    for name in sorted(name for name in environ if name.startswith(ENV_PREFIX)):
        _check_known(name.removeprefix(ENV_PREFIX).lower().split(ENV_DELIMITER), name)
        source.env_vars = {name.lower(): environ[name]}
        try:
            tree = merge(tree, flat_studies(source()))
        except (ValueError, RecursionError):
            raise SettingsError(
                f"environment: {name} cannot be read",
                found=repr(environ[name][:_SHOWN_LETTERS]),
                expected='JSON, e.g. ["a", "b"] for a list',
            ) from None
    return tree


def _check_known(parts: Sequence[str], name: str) -> None:
    """Refuse names of variables that pydantic-settings would silently ignore."""
    annotation: Any = Settings
    for part in parts:
        if get_origin(annotation) is dict:  # keys of a dict are free
            return
        is_section = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        if not is_section or part not in annotation.model_fields:
            raise SettingsError(
                f"unknown setting in the environment: {name}",
                expected=nearest_variable(parts),
                remedy=_SEE_CONFIG,
            )
        annotation = annotation.model_fields[part].annotation


def _parse_assignment(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SettingsError("--set cannot be read", found=repr(text), expected="section.key=value")
    try:
        table = tomllib.loads(f"value = {value}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return key.strip(), value.strip()
    return key.strip(), table["value"] if len(table) == 1 else value.strip()


_SEE_CONFIG = "`gravecli config` lists all settings"


def _explain(error: ValidationError, origins: Mapping[str, str]) -> SettingsError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"] if part not in DOMAIN_KINDS)
    names = dict.fromkeys(name for k, name in origins.items() if _on_one_branch(key, k))
    source = f" (from {', '.join(names)})" if names else ""
    if first["type"] == "extra_forbidden":
        return SettingsError(
            f"unknown setting {key}{source}", expected=nearest_setting(key), remedy=_SEE_CONFIG
        )
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "model_type":  # pydantic's message names a class of ours
        message = "Input should be a table"
    given, remedy = first.get("input"), None
    if first["type"] in ("tuple_type", "list_type"):
        items = ", ".join(f'"{item.strip()}"' for item in str(given).strip("[]").split(","))
        message = f"Input should be a list, such as [{items}]"
    if first["type"] == "string_type":
        remedy = f"put text in quotes, in a shell two pairs: '{key}=\"{given}\"'"
    return SettingsError(
        f"setting {key or 'tree'}{source}: {message}", found=repr(given), remedy=remedy
    )


def _on_one_branch(key: str, other: str) -> bool:
    """Report whether one dotted key is the other, or lies below it."""
    return f"{key}.".startswith(f"{other}.") or f"{other}.".startswith(f"{key}.")
