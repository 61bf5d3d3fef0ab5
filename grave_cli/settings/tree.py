"""The settings tree: one frozen, validated value with all sections."""

import warnings
from pathlib import Path
from typing import Annotated

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from grave_cli.settings.inputs import DataSettings, ElevationSettings, GridSettings
from grave_cli.settings.learning import (
    ChipSettings,
    ModelSettings,
    TrackingSettings,
    TrainingSettings,
)
from grave_cli.settings.mapping import OutlineSettings, PredictionSettings, ReviewSettings
from grave_cli.settings.output import OutputSettings
from grave_cli.settings.presets import HpoSettings
from grave_cli.settings.register import RegisterSettings
from grave_cli.settings.section import OnResume

ENV_PREFIX = "GRAVE_"
ENV_DELIMITER = "__"

# The method that a section of this name hides is ABCMeta.register, which settings never use.
warnings.filterwarnings("ignore", 'Field name "register" in "Settings"', UserWarning)


class Settings(BaseSettings):
    """All settings, by section.

    Building one reads neither files nor the environment; `grave_cli.settings.load` does that.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
    )

    work_dir: Annotated[Path, OnResume.MAY_CHANGE] = Path("runs")
    """Folder for runs, studies and caches."""

    data: DataSettings = DataSettings()
    grid: GridSettings = GridSettings()
    elevation: ElevationSettings = ElevationSettings()
    chips: ChipSettings = ChipSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    tracking: TrackingSettings = TrackingSettings()
    hpo: HpoSettings = HpoSettings()
    prediction: PredictionSettings = PredictionSettings()
    outlines: OutlineSettings = OutlineSettings()
    review: ReviewSettings = ReviewSettings()
    register: RegisterSettings = RegisterSettings()
    output: OutputSettings = OutputSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller alone, so that a tree depends on its arguments only."""
        return (init_settings,)
