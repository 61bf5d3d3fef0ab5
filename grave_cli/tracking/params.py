"""The settings of a run as MLflow params, which never change, and the changes of a resumed run."""

import json
import time
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from grave_cli.settings.load import flatten
from grave_cli.settings.record import recorded
from grave_cli.settings.tree import Settings

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RESUMES_TAG = "gravecli.resumes"
PAUSED_TAG = "gravecli.paused_s"
_BATCH = 100  # MLflow's limit of params per request
_MAX_PARAM = 6000  # MLflow's limit of characters per value


def log_params(client: "MlflowClient", run_id: str, settings: Settings) -> None:
    """Log every setting of a run as a param."""
    from mlflow.entities import Param

    params = (Param(key, value) for key, value in _texts(settings))
    while batch := list(islice(params, _BATCH)):
        client.log_batch(run_id, params=batch)


def log_resumption(client: "MlflowClient", run: "Run", settings: Settings) -> None:
    """Record that a run is resumed, and with which settings.

    Settings that differ from the params become tags `gravecli.resume_<n>.<setting>`; all settings
    are logged as `settings/resume-<n>.json`. `gravecli.resumes` counts the resumptions,
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
    changed = {key: value for key, value in _texts(settings) if run.data.params.get(key) != value}
    tags = {
        RESUMES_TAG: str(number),
        PAUSED_TAG: f"{paused_s:.1f}",
        **{f"gravecli.resume_{number}.{key}": value for key, value in changed.items()},
    }
    client.log_batch(run.info.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    client.log_dict(run.info.run_id, recorded(settings), f"settings/resume-{number}.json")


def _texts(settings: Settings) -> Iterator[tuple[str, str]]:
    for key, value in flatten(recorded(settings)):
        yield key, _param_text(value)


def _param_text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:_MAX_PARAM]
