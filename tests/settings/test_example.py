"""The example file is the settings tree written out: nothing missing, nothing invented."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from grave_cli.settings.example import changed_toml, example_toml, to_toml_value
from grave_cli.settings.load import load_settings, with_values
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


def test_the_example_leaves_the_thresholds_of_a_model_alone() -> None:
    """One that is set, if only to its default, would win over that of every trained model."""
    loaded = load_settings(EXAMPLE, environ={})
    assert not [key for key in loaded.origins if key.startswith("prediction.decoding.")]


def leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys of all values in nested tables; an empty table is a value."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_the_example_holds_every_setting() -> None:
    whole = re.sub(r"^# (?=\w+ = )", "", example_toml(), flags=re.MULTILINE)
    written = set(leaves(tomllib.loads(whole)))
    assert written == set(leaves(Settings().model_dump()))
    assert {"work_dir", "prediction.decoding.min_area_m2", "review.min_fit"} <= written
    assert {f"hpo.studies.{name}.trials" for name in ("default", "pilot", "decode")} <= written


def test_the_example_explains_every_setting_once() -> None:
    lines = example_toml().splitlines()
    is_explained = True
    for index, line in enumerate(lines):
        if line.startswith("["):
            # The entries of a search space name settings; the other presets are like the first.
            is_explained = not line.endswith((".search_space]", ".variants]"))
            is_explained &= not line.startswith("[hpo.studies.") or "default" in line
        if " = " in line and is_explained and not line.startswith("#"):
            assert lines[index - 1].startswith("# "), line
    comments = [line for line in lines if line.startswith("# ")]
    assert comments.count("# Median pruner: number of epochs before a trial can be pruned.") == 1
    assert max(map(len, lines)) <= 120


def test_a_section_of_the_example_looks_like_this() -> None:
    assert """
[grid]
# The working grid: the ground sampling distance of all processing.

# Ground sampling distance: edge of a working pixel on the ground, in metres. Half the value means
# four times as many pixels.
gsd_m = 0.04
# Refuse an orthophoto whose pixels are more than this many times coarser than grid.gsd_m.
max_upsampling = 3.0

[elevation]
""" in example_toml()
    assert """
[hpo.studies.pilot.search_space]
"training.learning_rate" = {low = 0.0003, high = 0.01, log = true}
""" in example_toml()


def test_only_changed_values_are_written_and_read_as_themselves(tmp_path: Path) -> None:
    changes = {
        "work_dir": tmp_path / "a b",
        "data.train": ["süd", 'nord "alt"'],
        "training.weight_decay": 1e-6,
        "prediction.decoding.min_area_m2": 0.2,
        "hpo.heartbeat_s": 7,
    }
    changed = with_values(Settings(), changes)
    text = changed_toml(changed)
    assert tomllib.loads(text) == {
        "work_dir": (tmp_path / "a b").as_posix(),
        "data": {"train": ["süd", 'nord "alt"']},
        "training": {"weight_decay": 1e-6},
        "prediction": {"decoding": {"min_area_m2": 0.2}},
    }
    config = tmp_path / "best.toml"
    config.write_text(text, encoding="utf-8")
    assert load_settings(config, environ={}).settings == with_values(
        changed, {"hpo.heartbeat_s": 10}
    )


def test_a_url_with_a_password_is_left_out() -> None:
    urls = {"tracking.uri": "postgresql://a:s3cret@b/c", "tracking.artifacts": "s3://bucket/a"}
    changed = with_values(Settings(), urls)
    assert tomllib.loads(changed_toml(changed)) == {"tracking": {"artifacts": "s3://bucket/a"}}


def test_defaults_are_no_changes() -> None:
    assert changed_toml(Settings()) == ""


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
        text = " ".join(((kind.__doc__ if is_section else field.description) or "").split())
        assert re.fullmatch(r"[A-Z0].*\.", text), f"{section.__name__}.{name}: {text!r}"


UNITS = {"_m": "metres", "_m2": "square metres", "_px": "working pixels", "_s": "seconds"}
UNITS |= {"_gb": "gigabytes", "_mpx": "megapixels"}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda kind: kind.__name__)
def test_a_help_text_gives_the_unit(section: type[BaseModel]) -> None:
    for name, field in section.model_fields.items():
        for ending, unit in UNITS.items():
            assert not name.endswith(ending) or unit in (field.description or ""), name


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
