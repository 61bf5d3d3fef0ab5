"""The tracking store, an MLflow server or a database: how it is opened and asked.

MLflow is imported inside functions, because its import takes a second, and after its telemetry is
switched off.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from grave_cli.database import Database, sqlite_exists, sqlite_file, sqlite_url
from grave_cli.errors import GraveError, TrackingError
from grave_cli.interrupts import held_back
from grave_cli.masking import mask_url
from grave_cli.settings.tree import Settings
from grave_cli.tracking.guarded_client import StoreError, guarded, is_server_url, store_error

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

T = TypeVar("T")

_PAGE = 200
STORE_FILE = "mlflow.db"
"""Name of the tracking store in work_dir."""

# Without this tag, MLflow's pages assume an experiment with language models and hide the trainings.
_KIND_TAG, _FOR_TRAININGS = "mlflow.experimentKind", "custom_model_development"
# MLflow's codes for a thing that does not exist, and for a name that no such thing can have.
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_TIMEOUT, _RETRIES = "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_OWN_WAIT = {_TIMEOUT, _RETRIES}
# MLflow's tables that hold what is listed here; the first one gets its row last.
_TABLES = (
    "alembic_version",
    *("experiments", "runs", "metrics", "latest_metrics", "params", "tags"),
    *("registered_models", "model_versions"),
)
TABLES_LOCK = 0x67726176
"""Number of the lock that is held in PostgreSQL while MLflow makes its tables."""
_reached: set[str] = set()
"""Stores that have answered this process: for them it waits as long as MLflow does by default."""


def tracking_uri(settings: Settings) -> str:
    """Return the URI of the tracking store: `tracking.uri`, else a SQLite file in work_dir.

    The file's path is absolute: MLflow keeps a store open by its URI, and a relative one would
    still mean the first folder after a change of the working directory.
    """
    if settings.tracking.uri:
        return settings.tracking.uri
    return sqlite_url((settings.work_dir / STORE_FILE).absolute())


def shown_uri(settings: Settings) -> str:
    """Return the URI of the tracking store without its secrets, for messages."""
    return mask_url(tracking_uri(settings))


def tracking_store(settings: Settings) -> Database:
    """Describe the tracking store, for its check and for messages."""
    return Database(
        url=tracking_uri(settings),
        name="tracking store",
        setting="tracking.uri",
        wait_s=settings.tracking.wait_s,
        tables=_TABLES,
        error=StoreError,
    )


def open_client(settings: Settings) -> "MlflowClient":
    """Open the tracking store; a missing SQLite file is created.

    A store that does not answer within `tracking.wait_s` is reported, unless the environment sets
    MLflow's own MLFLOW_HTTP_REQUEST_TIMEOUT (s) or MLFLOW_HTTP_REQUEST_MAX_RETRIES.

    Returns:
        A client whose errors are `TrackingError`.

    Raises:
        TrackingError: The store cannot be opened.
        InUseError: It is a file, and a process of another machine uses it.
    """
    silence_mlflow()
    store = tracking_store(settings)
    with store.created_once():
        if store.url not in _reached and not is_server(settings):
            store.check()
        client = _connect(store, settings.tracking.experiment)
    _reached.add(store.url)
    return guarded(client, store)


def one_machine(settings: Settings) -> AbstractContextManager[None]:
    """Keep other machines from opening a store that is a SQLite file while the block runs.

    Raises:
        InUseError: A process of another machine uses it.
    """
    return tracking_store(settings).on_one_machine()


def check_writable(settings: Settings) -> None:
    """Find out before any work whether runs can be recorded; a missing store is not created.

    Raises:
        TrackingError: The store cannot be opened or written, or the experiment has been deleted.
    """
    if store_exists(settings):
        _refuse_deleted_experiment(open_client(settings), settings)
    tracking_store(settings).check_writable()


def _refuse_deleted_experiment(client: "MlflowClient", settings: Settings) -> None:
    """Refuse an experiment in the trash: MLflow would say so only after the data is read."""
    found = client.get_experiment_by_name(settings.tracking.experiment)
    if found is not None and found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"experiment {found.name} has been deleted",
            where=shown_uri(settings),
            remedy="name another one in tracking.experiment, or restore it by "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`",
        )


def _connect(store: Database, experiment: str) -> "MlflowClient":
    """Make a client and ask it once."""
    from mlflow import MlflowClient

    def ask() -> "MlflowClient":
        client = MlflowClient(tracking_uri=store.url, registry_uri=store.url)
        client.get_experiment_by_name(experiment)
        return client

    added = {} if store.url in _reached else _short_wait(store.wait_s)
    is_bounded = is_server_url(store.url) and bool(added) and not _OWN_WAIT & os.environ.keys()
    os.environ.update(added)
    try:
        if is_bounded:
            return store.answer(ask)
        with held_back(), _tables_made_once(store.url):  # half of them would be a damaged store
            return ask()
    except GraveError:
        raise
    except Exception as error:  # MLflow passes on the errors of several libraries
        raise store_error(store, error) from None
    finally:
        for name in added:
            del os.environ[name]


@contextmanager
def _tables_made_once(url: str) -> Iterator[None]:
    """Let other computers wait while the block may make MLflow's tables in PostgreSQL.

    MLflow locks a file of this computer. For SQLite, `Database.created_once` does the same.
    """
    if url in _reached or not url.startswith("postgresql"):
        yield
        return
    from sqlalchemy import create_engine, text
    from sqlalchemy.pool import NullPool

    with create_engine(url, poolclass=NullPool).connect() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": TABLES_LOCK})
        yield


def _short_wait(wait_s: float) -> dict[str, str]:
    """Let MLflow ask twice in the time; by default it tries a silent server for four minutes."""
    wait = {_TIMEOUT: str(max(1, int(wait_s / 2))), _RETRIES: "1"}
    return {name: value for name, value in wait.items() if name not in os.environ}


def look_up(client: "MlflowClient", ask: Callable[[], T]) -> T | None:
    """Ask the store for something that may not exist.

    Args:
        client: The store.
        ask: Calls the client.

    Returns:
        The answer; None if the store holds no such thing.

    Raises:
        TrackingError: The store does not answer, or refuses to.
    """
    try:
        return ask()
    except StoreError as error:
        if error.code in _ABSENT:
            return None
        raise


def experiment_id(client: "MlflowClient", settings: Settings) -> str:
    """Return the id of the settings' experiment; create it if missing.

    MLflow's pages learn that it holds trainings, unless the user has chosen another kind.
    """
    name = settings.tracking.experiment
    found = client.get_experiment_by_name(name)
    if found is None:
        location = None if is_server(settings) else artifact_root(settings)
        try:
            return str(client.create_experiment(name, location, tags={_KIND_TAG: _FOR_TRAININGS}))
        except StoreError:
            found = client.get_experiment_by_name(name)  # another process may have been faster
            if found is None:
                raise
    if _KIND_TAG not in found.tags:
        client.set_experiment_tag(found.experiment_id, _KIND_TAG, _FOR_TRAININGS)
    return str(found.experiment_id)


def all_runs(client: "MlflowClient", experiment: str, condition: str = "") -> Iterator["Run"]:
    """Page through the runs of an experiment, newest first.

    Args:
        client: The store.
        experiment: Id of the experiment.
        condition: Filter in MLflow's notation; empty for all runs.
    """
    token: str | None = None
    while True:
        page = client.search_runs(
            [experiment],
            condition,
            order_by=["attributes.start_time DESC"],
            max_results=_PAGE,
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def is_server(settings: Settings) -> bool:
    """Return whether the store is an MLflow server, not a database."""
    return is_server_url(settings.tracking.uri)


def own_file(settings: Settings) -> Path | None:
    """Return the SQLite file of a store in work_dir, which moves with it; None for other stores."""
    file = sqlite_file(tracking_uri(settings))
    is_own = file is not None and file.absolute().parent.resolve() == settings.work_dir.resolve()
    return file if is_own else None


def artifact_root(settings: Settings) -> str:
    """Return the URI of the folder for the files of runs, when the store is a database."""
    place = settings.tracking.artifacts or str(settings.work_dir / "artifacts")
    return place if "://" in place else Path(place).resolve().as_uri()


def store_exists(settings: Settings) -> bool:
    """Return whether there is a store to look into, without creating one."""
    return sqlite_exists(tracking_uri(settings))


def silence_mlflow() -> None:
    """Switch off MLflow's telemetry and its informational messages, in child processes too."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It logs the whole SQL of an error that it also raises.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
