"""The Optuna dashboard on this machine."""

from typing import TYPE_CHECKING

from grave_cli.errors import TuningError
from grave_cli.settings.tree import Settings
from grave_cli.tuning.storage import open_storage, storage_exists, storage_url

if TYPE_CHECKING:
    from optuna.storages import RDBStorage


def open_studies(settings: Settings) -> "RDBStorage":
    """Open the storage to look at its studies.

    Args:
        settings: Where it is.

    Raises:
        TuningError: There is no study yet, or the storage cannot be opened.
    """
    from optuna import get_all_study_summaries

    storage = open_storage(settings) if storage_exists(settings) else None
    if storage is None or not get_all_study_summaries(storage):
        raise TuningError(
            "there is no study yet",
            where=storage_url(settings),
            remedy="`gravecli hpo --study pilot --trials 20` makes one",
        )
    return storage


def page_of(storage: "RDBStorage", study: str | None) -> str:
    """Return the path of a study's page, or of the list of all.

    Args:
        storage: Where it is.
        study: Its name; None for the list.

    Raises:
        TuningError: There is no such study.
    """
    from optuna import get_all_study_names

    if study is None:
        return "dashboard/"
    names = get_all_study_names(storage)
    if study not in names:
        raise TuningError("no such study", found=study, expected=", ".join(sorted(names)))
    return f"dashboard/studies/{storage.get_study_id_from_name(study)}"


def serve_studies(storage: "RDBStorage", host: str, port: int) -> None:
    """Serve the pages of a storage's studies until interrupted.

    Args:
        storage: What is shown.
        host: Address of this machine to listen on.
        port: Free port there.
    """
    from optuna_dashboard import run_server

    run_server(storage, host=host, port=port)
