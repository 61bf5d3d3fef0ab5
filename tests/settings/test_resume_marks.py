"""Every setting is marked: it may change when a run is resumed, or it may not."""

from collections.abc import Iterator
from typing import Annotated

import pytest
from pydantic import BaseModel

from grave_cli.settings import resume_marks
from grave_cli.settings.resume_marks import may_change_on_resume, resume_mark
from grave_cli.settings.section import OnResume, Section
from grave_cli.settings.tree import Settings


def keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from keys(kind, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


KEYS = list(keys())


def test_all_keys_are_found() -> None:
    assert {"work_dir", "prediction.decoding.seed_floor", "hpo.studies"} <= set(KEYS)
    assert len(KEYS) >= 99


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_is_marked(key: str) -> None:
    assert resume_mark(key) is not None, f"{key}: give it, or its section, a mark (OnResume)"


def test_a_setting_without_a_mark_is_found_and_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    class New(Section):
        forgotten: int = 1
        marked: Annotated[int, OnResume.MAY_CHANGE] = 1

    class Tree(BaseModel):
        new: New = New()

    monkeypatch.setattr(resume_marks, "Settings", Tree)
    assert resume_mark("new.forgotten") is None
    assert not may_change_on_resume("new.forgotten")
    assert may_change_on_resume("new.marked")


def test_only_where_how_long_and_what_is_shown_may_change() -> None:
    sections = ("tracking.", "hpo.", "outlines.", "review.", "register.", "prediction.", "output.")
    sections += ("compare.", "join.")
    thresholds = "prediction.decoding."  # val/object_f1 is measured with them
    single = {
        "work_dir",
        "data.root",
        "data.allow_remote",
        "chips.max_memory_gb",
        "training.epochs",
        "training.max_time_s",
        "training.patience",
        "training.validate_every",
        "training.device",
        "training.precision",
        "training.workers",
        "training.devices",
        "training.nodes",
        "training.strategy",
    }
    for key in KEYS:
        expected = key in single or (key.startswith(sections) and not key.startswith(thresholds))
        assert may_change_on_resume(key) == expected, key


def test_what_a_study_searches_has_the_mark_of_all_studies() -> None:
    assert may_change_on_resume("hpo.studies.mine.search_space.training.learning_rate.low")
