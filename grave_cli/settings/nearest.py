"""A misspelt setting in, the setting that was probably meant out."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from pydantic import BaseModel

from grave_cli.settings.tree import ENV_DELIMITER, ENV_PREFIX, Settings

_CLOSE = 0.7  # of 1: share of equal letters, in the sense of difflib


def nearest_setting(key: str) -> str | None:
    """Find the setting whose name is close to a key, or ends in it.

    `predicton.tta` and `tta` -> `prediction.tta`; `grid.gsd` -> `grid.gsd_m`; `foo` -> None.

    Args:
        key: Dotted key that is no setting.
    """
    known = list(_keys(Settings, ""))
    ending = [name for name in known if name.endswith(f".{key.lower()}")]
    if len(ending) == 1:
        return ending[0]
    close = get_close_matches(key.lower(), known, n=1, cutoff=_CLOSE)
    return close[0] if close else None


def nearest_variable(parts: Sequence[str]) -> str | None:
    """Find the environment variable of the setting that was probably meant.

    Args:
        parts: Sections and name of a key that is no setting.
    """
    key = nearest_setting(".".join(parts))
    return None if key is None else ENV_PREFIX + key.upper().replace(".", ENV_DELIMITER)


def _keys(section: type[BaseModel], before: str) -> Iterator[str]:
    """Yield the dotted keys of all settings, and those of the sections above them."""
    for name, field in section.model_fields.items():
        key = f"{before}{name}"
        yield key
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _keys(field.annotation, f"{key}.")
