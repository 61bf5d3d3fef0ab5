"""Storage of studies: a SQLite file in work_dir, or any database that Optuna supports."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grave_cli.database import Database, sqlite_exists, sqlite_url
from grave_cli.errors import TuningError
from grave_cli.interrupts import held_back
from grave_cli.masking import mask_url
from grave_cli.owners.claims import claimed
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

# Optuna's tables that studies need; the first one gets its row last.
_TABLES = (
    "version_info",
    *("studies", "study_directions", "study_user_attributes"),
    *("trials", "trial_user_attributes", "trial_params", "trial_values"),
)
_BUSY_S = 60  # time SQLite waits for another process to finish writing
_GRACE = 6  # missed heartbeats after which a trial counts as dead
_RETRIES = 3  # of a trial whose worker died; after more deaths, the trial is the likely cause
_TRIES = 5  # to make the tables of a server, which several machines may do at once
_PAUSE_S = 0.5


def storage_url(settings: Settings) -> str:
    """Return the storage URL of the settings, or else that of a SQLite file in work_dir."""
    if settings.hpo.storage:
        return settings.hpo.storage
    return sqlite_url(settings.work_dir / "optuna.db")


def shown_url(settings: Settings) -> str:
    """Return the storage URL without its secrets, for messages."""
    return mask_url(storage_url(settings))


def storage_exists(settings: Settings) -> bool:
    """Return whether the storage exists, without creating it."""
    return sqlite_exists(storage_url(settings))


def open_storage(settings: Settings) -> "RDBStorage":
    """Open the storage; a missing SQLite file is created.

    Raises:
        TuningError: The storage cannot be opened or does not answer within `hpo.wait_s`, or another
            version of Optuna created it.
    """
    database = _database(settings)
    with database.created_once(), storage_errors(settings):
        database.check()
        try:
            return _open(settings)
        except RuntimeError as error:
            shown = shown_url(settings)
            raise TuningError(
                f"storage was created by another Optuna: {str(error).partition('. ')[0]}",
                where=shown,
                remedy=f"back it up, then run `optuna storage upgrade --storage {shown}`, "
                "or update Optuna if the storage is newer",
            ) from None


def one_machine(settings: Settings) -> AbstractContextManager[None]:
    """Keep other machines from opening a storage that is a SQLite file while the block runs.

    Raises:
        InUseError: A process of another machine uses it.
    """
    return _database(settings).on_one_machine()


@contextmanager
def storage_errors(settings: Settings) -> Iterator[None]:
    """Turn errors of the storage into a `TuningError` of one line, without secrets."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError, ImportError) as error:
        raise _database(settings).fault(error) from None


def _database(settings: Settings) -> Database:
    return Database(
        url=storage_url(settings),
        name="storage",
        setting="hpo.storage",
        wait_s=settings.hpo.wait_s,
        tables=_TABLES,
        error=TuningError,
    )


def _open(settings: Settings) -> "RDBStorage":
    from optuna.storages import RetryHeartbeatStaleTrialCallback
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    url = storage_url(settings)
    # A server or a firewall may have closed a connection that no trial has used for hours.
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.startswith("sqlite"):
        options = {"connect_args": {"timeout": _BUSY_S}}
    make = partial(
        _storage_class(),
        url.replace("{", "{{").replace("}", "}}"),  # Optuna takes the URL for a template
        options,
        heartbeat_interval=settings.hpo.heartbeat_s,
        grace_period=_GRACE * settings.hpo.heartbeat_s,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(_RETRIES),
    )
    with held_back():  # half of the tables would be a damaged storage
        for _ in range(_TRIES):
            with suppress(IntegrityError, ProgrammingError):  # another machine makes the tables
                return make()
            time.sleep(_PAUSE_S)
        return make()


def _storage_class() -> "type[RDBStorage]":
    """Return Optuna's storage, in which Ctrl-C waits for the end of a call."""
    from optuna.storages import BaseStorage, RDBStorage

    names = [name for name in (*dir(BaseStorage), "record_heartbeat") if not name.startswith("_")]
    calls: dict[str, Any] = {name: held_back()(getattr(RDBStorage, name)) for name in names}

    def begin(storage: RDBStorage, *args: Any, **options: Any) -> None:
        try:
            RDBStorage.__init__(storage, *args, **options)
        except Exception:
            if hasattr(storage, "engine"):
                storage.engine.dispose()  # nobody else could close its connections
            raise

    return type("InterruptibleStorage", (RDBStorage,), {**calls, "__init__": begin})


def enable_wal(storage: "RDBStorage") -> None:
    """Switch a SQLite file to its write-ahead log, so that readers and writers do not block."""
    from sqlalchemy import text

    if storage.engine.dialect.name == "sqlite":
        with storage.engine.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=WAL"))


@contextmanager
def study_lock(storage: "RDBStorage", study: str) -> Iterator[None]:
    """Lock a study against all processes and machines that share it, while the block runs.

    For SQLite it is a claim beside the database. Other databases lock a row of the study that
    Optuna never updates; the lock ends with the connection, so a killed process releases it.

    Args:
        storage: Storage of the study.
        study: Name of the study.
    """
    from sqlalchemy import text

    if storage.engine.dialect.name == "sqlite":
        with claimed(Path(f"{storage.engine.url.database}.lock"), math.inf):
            yield
        return
    row = text("SELECT objective FROM study_directions WHERE study_id = :study FOR UPDATE")
    with storage.engine.begin() as connection:
        connection.execute(row, {"study": storage.get_study_id_from_name(study)})
        yield
