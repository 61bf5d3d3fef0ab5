"""Settings without secrets, for runs, models, work files and the terminal."""

from collections.abc import Mapping
from typing import Any

from grave_cli.masking import mask_url
from grave_cli.settings.tree import Settings

# Settings that are URLs even if they are mistyped.
_URLS = frozenset({"tracking.uri", "tracking.artifacts", "hpo.storage"})


def recorded(settings: Settings) -> dict[str, Any]:
    """Return all settings as plain values, without the secrets of URLs.

    Runs and models reach people who have no access to the database.
    """
    tree: dict[str, Any] = _masked(settings.model_dump(mode="json"))
    return tree


def masked_value(key: str, value: Any) -> Any:
    """Hide the secrets of URLs in the value of a setting.

    Args:
        key: Dotted key of the setting.
        value: Its value, as JSON knows it.
    """
    return _masked(value, key)


def _masked(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _masked(one, f"{key}.{name}".lstrip(".")) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_masked(one, key) for one in value)
    if not isinstance(value, str):
        return value
    return mask_url(value) if key in _URLS or ":/" in value else value
