"""A dotted key in, its mark out: whether the setting may change when a run is resumed."""

from typing import Any

from grave_cli.settings.section import OnResume, Section
from grave_cli.settings.tree import Settings


def may_change_on_resume(key: str) -> bool:
    """Report whether `train --resume` accepts another value of a setting than the run began with.

    Args:
        key: Dotted key, such as "training.epochs"; it is a setting.
    """
    return resume_mark(key) is OnResume.MAY_CHANGE


def resume_mark(key: str) -> OnResume | None:
    """Find the mark of a setting: its own, else that of its section; None if there is neither.

    Args:
        key: Dotted key. Keys below hpo.studies have its mark.
    """
    section: Any = Settings
    mark: OnResume | None = None
    for name in key.split("."):
        field = section.model_fields[name]
        own = [mark for mark in field.metadata if isinstance(mark, OnResume)]
        mark = own[0] if own else getattr(section, "on_resume", None)
        section = field.annotation
        if not (isinstance(section, type) and issubclass(section, Section)):
            break
    return mark
