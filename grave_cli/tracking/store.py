"""The MLflow store: where experiments are recorded, and the only room that opens it.

MLflow is imported inside functions (it costs a second), with its telemetry switched off first.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.errors import TrackingError
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


_PAGE = 200
_SQLITE = "sqlite:///"
# Without it the pages take an experiment for one with language models, and hide the trainings.
_FOR_TRAININGS = {"mlflow.experimentKind": "custom_model_development"}


def tracking_uri(settings: Settings) -> str:
    """Return the URI of the tracking store: the one set, else a SQLite file in work_dir."""
    if settings.tracking.uri:
        return settings.tracking.uri
    return f"{_SQLITE}{(settings.work_dir / 'mlflow.db').as_posix()}"


def open_client(settings: Settings) -> "MlflowClient":
    """Open the tracking store; a SQLite file is made when it is missing.

    Raises:
        TrackingError: The store cannot be opened.
    """
    silence_mlflow()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    uri = tracking_uri(settings)
    if not settings.tracking.uri:
        settings.work_dir.mkdir(parents=True, exist_ok=True)
    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.get_experiment_by_name(settings.tracking.experiment)
    except (MlflowException, OSError) as error:
        raise TrackingError(
            f"tracking store cannot be opened: {error}", where=uri, remedy="check tracking.uri"
        ) from None
    return client


def experiment_id(client: "MlflowClient", settings: Settings) -> str:
    """Find the experiment of the settings; make it when it is missing."""
    name = settings.tracking.experiment
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = None if is_server(settings) else artifact_root(settings)
    return str(client.create_experiment(name, location, tags=_FOR_TRAININGS))


def all_runs(client: "MlflowClient", experiment: str, condition: str = "") -> Iterator["Run"]:
    """Page through the runs of an experiment, the newest first.

    Args:
        client: The store.
        experiment: Its id.
        condition: What they fulfil, in MLflow's notation; empty for all.
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
    """Tell whether the store is an MLflow server, not a database."""
    return settings.tracking.uri.startswith(("http://", "https://"))


def artifact_root(settings: Settings) -> str:
    """Return the URI below which the files of runs go when the store is a database."""
    place = settings.tracking.artifacts or str(settings.work_dir / "artifacts")
    return place if "://" in place else Path(place).resolve().as_uri()


def store_exists(settings: Settings) -> bool:
    """Tell whether there is a store to look into, without making one."""
    uri = tracking_uri(settings)
    is_file = uri.startswith(_SQLITE)
    return not is_file or Path(uri.removeprefix(_SQLITE)).is_file()


def silence_mlflow() -> None:
    """Switch MLflow's telemetry off, here and in child processes, and its chatter down."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
