"""Storage of studies: a SQLite file in work_dir, or any database that Optuna supports."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from grave_cli.errors import TuningError
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_SQLITE = "sqlite:///"
_BUSY_S = 60  # time SQLite waits for another process to finish writing
_GRACE = 6  # missed heartbeats after which a trial counts as dead
_RETRIES = 3  # of a trial whose worker died; after more deaths, the trial is the likely cause


def storage_url(settings: Settings) -> str:
    """Return the storage URL of the settings, or else that of a SQLite file in work_dir."""
    if settings.hpo.storage:
        return settings.hpo.storage
    return f"{_SQLITE}{(settings.work_dir / 'optuna.db').as_posix()}"


def storage_exists(settings: Settings) -> bool:
    """Return whether the storage exists, without creating it."""
    url = storage_url(settings)
    return not url.startswith(_SQLITE) or Path(url.removeprefix(_SQLITE)).is_file()


def open_storage(settings: Settings) -> "RDBStorage":
    """Open the storage; a missing SQLite file is created.

    Raises:
        TuningError: The storage cannot be opened, or another version of Optuna created it.
    """
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    url = storage_url(settings)
    options: dict[str, Any] = {}
    if url.startswith("sqlite"):
        options = {"connect_args": {"timeout": _BUSY_S}}
    if not settings.hpo.storage:
        settings.work_dir.mkdir(parents=True, exist_ok=True)
    try:
        return RDBStorage(
            url,
            options,
            heartbeat_interval=settings.hpo.heartbeat_s,
            grace_period=_GRACE * settings.hpo.heartbeat_s,
            heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(_RETRIES),
        )
    except (StorageInternalError, SQLAlchemyError, ArgumentError, ImportError) as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise TuningError(f"storage cannot be opened: {reason}", where=url) from None
    except RuntimeError as error:
        raise TuningError(
            f"storage was created by another Optuna: {str(error).partition('. ')[0]}",
            where=url,
            remedy=f"back it up, then run `optuna storage upgrade --storage {url}`, "
            "or update Optuna if the storage is newer",
        ) from None


def enable_wal(storage: "RDBStorage") -> None:
    """Switch a SQLite file to its write-ahead log, so that readers and writers do not block."""
    from sqlalchemy import text

    if storage.engine.dialect.name == "sqlite":
        with storage.engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=WAL"))


@contextmanager
def study_lock(storage: "RDBStorage", study: str) -> Iterator[None]:
    """Lock a study against all processes and machines that share it, while the block runs.

    For SQLite it is a lock file beside the database. Other databases lock a row of the study that
    Optuna never updates; the lock ends with the connection, so a killed process releases it.

    Args:
        storage: Storage of the study.
        study: Name of the study.
    """
    from sqlalchemy import text

    if storage.engine.dialect.name == "sqlite":
        with FileLock(f"{storage.engine.url.database}.lock"):
            yield
        return
    row = text("SELECT objective FROM study_directions WHERE study_id = :study FOR UPDATE")
    with storage.engine.begin() as connection:
        connection.execute(row, {"study": storage.get_study_id_from_name(study)})
        yield
