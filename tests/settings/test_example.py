"""The example file is the settings tree written out: nothing missing, nothing invented."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from grave_cli.settings.example import example_toml, to_toml_value
from grave_cli.settings.load import flatten, load_settings
from grave_cli.settings.studies import Choice, FloatRange, IntRange, Study
from grave_cli.settings.tree import Settings

EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"


def section_types(model: type[BaseModel] = Settings) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from section_types(field.annotation)


SECTIONS = [*section_types(), Study, FloatRange, IntRange, Choice]


def test_the_example_in_the_repository_is_up_to_date() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == example_toml(), (
        "write it anew: `gravecli config --init --config config.example.toml` (delete it first)"
    )


def test_the_example_loads_to_the_defaults_exactly() -> None:
    loaded = load_settings(EXAMPLE, environ={})
    assert loaded.settings == Settings()


def test_the_example_holds_every_setting() -> None:
    written = {key for key, _ in flatten(tomllib.loads(example_toml()))}
    # The file writes search spaces as dotted keys; read as TOML both are tables.
    assert written == {key for key, _ in flatten(Settings().model_dump())}


def test_the_example_explains_every_setting_above_it() -> None:
    lines = example_toml().splitlines()
    is_explained = True  # of a search space or of variants, the keys speak for themselves
    for index, line in enumerate(lines):
        if line.startswith("["):
            is_explained = not line.endswith((".search_space]", ".variants]"))
        if " = " in line and is_explained and not line.startswith("#"):
            assert lines[index - 1].startswith("# "), line
    assert max(map(len, lines)) <= 120


def test_sections_are_all_found() -> None:
    names = {kind.__name__ for kind in SECTIONS}
    assert {"Settings", "TrainingSettings", "DecodingSettings", "HpoSettings", "Study"} <= names
    assert len(SECTIONS) >= 16


@pytest.mark.parametrize("section", SECTIONS, ids=lambda kind: kind.__name__)
def test_every_section_and_every_field_says_what_it_is(section: type[BaseModel]) -> None:
    assert (section.__doc__ or "").strip()
    for name, field in section.model_fields.items():
        kind = field.annotation
        is_section = isinstance(kind, type) and issubclass(kind, BaseModel)
        text = kind.__doc__ if is_section else field.description
        assert text, f"{section.__name__}.{name} has no docstring"
        assert text.strip()[-1] in ".;)", f"{section.__name__}.{name}: {text!r}"


plain: st.SearchStrategy[Any] = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
values = st.recursive(
    plain,
    lambda child: (
        st.lists(child) | st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), child)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(values)
def test_a_value_written_as_toml_reads_as_itself(value: Any) -> None:
    assert tomllib.loads(f"x = {to_toml_value(value)}")["x"] == value


def test_paths_are_written_with_slashes_and_tuples_as_lists() -> None:
    assert to_toml_value(Path("a") / "b") == '"a/b"'
    assert to_toml_value((1, 0.5)) == "[1, 0.5]"
