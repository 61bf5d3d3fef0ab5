"""Settings without passwords, for runs, models and work files."""

import json
import re
from typing import Any

from grave_cli.settings.tree import Settings

_PASSWORD = re.compile(r'(?<=://)([^:/@\s"]*):[^/@\s"]+(?=@)')


def recorded(settings: Settings) -> dict[str, Any]:
    """Return all settings as plain values, without the passwords of URLs.

    Runs and models reach people who have no access to the database.
    """
    tree: dict[str, Any] = json.loads(without_password(settings.model_dump_json()))
    return tree


def without_password(text: str) -> str:
    """Hide the passwords of URLs: `postgresql://anna:***@host/runs`."""
    return _PASSWORD.sub(r"\1:***", text)
