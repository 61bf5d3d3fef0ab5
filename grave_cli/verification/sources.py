"""What a map was made from, compared with what is here now: model, rasters, data set."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grave_cli.dataset.file_kinds import DEM, DTM, Kind
from grave_cli.dataset.identity.dataset_id import dataset_id
from grave_cli.dataset.manifest import manifest_of
from grave_cli.dataset.recorded_files import recorded_places
from grave_cli.errors import DatasetError, GraveError
from grave_cli.model.bundle import Bundle
from grave_cli.model.shipped import STARTER, starter_model
from grave_cli.outputs import source_of
from grave_cli.settings.tree import Settings
from grave_cli.tracking.local_store import reading_client
from grave_cli.tracking.models import find_run, model_of, resolve_model
from grave_cli.tracking.store import store_exists
from grave_cli.verification.record import MapRecord

_SHOWN_DIGITS = 12

Status = Literal["equal", "changed", "not here", "unreadable", "no record", "none"]
"""Result for a part. "none": the map has no such part, for example no DEM."""


@dataclass(frozen=True)
class Part:
    """One part of a record, compared.

    Args:
        status: The result.
        detail: The same in words.
    """

    status: Status
    detail: str


@dataclass(frozen=True)
class Sources:
    """Where to look for the sources of a map; None: where gravecli usually has them.

    Args:
        model: Name of a model, as for `resolve_model`.
        orthophoto: The orthophoto.
        dem: The DEM.
        data: The data folder of the training.
        dtm: The DTM below the DEM.
    """

    model: str | None = None
    orthophoto: Path | None = None
    dem: Path | None = None
    data: Path | None = None
    dtm: Path | None = None

    def check(self) -> None:
        """Check that the files and folders exist.

        Raises:
            DatasetError: One is missing.
        """
        for path in (self.orthophoto, self.dem, self.dtm, self.data):
            if path is not None and not os.path.exists(path):
                raise DatasetError(
                    "there is no such file or folder", where=path, remedy="check the name"
                )


def check_model(record: MapRecord, name: str | None, settings: Settings) -> Part:
    """Compare the weights of the model.

    Args:
        record: The record of the map.
        name: Name of the model; None to look for the recorded run.
        settings: Tracking store.

    Raises:
        ModelError: There is no such model as the one that was named.
        TrackingError: The store of the model that was named does not answer.
    """
    if not record["model_sha256"]:
        return Part("no record", "the map does not tell its model")
    if name is not None:
        return _compare_model(resolve_model(name, settings).bundle, record)
    if record["model"] == STARTER:
        return _compare_model(starter_model(), record)
    try:
        bundle = _recorded_model(record["mlflow_run"], settings)
    except GraveError as error:
        return Part("unreadable", str(error))
    if bundle is None:
        run = record["mlflow_run"] or "unknown"
        return Part("not here", f"{record['model']}, MLflow run {run}; name it with --model")
    return _compare_model(bundle, record)


def check_raster(
    record: MapRecord, keys: tuple[str, str], kind: Kind, given: Path | None, settings: Settings
) -> Part:
    """Compare an orthophoto, a DEM or a DTM by its fingerprint.

    Args:
        record: The record of the map.
        keys: Keys of its name and of its fingerprint.
        kind: Its kind, which names its folder.
        given: The file; None to look for the recorded name.
        settings: Data folder.
    """
    name, fingerprint = (record[key] for key in keys)
    if not name:
        if given is not None:  # a file that was named is never passed over
            return Part("changed", f"{given} is named; the map was made without one")
        return Part("none", "none was used")
    if not fingerprint:
        return Part("no record", f"{name}; its content was not recorded")
    roots = (settings.data.root, record.data.root)
    found_here = recorded_places(record.path, name, kind, roots)
    files = [given] if given is not None else list(found_here)
    if not files:
        option = {DEM: "--dem", DTM: "--dtm"}.get(kind, "--orthophoto")
        return Part("not here", f"{name}; name it with {option}")
    found = {path: source_of(path) for path in files}
    equal = next((path for path, now in found.items() if now == fingerprint), None)
    if equal is not None:
        return Part("equal", str(equal))
    first = files[0]
    if not found[first]:
        return Part("unreadable", f"{first} is no file that can be read")
    return Part("changed", f"{first} has other content")


def check_dataset(record: MapRecord, given: Path | None, settings: Settings) -> Part:
    """Compare the data set of the training by its id.

    Args:
        record: The record of the map.
        given: The data folder; None to look where the settings and the training have it.
        settings: Data folder.
    """
    recorded = record["dataset_id"]
    if not recorded:
        if given is not None:
            return Part("no record", f"the model tells none to compare {given} with")
        return Part("none", "the model tells none")
    if record["model"] == STARTER and given is None:
        return Part("none", f"{recorded}, generated cemeteries, which gravecli does not ship")
    roots = (settings.data.root, record.data.root) if given is None else (given,)
    found = [_compare_dataset(record, root) for root in dict.fromkeys(roots) if os.path.isdir(root)]
    if not found:
        return Part("not here", f"{recorded}; name its folder with --data")
    return next((part for part in found if part.status == "equal"), found[0])


def _recorded_model(run_id: str, settings: Settings) -> Bundle | None:
    """Find the model of a run in the store.

    Raises:
        ModelError: It is damaged, or was removed from the run.
        TrackingError: The store does not answer.
    """
    if not run_id or not store_exists(settings):
        return None
    client = reading_client(settings)
    run = find_run(client, run_id, settings)
    return None if run is None else model_of(client, run, settings)


def _compare_model(bundle: Bundle, record: Mapping[str, str] | MapRecord) -> Part:
    found, recorded = bundle.sha256, record["model_sha256"]
    shown = f"{bundle.card.name}, weights {found[:_SHOWN_DIGITS]}"
    if found == recorded:
        return Part("equal", shown)
    return Part("changed", f"{shown}; the map was made with {recorded[:_SHOWN_DIGITS]}")


def _compare_dataset(record: MapRecord, root: Path) -> Part:
    recorded = record["dataset_id"]
    try:
        found = dataset_id(manifest_of(record.data.model_copy(update={"root": root})))
    except GraveError as error:
        return Part("unreadable", str(error))
    if found == recorded:
        return Part("equal", f"{recorded} in {root}")
    return Part("changed", f"{recorded} was trained on; {root} is now {found}")
