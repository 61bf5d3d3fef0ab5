"""A look at a study from outside while others work on it."""

from typing import TYPE_CHECKING

from grave_cli.settings.tree import Settings
from grave_cli.tuning.result import Standing, standing_of
from grave_cli.tuning.search_space import preset_name
from grave_cli.tuning.shared_study import SharedStudy
from grave_cli.tuning.storage import open_storage, storage_exists

if TYPE_CHECKING:
    from grave_cli.tuning.study import StudyRequest


class StudyWatch:
    """Looks at a study that may not be there yet.

    Args:
        settings: Where the storage is.
        request: Which study, and how many trials it is to have.
    """

    def __init__(self, settings: Settings, request: "StudyRequest") -> None:
        self._settings = settings
        self._request = request
        self._shared: SharedStudy | None = None

    @property
    def wanted(self) -> int:
        """Finished trials it is to have."""
        name = preset_name(self._settings, self._request.name, self._request.preset)
        return self._request.trials or self._settings.hpo.studies[name].trials

    def look(self) -> Standing | None:
        """Say how it stands; None while there is no such study."""
        from optuna import load_study

        if self._shared is None:
            if not storage_exists(self._settings):
                return None
            storage = open_storage(self._settings)
            try:
                study = load_study(study_name=self._request.name, storage=storage)
            except KeyError:
                return None
            self._shared = SharedStudy(study, storage)
        return standing_of(self._shared, self.wanted)

    def close(self) -> None:
        """Let go of the storage."""
        if self._shared is not None:
            self._shared.storage.engine.dispose()
