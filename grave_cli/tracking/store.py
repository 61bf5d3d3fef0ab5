"""The tracking store, an MLflow server or a database: how it is opened and asked.

MLflow is imported inside functions, because its import takes a second, and after its telemetry is
switched off.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from grave_cli.errors import TrackingError
from grave_cli.settings.record import without_password
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

T = TypeVar("T")

_PAGE = 200
_SQLITE = "sqlite:///"
_DATABASE_SERVERS = ("postgresql", "mysql", "mssql")
# Without this tag, MLflow's pages assume an experiment with language models and hide the trainings.
_FOR_TRAININGS = {"mlflow.experimentKind": "custom_model_development"}
# MLflow's codes for a thing that does not exist, and for a name that no such thing can have.
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
# By default MLflow tries a server that is down for four minutes.
_SHORT_WAIT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
_reached: set[str] = set()
"""Stores that have answered this process: for them it waits as long as MLflow does by default."""


def tracking_uri(settings: Settings) -> str:
    """Return the URI of the tracking store: `tracking.uri`, else a SQLite file in work_dir.

    The file's path is absolute: MLflow keeps a store open by its URI, and a relative one would
    still mean the first folder after a change of the working directory.
    """
    if settings.tracking.uri:
        return settings.tracking.uri
    return f"{_SQLITE}{(settings.work_dir / 'mlflow.db').absolute().as_posix()}"


def shown_uri(settings: Settings) -> str:
    """Return the URI of the tracking store without its password, for messages."""
    return without_password(tracking_uri(settings))


def open_client(settings: Settings) -> "MlflowClient":
    """Open the tracking store; a missing SQLite file is created.

    A server that is down is reported within seconds, unless the environment sets MLflow's own
    MLFLOW_HTTP_REQUEST_TIMEOUT (s) and MLFLOW_HTTP_REQUEST_MAX_RETRIES.

    Raises:
        TrackingError: The store cannot be opened.
    """
    silence_mlflow()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    uri = tracking_uri(settings)
    if not settings.tracking.uri:
        settings.work_dir.mkdir(parents=True, exist_ok=True)
    try:
        with _short_wait_for(uri):
            _knock(uri)
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            client.get_experiment_by_name(settings.tracking.experiment)
    except (MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        raise _store_error(uri, error) from None
    return client


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
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return None
        raise _store_error(client.tracking_uri, error) from None


@contextmanager
def _short_wait_for(uri: str) -> Iterator[None]:
    """Let MLflow give up soon on a store that has not answered this process yet."""
    wait = {} if uri in _reached else _SHORT_WAIT
    added = {name: value for name, value in wait.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
        _reached.add(uri)
    finally:
        for name in added:
            del os.environ[name]


def _knock(uri: str) -> None:
    """Connect to a database server once: if it is down, MLflow tries for two minutes."""
    if uri.startswith(_DATABASE_SERVERS) and uri not in _reached:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import NullPool

        create_engine(uri, poolclass=NullPool).connect().close()


def _store_error(uri: str, error: Exception) -> TrackingError:
    """Say in one line why a store cannot be used."""
    where, cause = without_password(uri), _root_cause(error)
    if _is_url(uri) and cause is not error:  # an answer that MLflow refuses has no other cause
        return TrackingError(
            "tracking server does not answer",
            where=where,
            found=cause,
            remedy="start it, or check tracking.uri",
        )
    message = without_password(str(getattr(error, "orig", error))).splitlines()[0]
    return TrackingError(
        f"tracking store cannot be used: {message}", where=where, remedy="check tracking.uri"
    )


def _root_cause(error: BaseException) -> BaseException:
    """Return the first of the errors that led to an error, for example a refused connection."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def experiment_id(client: "MlflowClient", settings: Settings) -> str:
    """Return the id of the settings' experiment; create it if missing."""
    name = settings.tracking.experiment
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = None if is_server(settings) else artifact_root(settings)
    return str(client.create_experiment(name, location, tags=_FOR_TRAININGS))


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
    return _is_url(settings.tracking.uri)


def _is_url(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def artifact_root(settings: Settings) -> str:
    """Return the URI of the folder for the files of runs, when the store is a database."""
    place = settings.tracking.artifacts or str(settings.work_dir / "artifacts")
    return place if "://" in place else Path(place).resolve().as_uri()


def store_exists(settings: Settings) -> bool:
    """Return whether there is a store to look into, without creating one."""
    uri = tracking_uri(settings)
    is_file = uri.startswith(_SQLITE)
    return not is_file or Path(uri.removeprefix(_SQLITE)).is_file()


def silence_mlflow() -> None:
    """Switch off MLflow's telemetry and its informational messages, in child processes too."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
