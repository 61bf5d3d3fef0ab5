"""Settings as they are recorded in runs, models and work files: without passwords."""

import json
import re
from typing import Any

from grave_cli.settings.tree import Settings

_PASSWORD = re.compile(r'(?<=://)([^:/@\s"]*):[^/@\s"]+(?=@)')


def recorded(settings: Settings) -> dict[str, Any]:
    """Return all settings as plain values; URLs have lost their passwords.

    A run and a model are handed on to people who may not write to the database they came from.
    """
    tree: dict[str, Any] = json.loads(without_password(settings.model_dump_json()))
    return tree


def without_password(text: str) -> str:
    """Blank the passwords of URLs: `postgresql://anna:***@host/runs`."""
    return _PASSWORD.sub(r"\1:***", text)
