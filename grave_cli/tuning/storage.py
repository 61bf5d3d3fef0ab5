"""Where studies are kept: a SQLite file in work_dir, or any database Optuna can use."""

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
_BUSY_S = 60  # how long SQLite waits for another process to finish writing
_GRACE = 6  # heartbeats that may fail to come before a trial is taken for dead
_RETRIES = 3  # of a trial whose worker died; more, and it is the trial that kills them


def storage_url(settings: Settings) -> str:
    """Return the URL of the storage: the one set, else a SQLite file in work_dir."""
    if settings.hpo.storage:
        return settings.hpo.storage
    return f"{_SQLITE}{(settings.work_dir / 'optuna.db').as_posix()}"


def storage_exists(settings: Settings) -> bool:
    """Tell whether there is a storage to look into, without making one."""
    url = storage_url(settings)
    return not url.startswith(_SQLITE) or Path(url.removeprefix(_SQLITE)).is_file()


def open_storage(settings: Settings) -> "RDBStorage":
    """Open the storage, to look into it or to run trials; a SQLite file is made when missing.

    Raises:
        TuningError: It cannot be opened, or an Optuna too old or too new has made it.
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
            f"storage was made by another Optuna: {str(error).partition('. ')[0]}",
            where=url,
            remedy=f"back it up, then `optuna storage upgrade --storage {url}`, "
            "or update Optuna if it is the older one",
        ) from None


def let_others_read(storage: "RDBStorage") -> None:
    """Put a SQLite file into the mode in which reading and writing do not wait for each other."""
    from sqlalchemy import text

    if storage.engine.dialect.name == "sqlite":
        with storage.engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=WAL"))


@contextmanager
def study_lock(storage: "RDBStorage", study: str) -> Iterator[None]:
    """Hold a study while the block runs, against all processes and machines that share it.

    In a database a row of the study is locked that Optuna itself never writes again; the lock goes
    with the connection, however its process ends. A SQLite file has a lock file beside it.

    Args:
        storage: Where the study is kept.
        study: Its name.
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
