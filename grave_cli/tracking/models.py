"""Which model to predict with: a folder, a run, a registered one, or the newest that fits."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from grave_cli.errors import ModelError
from grave_cli.model.bundle import Bundle, read_bundle
from grave_cli.settings.tree import Settings
from grave_cli.tracking.store import open_client, store_exists, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

MODEL_FOLDER = "model"
CHANNELS_TAG = "gravecli.channels"
MODEL_TAG = "gravecli.model"
_RUN_URI = "runs:/"
_REGISTRY_URI = "models:/"


@dataclass(frozen=True)
class FoundModel:
    """A model, and how it was found.

    Args:
        bundle: The model.
        origin: Where it comes from, for the user ("run calm-fox-3, the newest that fits").
    """

    bundle: Bundle
    origin: str


def resolve_model(name: str, settings: Settings) -> FoundModel:
    """Find a model by what a user calls it.

    Args:
        name: Folder of a model, `runs:/ID`, `models:/graves@champion`, `models:/graves/3`, or the
            name or id of a run.
        settings: Tracking store.

    Raises:
        ModelError: There is no such model.
    """
    if Path(name).exists():
        return FoundModel(read_bundle(Path(name)), f"folder {name}")
    if not store_exists(settings):
        raise _no_such_model(name, settings)
    client = open_client(settings)
    if name.startswith(_REGISTRY_URI):
        version = _registered(client, name, settings)
        name, origin = str(version.run_id), f"{version.name} version {version.version}, run"
    else:
        name, origin = name.removeprefix(_RUN_URI).removesuffix(f"/{MODEL_FOLDER}"), "run"
    run = find_run(client, name, settings)
    if run is None:
        raise _no_such_model(name, settings)
    return FoundModel(model_of(client, run, settings), f"{origin} {run.info.run_name}")


def newest_model(with_dem: bool, settings: Settings) -> FoundModel:
    """Take the newest finished run whose model can be fed with the channels at hand.

    Args:
        with_dem: Whether there is a DEM; without one only models for rgb fit.
        settings: Tracking store and experiment.

    Raises:
        ModelError: There is none.
    """
    at_hand = "rgb+dem" if with_dem else "rgb"
    missing = ModelError(
        f"no finished training for {at_hand} is recorded",
        where=tracking_uri(settings),
        remedy="run `gravecli train`, or name a model with --model",
    )
    if not store_exists(settings):
        raise missing
    client = open_client(settings)
    condition = f"attributes.status = 'FINISHED' AND tags.`{MODEL_TAG}` = '{MODEL_FOLDER}'"
    if not with_dem:
        condition += f" AND tags.`{CHANNELS_TAG}` = 'rgb'"
    runs = _search(client, settings, condition)
    if not runs:
        raise missing
    bundle = model_of(client, runs[0], settings)
    return FoundModel(bundle, f"run {runs[0].info.run_name}, the newest that fits {at_hand}")


def _search(client: "MlflowClient", settings: Settings, condition: str) -> list["Run"]:
    experiment = client.get_experiment_by_name(settings.tracking.experiment)
    if experiment is None:
        return []
    return list(
        client.search_runs(
            [experiment.experiment_id],
            condition,
            order_by=["attributes.start_time DESC"],
            max_results=1,
        )
    )


def find_run(client: "MlflowClient", name: str, settings: Settings) -> "Run | None":
    """Find a run by its name, of several the newest, or by its id."""
    from mlflow.exceptions import MlflowException

    if "'" not in name:
        found = _search(client, settings, f"attributes.run_name = '{name}'")
        if found:
            return found[0]
    try:
        return client.get_run(name)
    except MlflowException:
        return None


def model_of(client: "MlflowClient", run: "Run", settings: Settings) -> Bundle:
    """Look into a run's model where it lies, or fetch it into the cache once.

    Raises:
        ModelError: The run has no model, or it cannot be fetched.
    """
    from mlflow.exceptions import MlflowException

    folder = local_folder(run.info.artifact_uri)
    if folder is None:
        folder = settings.work_dir / "cache" / "models" / run.info.run_id
    try:
        if not (folder / MODEL_FOLDER).is_dir():
            client.download_artifacts(run.info.run_id, MODEL_FOLDER, str(folder))
    except (MlflowException, OSError) as error:
        raise ModelError(
            f"run {run.info.run_name} has no model: {error}", remedy="choose another run"
        ) from None
    return read_bundle(folder / MODEL_FOLDER)


def _registered(client: "MlflowClient", uri: str, settings: Settings) -> "ModelVersion":
    """Look a version up in the registry, by its alias or its number."""
    from mlflow.exceptions import MlflowException

    name = uri.removeprefix(_REGISTRY_URI)
    by_alias = "@" in name
    model, _, which = name.rpartition("@" if by_alias else "/")
    try:
        if by_alias:
            return client.get_model_version_by_alias(model, which)
        return client.get_model_version(model, which)
    except MlflowException:
        raise _no_such_model(uri, settings) from None


def local_folder(uri: str) -> Path | None:
    """Return the folder that a file URI, or a plain path, names; None for a remote one."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    return Path(url2pathname(parts.path))


def _no_such_model(name: str, settings: Settings) -> ModelError:
    return ModelError(
        "no such model",
        where=name,
        expected=f"a model folder, or a run or registered model of {tracking_uri(settings)}",
    )
