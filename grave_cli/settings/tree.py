"""The settings tree: one frozen, validated value that every station is given."""

from pathlib import Path

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from grave_cli.settings.inputs import DataSettings, ElevationSettings, GridSettings
from grave_cli.settings.learning import (
    ChipSettings,
    ModelSettings,
    TrackingSettings,
    TrainingSettings,
)
from grave_cli.settings.mapping import OutlineSettings, PredictionSettings, ReviewSettings
from grave_cli.settings.presets import HpoSettings

ENV_PREFIX = "GRAVE_"
ENV_DELIMITER = "__"


class Settings(BaseSettings):
    """Everything that can be set, by section.

    Building one reads neither files nor the environment; `grave_cli.settings.load` does that.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
    )

    work_dir: Path = Path("runs")
    """Folder of all state: tracking store, studies, caches."""

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
