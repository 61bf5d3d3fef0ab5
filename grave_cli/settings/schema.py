"""The JSON Schema of the settings, by which editors complete and check `gravecli.toml`.

In draft 7, which the tools for TOML understand, and without anything that only pydantic knows. It
knows the settings by name, type, range and help text; rules between settings it does not know.

Source:
    https://json-schema.org/draft-07
    Naming the schema in a TOML file: https://taplo.tamasfe.dev/configuration/directives.html
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grave_cli.settings.tree import Settings

SCHEMA_FILE = "gravecli.schema.json"
"""Name of the file, beside the settings that name it."""
DIRECTIVE = f"#:schema ./{SCHEMA_FILE}"
"""First line of a settings file that names its schema."""

_SEAL = "x-gravecli-seal"
_DEFINITIONS = "definitions"
_DRAFT = "http://json-schema.org/draft-07/schema#"
# Half a range is completed by the preset below it.
_NEVER_REQUIRED = "required"


def settings_schema() -> dict[str, Any]:
    """Return the schema of the settings."""
    tree = Settings.model_json_schema(ref_template=f"#/{_DEFINITIONS}/{{model}}")
    tree[_DEFINITIONS] = tree.pop("$defs")
    plain = _plain(tree)
    head = {"$schema": _DRAFT, "title": "gravecli settings"}
    return head | {key: one for key, one in plain.items() if key not in head}


def schema_text() -> str:
    """Write the schema as JSON, with a seal by which gravecli knows its file again."""
    schema = settings_schema()
    return _dump(schema | {_SEAL: _digest(schema)})


def why_keep_schema(path: Path) -> str | None:
    """Return why an existing schema must not be replaced; None if gravecli wrote it."""
    try:
        found = json.loads(path.read_text("utf-8"))
        told = found.pop(_SEAL)
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return "was not written by gravecli"
    return None if told == _digest(found) else "was changed since gravecli wrote it"


def _digest(schema: Mapping[str, Any]) -> str:
    return hashlib.sha256(_dump(schema).encode()).hexdigest()


def _dump(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """Convert a part of pydantic's schema, which is of draft 2020-12."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for key, one in value.items():
        if key in ("discriminator", _NEVER_REQUIRED) or (key == "title" and isinstance(one, str)):
            continue
        if key in ("properties", _DEFINITIONS):  # names of settings, not words of JSON Schema
            made[key] = {name: _plain(inner) for name, inner in one.items()}
        elif key == "default":
            made[key] = one
        elif key == "description":
            made[key] = " ".join(one.split())
        elif key == "oneOf":  # 1 to 5 is a range of whole and of real numbers
            made["anyOf"] = _plain(one)
        elif key == "prefixItems":
            made["items"] = _plain(one)
        else:
            made[key] = _plain(one)
    if "$ref" in made and len(made) > 1:  # words beside a reference do not count
        made = {"allOf": [{"$ref": made.pop("$ref")}], **made}
    return made
