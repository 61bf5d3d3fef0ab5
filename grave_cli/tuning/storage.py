"""Where studies are kept: a SQLite file in work_dir, or any database Optuna can use."""

from typing import TYPE_CHECKING

from grave_cli.errors import TuningError
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    from optuna.storages import RDBStorage


def storage_url(settings: Settings) -> str:
    """Return the URL of the storage: the one set, else a SQLite file in work_dir."""
    if settings.hpo.storage:
        return settings.hpo.storage
    return f"sqlite:///{(settings.work_dir / 'optuna.db').as_posix()}"


def storage_exists(settings: Settings) -> bool:
    """Tell whether there is a storage to look into, without making one."""
    url = storage_url(settings)
    if not url.startswith("sqlite:///"):
        return True
    from pathlib import Path

    return Path(url.removeprefix("sqlite:///")).is_file()


def open_storage(settings: Settings) -> "RDBStorage":
    """Open the storage; a SQLite file is made when it is missing.

    Raises:
        TuningError: It cannot be opened.
    """
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    url = storage_url(settings)
    if not settings.hpo.storage:
        settings.work_dir.mkdir(parents=True, exist_ok=True)
    try:
        return RDBStorage(url)
    except (StorageInternalError, SQLAlchemyError, ArgumentError, ImportError, RuntimeError) as e:
        reason = str(e).splitlines()[0]
        raise TuningError(f"storage cannot be opened: {reason}", where=url) from None
