"""Settings as a dictionary, a file or a tree in; resolved settings and a clean work folder out."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from grave_cli.errors import SettingsError
from grave_cli.owners.leftovers import sweep_work_dir
from grave_cli.remote import permit
from grave_cli.settings.load import CALLER, LoadedSettings, load_settings, with_values
from grave_cli.settings.nested import flatten
from grave_cli.settings.tree import Settings

PathLike: TypeAlias = str | os.PathLike[str]
SettingsLike: TypeAlias = Settings | Mapping[str, Any] | PathLike | None
"""A tree; changes by dotted key or by section; a TOML file; None: as the commands find them."""


def resolve(given: SettingsLike, chosen: Mapping[str, Any] | None = None) -> LoadedSettings:
    """Resolve the settings of a call, and sweep its work folder.

    Like the commands, a dictionary and None take `gravecli.toml` in the working directory and the
    environment as their base, and a file takes the environment on top. A tree is used as it is.

    Args:
        given: The settings.
        chosen: Dotted keys that arguments of the call set; None values are left out.

    Raises:
        SettingsError: A setting is unknown or out of bounds, a file is missing, or `work_dir` is no
            folder.
    """
    return prepare(_load(given, chosen or {}))


def prepare(loaded: LoadedSettings) -> LoadedSettings:
    """Check the work folder, sweep what dead processes left in it, and permit remote data.

    The permission of this process for remote data becomes that of the settings.

    Args:
        loaded: The settings.

    Raises:
        SettingsError: `work_dir` is a file, or lies in one.
    """
    work_dir = loaded.settings.work_dir
    for path in (work_dir, *work_dir.parents):
        if os.path.lexists(path) and not path.is_dir():
            raise SettingsError(
                f"work_dir ({loaded.origin('work_dir')}) is not a folder",
                where=work_dir,
                found=f"the file {path}",
                expected="a folder, or a name for a new one",
            )
    permit(loaded.settings.data.allow_remote)
    sweep_work_dir(work_dir)
    return loaded


def optional_path(path: PathLike | None) -> Path | None:
    """Convert a path; None stays None."""
    return None if path is None else Path(path)


def _load(given: SettingsLike, chosen: Mapping[str, Any]) -> LoadedSettings:
    own = {key: one for key, one in chosen.items() if one is not None}
    if isinstance(given, Settings):
        return _of_tree(given, own)
    if isinstance(given, str | os.PathLike):
        return load_settings(Path(given), values=own)
    return load_settings(values={**dict(flatten(given or {})), **own})


def _of_tree(tree: Settings, chosen: Mapping[str, Any]) -> LoadedSettings:
    """Take a tree, whose values that differ from the defaults count as chosen."""
    settings = with_values(tree, chosen) if chosen else tree
    defaults = dict(flatten(Settings().model_dump()))
    leaves = flatten(settings.model_dump())
    own = [key for key, value in leaves if key not in defaults or defaults[key] != value]
    return LoadedSettings(settings, dict.fromkeys(own, CALLER))
