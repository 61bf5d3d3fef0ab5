"""The Optuna dashboard on this machine."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grave_cli.errors import TuningError
from grave_cli.settings.tree import Settings
from grave_cli.tuning.storage import open_storage, storage_exists, storage_url

if TYPE_CHECKING:
    from optuna.storages import RDBStorage


@dataclass(frozen=True)
class StudyPages:
    """The pages of a storage's studies.

    Args:
        storage: What is shown.
    """

    storage: "RDBStorage"

    def path(self, study: str | None) -> str:
        """Return the path of a study's page, or of the list of all for None.

        Raises:
            TuningError: There is no such study.
        """
        from optuna import get_all_study_names

        if study is None:
            return "dashboard/"
        names = get_all_study_names(self.storage)
        if study not in names:
            raise TuningError("no such study", found=study, expected=", ".join(names))
        return f"dashboard/studies/{self.storage.get_study_id_from_name(study)}"

    def serve(self, host: str, port: int) -> None:
        """Serve them until interrupted.

        Args:
            host: Address of this machine to listen on.
            port: Free port there.
        """
        from optuna_dashboard import run_server

        run_server(self.storage, host=host, port=port)


def open_studies(settings: Settings) -> StudyPages:
    """Open the storage to look at its studies.

    Args:
        settings: Where it is.

    Raises:
        TuningError: There is no study yet, or the storage cannot be opened.
    """
    from optuna import get_all_study_names

    storage = open_storage(settings) if storage_exists(settings) else None
    if storage is None or not get_all_study_names(storage):
        raise TuningError(
            "there is no study yet",
            where=storage_url(settings),
            remedy="`gravecli hpo --study pilot --trials 20` makes one",
        )
    return StudyPages(storage)
