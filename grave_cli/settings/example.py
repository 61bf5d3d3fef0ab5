"""Settings as TOML: `config.example.toml`, `gravecli config --init`, the best settings of a study.

tomlkit is imported inside functions: most commands write no TOML.
"""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.nested import flatten
from grave_cli.settings.record import masked_value
from grave_cli.settings.schema import DIRECTIVE
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    from tomlkit import TOMLDocument
    from tomlkit.items import Item, Table

_HEADER = """\
gravecli settings. Every value below is the default: change the ones you need and delete the rest.
Thresholds stay comments until you need one, because a model brings its own.
gravecli reads gravecli.toml in the working directory, or the file given with --config. The
environment (GRAVE_SECTION__KEY), --set section.key=value and options of the command override it.
"""
_WIDTH = 96
_ENTRIES = ("search_space", "variants")


def example_toml() -> str:
    """Write all settings with their defaults as TOML, each below its help text."""
    import tomlkit
    from tomlkit.items import Comment, Trivia

    document = tomlkit.document()
    document.add(Comment(Trivia(comment=DIRECTIVE)))
    document.add(tomlkit.nl())
    _comment(document, _HEADER)
    document.add(tomlkit.nl())
    _fill(document, Settings())
    return tomlkit.dumps(document)


def why_keep_config(path: Path) -> str | None:
    """Return why an existing settings file must not be replaced; None if nothing is lost by it."""
    is_own = path.read_text("utf-8", "replace") == example_toml()
    return None if is_own else "holds other settings than the defaults"


def changed_toml(settings: Settings) -> str:
    """Write the values that differ from the defaults as TOML, without the section hpo.

    A URL with a password is left out: whoever reads the file gives their own.
    """
    import tomlkit

    defaults = dict(flatten(Settings().model_dump()))
    document = tomlkit.document()
    for key, value in flatten(settings.model_dump(exclude={"hpo"})):
        if defaults.get(key) != value and masked_value(key, value) == value:
            document.add(tomlkit.key(key.split(".")), _item(value))
    return tomlkit.dumps(document)


def to_toml_value(value: Any) -> str:
    """Write one value in TOML notation, on one line."""
    return _item(value).as_string()


def _item(value: Any) -> "Item":
    """Convert a value; by itself tomlkit would write a mapping as a table of several lines."""
    import tomlkit

    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        array.extend(_item(one) for one in value)
        return array
    if isinstance(value, Mapping):
        table = tomlkit.inline_table()
        for key, inner in value.items():
            table.append(key, _item(inner))
        return table
    return tomlkit.item(value.as_posix() if isinstance(value, Path) else value)


def _fill(table: "TOMLDocument | Table", model: BaseModel, explained: bool = True) -> None:
    """Write the fields of a section: the plain values, then the tables, as TOML demands."""
    import tomlkit

    tables: dict[str, Table] = {}
    for name, field in type(model).model_fields.items():
        value, text = getattr(model, name), (field.description or "") if explained else ""
        if isinstance(value, BaseModel):
            tables[name] = _section(value)
        elif name == "studies":
            tables[name] = _studies(value)
        elif name in _ENTRIES and value:
            tables[name] = _entries(value, text)
        else:
            _comment(table, text)
            if isinstance(model, DecodingSettings):  # set, it would win over that of a model
                table.add(tomlkit.comment(f"{name} = {to_toml_value(value)}"))
            else:
                table.add(name, _item(value))
    for name, one in tables.items():
        table.add(name, one)


def _section(model: BaseModel, explained: bool = True) -> "Table":
    import tomlkit

    table = tomlkit.table()
    if explained:
        _comment(table, type(model).__doc__ or "")
        table.add(tomlkit.nl())
    _fill(table, model, explained)
    return table


def _studies(studies: Mapping[str, Study]) -> "Table":
    """Write the presets; their help texts are all the same and stand in the first one."""
    import tomlkit

    tables = tomlkit.table(is_super_table=True)
    for number, (name, study) in enumerate(studies.items()):
        tables.add(name, _section(study, explained=number == 0))
    return tables


def _entries(values: Mapping[str, Any], text: str) -> "Table":
    """Write a search space, or variants: one entry a line."""
    import tomlkit

    table = tomlkit.table()
    _comment(table, text)
    for name, value in values.items():
        table.add(name, _item(value))
    return table


def _comment(table: "TOMLDocument | Table", text: str) -> None:
    import tomlkit

    for line in textwrap.wrap(" ".join(text.split()), _WIDTH):
        table.add(tomlkit.comment(line))
