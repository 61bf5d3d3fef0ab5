"""Model lookup: by folder, run or registered version, or the newest model that fits."""

import os
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.atomic_writes import whole_folder
from grave_cli.errors import ModelError, TrackingError
from grave_cli.masking import mask, mask_url
from grave_cli.model.bundle import Bundle, read_bundle
from grave_cli.model.shipped import STARTER, starter_model
from grave_cli.settings.tree import Settings
from grave_cli.tracking.local_store import reading_client
from grave_cli.tracking.run_files import run_folder
from grave_cli.tracking.store import look_up, shown_uri, store_exists

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

MODEL_FOLDER = "model"
CHAMPION = "champion"
"""Alias of the best version of a registered model."""
CHANNELS_TAG = "gravecli.channels"
ENCODER_TAG = "gravecli.encoder"
WITHOUT_DEM_TAG = "gravecli.works_without_dem"
MODEL_TAG = "gravecli.model"
_ONLY_WITH_DEM = "only models with a DEM fit: give --dem"
_RUN_URI = "runs:/"
_REGISTRY_URI = "models:/"


@dataclass(frozen=True)
class FoundModel:
    """A model and its origin.

    Args:
        bundle: The model.
        origin: Origin in words for the user ("run calm-fox-3, the newest that fits").
        advice: How to use a better model, as a sentence without a full stop; empty: no advice.
    """

    bundle: Bundle
    origin: str
    advice: str = ""


def resolve_model(name: str, settings: Settings) -> FoundModel:
    """Find a model by the name that a user gives.

    Args:
        name: `starter`, folder of a model, `runs:/ID`, `models:/graves@champion`,
            `models:/graves/3`, or the name or id of a run.
        settings: Tracking store.

    Raises:
        ModelError: There is no such model.
        TrackingError: The store does not answer.
    """
    if name == STARTER:
        return FoundModel(starter_model(), "the starter model, trained on generated cemeteries")
    if os.path.exists(name):  # unlike Path.exists, not raising on names too long for a file
        return FoundModel(read_bundle(Path(name)), f"folder {name}")
    if not store_exists(settings):
        raise _no_such_model(name, settings)
    client = reading_client(settings)
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
    """Return the model of the newest finished run that works with the channels at hand.

    Args:
        with_dem: Whether there is a DEM. Without one an rgb model is sought, then one for rgb+dem
            that works without.
        settings: Tracking store and experiment.

    Raises:
        ModelError: There is no such run, or its model is damaged.
        TrackingError: The store does not answer.
    """
    found = _newest(with_dem, settings)
    if found is None:
        remedy = "run `gravecli train`, or name a model with --model"
        if not with_dem and _any_fits_with_dem(settings):
            remedy = f"{_ONLY_WITH_DEM}, or name a model with --model"
        raise ModelError(
            f"no finished training for {_at_hand(with_dem)} is recorded",
            where=shown_uri(settings),
            remedy=remedy,
        )
    return found


def own_or_starter(with_dem: bool, settings: Settings) -> FoundModel:
    """Return the newest model that works with the channels at hand; without any, the starter.

    Args:
        with_dem: Whether there is a DEM.
        settings: Tracking store and experiment.

    Raises:
        ModelError: The newest model is damaged; the starter does not stand in for it.
        TrackingError: The store does not answer.
    """
    found = _newest(with_dem, settings)
    if found is not None:
        return found
    starter = resolve_model(STARTER, settings)
    if not with_dem and _any_fits_with_dem(settings):
        return replace(
            starter, advice=f"No model of your own works without a DEM; {_ONLY_WITH_DEM}"
        )
    return starter


def _any_fits_with_dem(settings: Settings) -> bool:
    if not store_exists(settings):
        return False
    return _newest_run(reading_client(settings), True, settings) is not None


def _newest(with_dem: bool, settings: Settings) -> FoundModel | None:
    if not store_exists(settings):
        return None
    client = reading_client(settings)
    run = _newest_run(client, with_dem, settings)
    if run is None:
        return None
    bundle = model_of(client, run, settings)
    origin = f"run {run.info.run_name}, the newest that fits {_at_hand(with_dem)}"
    return FoundModel(bundle, origin)


def _newest_run(client: "MlflowClient", with_dem: bool, settings: Settings) -> "Run | None":
    condition = f"attributes.status = 'FINISHED' AND tags.`{MODEL_TAG}` = '{MODEL_FOLDER}'"
    if with_dem:
        return _search(client, settings, condition)
    run = _search(client, settings, f"{condition} AND tags.`{CHANNELS_TAG}` = 'rgb'")
    return run or _search(client, settings, f"{condition} AND tags.`{WITHOUT_DEM_TAG}` = 'yes'")


def _at_hand(with_dem: bool) -> str:
    return "rgb+dem" if with_dem else "rgb"


def _search(client: "MlflowClient", settings: Settings, condition: str) -> "Run | None":
    """Find the newest run of the experiment that meets a condition in MLflow's notation."""
    name = settings.tracking.experiment
    experiment = look_up(client, lambda: client.get_experiment_by_name(name))
    if experiment is None:
        return None
    runs = look_up(
        client,
        lambda: client.search_runs(
            [experiment.experiment_id],
            condition,
            order_by=["attributes.start_time DESC"],
            max_results=1,
        ),
    )
    return runs[0] if runs else None


def find_run(client: "MlflowClient", name: str, settings: Settings) -> "Run | None":
    """Find a run by its name or id; the newest of several with the same name.

    Raises:
        TrackingError: The store does not answer.
    """
    found = None
    quote = next((one for one in "'\"" if one not in name), None)
    if quote is not None:  # MLflow has no escape for the other
        found = _search(client, settings, f"attributes.run_name = {quote}{name}{quote}")
    return found or look_up(client, lambda: client.get_run(name))


def champion_run(client: "MlflowClient", settings: Settings) -> str:
    """Return the id of the run that trained the champion; empty if there is no champion.

    Raises:
        TrackingError: The store does not answer.
    """
    name = settings.tracking.registered_model
    version = look_up(client, lambda: client.get_model_version_by_alias(name, CHAMPION))
    return str(version.run_id) if version is not None else ""


def model_of(client: "MlflowClient", run: "Run", settings: Settings) -> Bundle:
    """Read the model of a run where it lies, or download it into the cache once.

    Raises:
        ModelError: The run has no model, or it is damaged.
        TrackingError: The model cannot be downloaded.
    """
    folder = run_folder(run, settings)
    if folder is None:
        folder = settings.work_dir / "cache" / "models" / run.info.run_id
        if not folder.is_dir():
            with whole_folder(folder) as new:
                _download_model(client, run, new)
    if not (folder / MODEL_FOLDER).is_dir():
        raise _has_no_model(run)
    return read_bundle(folder / MODEL_FOLDER)


def _download_model(client: "MlflowClient", run: "Run", folder: Path) -> None:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    run_id, uri = run.info.run_id, f"{run.info.artifact_uri}/{MODEL_FOLDER}"
    if not look_up(client, lambda: client.list_artifacts(run_id, MODEL_FOLDER)):
        raise _has_no_model(run)
    try:
        # By URI: asked for the run, MLflow hides the cause of a failure.
        download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=client.tracking_uri)
    except (MlflowException, OSError) as error:
        raise TrackingError(
            f"model of run {run.info.run_name} cannot be downloaded: {mask(str(error), uri)}",
            where=mask_url(client.tracking_uri),
            remedy="try again",
        ) from None


def _has_no_model(run: "Run") -> ModelError:
    return ModelError(f"run {run.info.run_name} has no model", remedy="choose another run")


def _registered(client: "MlflowClient", uri: str, settings: Settings) -> "ModelVersion":
    """Look up a version in the registry by its alias or number."""
    name = uri.removeprefix(_REGISTRY_URI)
    by_alias = "@" in name
    model, _, which = name.rpartition("@" if by_alias else "/")
    ask = client.get_model_version_by_alias if by_alias else client.get_model_version
    version = look_up(client, lambda: ask(model, which))
    if version is None:
        raise _no_such_model(uri, settings)
    return version


def _no_such_model(name: str, settings: Settings) -> ModelError:
    return ModelError(
        "no such model",
        where=name,
        expected=f"a model folder, or a run or registered model of {shown_uri(settings)}",
        remedy=_other_name(name),
    )


def _other_name(name: str) -> str:
    """Say what a user who mistyped the name of a model may have meant."""
    if get_close_matches(name.lower(), [STARTER]):
        return f"{STARTER} is the model that comes with gravecli"
    if "@" in name and not name.startswith(_REGISTRY_URI):
        return f"a registered model is named {_REGISTRY_URI}{name}"
    return "`gravecli runs` lists the runs"
