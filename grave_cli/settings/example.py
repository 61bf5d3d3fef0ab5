"""Settings as commented TOML: `config.example.toml` and `gravecli config --init`."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from grave_cli.settings.load import flatten
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings

_HEADER = """\
# gravecli settings. Every value below is the default; change what you need and delete the rest.
# Read from `gravecli.toml` in the working directory, or from the file given with --config.
# Stronger than this file: GRAVE_SECTION__KEY in the environment, then --set section.key=value,
# then options of the command.
"""


def example_toml() -> str:
    """Write all settings with their defaults as TOML, each under its help text."""
    settings = Settings()
    blocks = [_HEADER + "\n" + "\n".join(_fields(settings))]
    blocks += [block for name, section in _sections(settings) for block in _table(name, section)]
    return "\n".join(block.rstrip("\n") + "\n" for block in blocks)


def changed_toml(settings: Settings) -> str:
    """Write the values that are not the defaults, but those of hpo, as a settings file."""
    defaults = dict(flatten(Settings().model_dump()))
    lines = [
        f"{key} = {to_toml_value(value)}"
        for key, value in flatten(settings.model_dump(exclude={"hpo"}))
        if defaults.get(key) != value
    ]
    return "".join(f"{line}\n" for line in lines)


def to_toml_value(value: Any) -> str:
    """Write one value in TOML notation."""
    if isinstance(value, Path):
        return json.dumps(value.as_posix())
    if isinstance(value, list | tuple):
        return "[" + ", ".join(to_toml_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key} = {to_toml_value(item)}" for key, item in value.items())
        return "{ " + inner + " }"
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _sections(model: BaseModel) -> Iterator[tuple[str, BaseModel]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield name, value


def _table(name: str, section: BaseModel) -> Iterator[str]:
    title = _comment((type(section).__doc__ or "").strip())
    yield f"{title}\n[{name}]\n" + "\n".join(_fields(section))
    for child, value in _sections(section):
        yield from _table(f"{name}.{child}", value)
    for study_name, study in getattr(section, "studies", {}).items():
        yield _study_table(f"{name}.studies.{study_name}", study)


def _study_table(name: str, study: Study) -> str:
    tables = {
        "search_space": {key: domain.model_dump() for key, domain in study.search_space.items()},
        "variants": study.variants,
    }
    filled = {table: entries for table, entries in tables.items() if entries}
    lines = [f"[{name}]", *_fields(study, skip=tuple(filled))]
    for table, entries in filled.items():
        lines.append(f"[{name}.{table}]")
        lines += [f"{key} = {to_toml_value(value)}" for key, value in entries.items()]
    return "\n".join(lines)


def _fields(model: BaseModel, skip: tuple[str, ...] = ("studies",)) -> Iterator[str]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel) or name in skip:
            continue
        yield f"{_comment(field.description or '')}\n{name} = {to_toml_value(value)}"


def _comment(text: str) -> str:
    return "\n".join(f"# {line}" for line in textwrap.wrap(" ".join(text.split()), 96))
