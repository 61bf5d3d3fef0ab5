"""The Optuna dashboard on this machine."""

from typing import TYPE_CHECKING

from grave_cli.errors import TuningError
from grave_cli.settings.tree import Settings
from grave_cli.tracking.server import HOST
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


def serve_studies(storage: "RDBStorage", port: int) -> None:
    """Serve the pages of a storage's studies until interrupted.

    Args:
        storage: What is shown.
        port: Free port on 127.0.0.1.
    """
    from optuna_dashboard import run_server

    run_server(storage, host=HOST, port=port)
