"""The settings of a run: the telling ones as MLflow params, all of them as one artifact."""

import json
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grave_cli.settings.nested import flatten
from grave_cli.settings.record import recorded
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

SETTINGS_FILE = "settings.json"
"""Artifact of a run with all of its settings, without secrets."""

MAIN_PARAMS = (
    "data.channels",
    "grid.gsd_m",
    "model.start",
    "chips.size_px",
    "chips.batch_size",
    "training.epochs",
    "training.learning_rate",
    "training.seed",
)
"""Settings that are params of every run, also with their defaults, to compare runs by them.

With `dataset_id` they fill five to seven lines above each picture; the network's encoder is a tag.
"""

RESUMES_TAG = "gravecli.resumes"
PAUSED_TAG = "gravecli.paused_s"
_BATCH = 100  # MLflow's limit of params per request
_MAX_PARAM = 6000  # MLflow's limit of characters per value
# Where runs are recorded, and presets of studies, which are plans for other runs.
_NEVER_TELLING = ("work_dir", "tracking.", "hpo.")


def log_settings(
    client: "MlflowClient", run_id: str, settings: Settings, usual: Settings | None = None
) -> None:
    """Log all settings of a run as `settings.json`, and the telling ones as params.

    MLflow's pages write all params of a run above each of its pictures, so there must be few.

    Args:
        client: The store.
        run_id: MLflow's id.
        settings: The settings.
        usual: Values that need no mention; None for the defaults.
    """
    client.log_dict(run_id, recorded(settings), SETTINGS_FILE)
    log_params(client, run_id, telling_settings(settings, usual))


def log_params(client: "MlflowClient", run_id: str, values: Mapping[str, str]) -> None:
    """Log params of a run, which never change; the same value again changes nothing."""
    from mlflow.entities import Param

    params = (Param(key, value[:_MAX_PARAM]) for key, value in values.items())
    while batch := list(islice(params, _BATCH)):
        client.log_batch(run_id, params=batch)


def telling_settings(settings: Settings, usual: Settings | None = None) -> dict[str, str]:
    """Choose the settings that tell a run from others: the main ones, and the unusual ones.

    Args:
        settings: The settings.
        usual: Values that need no mention; None for the defaults.

    Returns:
        Texts by dotted key.
    """
    known = dict(_texts(recorded(usual or Settings())))
    return {
        key: value
        for key, value in _texts(recorded(settings))
        if key in MAIN_PARAMS or (known.get(key) != value and not key.startswith(_NEVER_TELLING))
    }


def chosen_settings(settings: Settings, keys: Collection[str]) -> dict[str, str]:
    """Return the texts of some settings by dotted key."""
    return {key: value for key, value in _texts(recorded(settings)) if key in keys}


def log_resumption(client: "MlflowClient", run: "Run", settings: Settings) -> None:
    """Record that a run is resumed, and with which settings.

    Settings that differ from those at the start become tags `gravecli.resume_<n>.<setting>`; all
    settings are logged as `settings/resume-<n>.json`. `gravecli.resumes` counts the resumptions,
    `gravecli.paused_s` sums up the seconds between interruptions and resumptions.

    Args:
        client: The store.
        run: The run before it is resumed.
        settings: The settings from now on.
    """
    from mlflow.entities import RunTag

    number = int(run.data.tags.get(RESUMES_TAG, 0)) + 1
    now_ms = time.time() * 1000
    paused_s = float(run.data.tags.get(PAUSED_TAG, 0))
    paused_s += (now_ms - (run.info.end_time or now_ms)) / 1000
    before = _settings_at_start(client, run)
    changed = {
        key: value[:_MAX_PARAM]
        for key, value in _texts(recorded(settings))
        if before.get(key) != value[:_MAX_PARAM]
    }
    tags = {
        RESUMES_TAG: str(number),
        PAUSED_TAG: f"{paused_s:.1f}",
        **{f"gravecli.resume_{number}.{key}": value for key, value in changed.items()},
    }
    client.log_batch(run.info.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    client.log_dict(run.info.run_id, recorded(settings), f"settings/resume-{number}.json")


def _settings_at_start(client: "MlflowClient", run: "Run") -> dict[str, str]:
    """Read the settings that a run began with, as texts; older runs have all of them as params."""
    run_id = run.info.run_id
    if SETTINGS_FILE not in {item.path for item in client.list_artifacts(run_id)}:
        return dict(run.data.params)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(client.download_artifacts(run_id, SETTINGS_FILE, folder))
        tree = json.loads(path.read_text(encoding="utf-8"))
    return {key: value[:_MAX_PARAM] for key, value in _texts(tree)}


def _texts(tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in flatten(tree):
        yield key, value if isinstance(value, str) else json.dumps(value)
