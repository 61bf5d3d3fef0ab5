"""The base of every settings section, and the mark of settings that may change on `--resume`."""

from enum import Enum
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
PositiveMetres = Annotated[float, Field(gt=0, le=100)]


class OnResume(Enum):
    """Whether a setting may differ from the start of the run when `train --resume` continues it.

    A section states it for its fields (`on_resume`); a field that differs states it in its type:
    `epochs: Annotated[int, OnResume.MAY_CHANGE]`.
    """

    MAY_CHANGE = "may change"
    """It changes only how long or where the training runs, or the output about it."""

    FIXED = "fixed"
    """Another value would make another training, or scores that are not comparable."""


class Section(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,  # "nan" passes every bound that is written as a refusal
    )

    on_resume: ClassVar[OnResume | None] = None
