"""A tracking store that is a SQLite file, read without MLflow, whose import takes seconds.

It answers like MLflow's client: the same methods, fields and order. Everything else goes on to
MLflow: changes, other conditions, and stores that are servers or other databases, or of another
version.
"""

import math
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from grave_cli.database import sqlite_file
from grave_cli.settings.tree import Settings
from grave_cli.tracking.guarded_client import StoreError
from grave_cli.tracking.records import (
    Experiment,
    Metric,
    ModelVersion,
    Page,
    Run,
    RunData,
    RunInfo,
)
from grave_cli.tracking.store import open_client, tracking_uri
from grave_cli.tracking.store_file import Rows, StoreFile

if TYPE_CHECKING:
    from mlflow import MlflowClient

_DELETED = "Deleted_Internal"  # stage of a model version that MLflow no longer shows
_NEWEST_FIRST = ["attributes.start_time DESC"]
# Example: "attributes.status = 'FINISHED' AND tags.`gravecli.channels` = 'rgb'"
_VALUE = r"""(?:'([^']*)'|"([^"]*)")"""
_CONDITION = rf"(?:attributes\.(status|run_name)|tags\.`([^`']+)`) = {_VALUE}"
_FILTER = re.compile(rf"(?:{_CONDITION}(?: AND {_CONDITION})*)?")
_COLUMNS = {"status": "status", "run_name": "name"}


def reading_client(settings: Settings) -> "MlflowClient":
    """Open the tracking store to read in it, without MLflow where that is possible.

    Args:
        settings: The store; it exists.

    Returns:
        A client whose errors are `TrackingError`. It opens the store with MLflow at the first call
        that only MLflow can answer.

    Raises:
        TrackingError: The store cannot be opened.
    """
    path = sqlite_file(tracking_uri(settings))
    if path is None:
        return open_client(settings)
    file = StoreFile(path, settings)
    return (
        cast("MlflowClient", _Reader(file, settings)) if file.is_known() else open_client(settings)
    )


class _Reader:
    """The part of MLflow's client that looks up experiments, runs and model versions."""

    def __init__(self, file: StoreFile, settings: Settings) -> None:
        self._file = file
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._mlflow, name)

    @cached_property
    def _mlflow(self) -> "MlflowClient":
        return open_client(self._settings)

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Find an experiment, also a deleted one."""
        found = self._experiments("name = ?", name)
        return found[0] if found else None

    def search_experiments(self) -> list[Experiment]:
        """List the experiments, newest first."""
        return self._experiments("lifecycle_stage = ?", "active")

    def get_run(self, run_id: str) -> Run:
        """Return a run, also a deleted one.

        Raises:
            StoreError: There is no such run.
        """
        runs = self._runs("run_uuid = ?", [run_id])
        if not runs:
            raise _absent(f"no run {run_id}")
        return runs[0]

    def search_runs(
        self,
        experiment_ids: list[str],
        filter_string: str = "",
        *,
        order_by: list[str] | None = None,
        max_results: int = 1000,
        page_token: str | None = None,
    ) -> Page[Run]:
        """List the runs of an experiment that are not deleted, newest first.

        Args:
            experiment_ids: The experiment.
            filter_string: Conditions on status, name and tags, each for one value.
            order_by: By start time.
            max_results: Length of a page.
            page_token: Start of the page.
        """
        if not _FILTER.fullmatch(filter_string) or order_by != _NEWEST_FIRST:
            found = self._mlflow.search_runs(
                experiment_ids,
                filter_string,
                order_by=order_by,
                max_results=max_results,
                page_token=page_token,
            )
            return cast("Page[Run]", found)
        condition, values = _as_sql(filter_string)
        marks, first = _marks(experiment_ids), int(page_token or 0)
        page = Page(
            self._runs(
                f"experiment_id IN ({marks}) AND lifecycle_stage = 'active'{condition}"
                " ORDER BY start_time IS NULL, start_time DESC, run_uuid LIMIT ? OFFSET ?",
                [*map(int, experiment_ids), *values, max_results + 1, first],
            )
        )
        if len(page) > max_results:
            del page[max_results:]
            page.token = str(first + max_results)
        return page

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """List the values of a metric in the order in which they were logged."""
        rows = self._file.ask(
            "SELECT value, is_nan, timestamp, step FROM metrics WHERE run_uuid = ? AND key = ?"
            " ORDER BY timestamp, step, value",
            [run_id, key],
        )
        return [Metric(key, _number(value, is_nan), *when) for value, is_nan, *when in rows]

    def get_model_version(self, name: str, version: str) -> ModelVersion:
        """Return a version of a registered model.

        Raises:
            StoreError: There is none.
        """
        rows = self._file.ask(
            "SELECT version, run_id FROM model_versions"
            " WHERE name = ? AND CAST(version AS TEXT) = ? AND current_stage != ?",
            [name, version, _DELETED],
        )
        if not rows:
            raise _absent(f"no version {version} of {name}")
        number, run_id = rows[0]
        tags = self._file.ask(
            "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?",
            [name, number],
        )
        return ModelVersion(name, number, run_id, dict(tags))

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version of a registered model that has an alias.

        Raises:
            StoreError: There is none.
        """
        if alias.lower() == "latest":  # not stored: MLflow works it out
            return cast("ModelVersion", self._mlflow.get_model_version_by_alias(name, alias))
        rows = self._file.ask(
            "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?",
            [name, alias],
        )
        if not rows:
            raise _absent(f"no alias {alias} of {name}")
        return self.get_model_version(name, str(rows[0][0]))

    def _experiments(self, condition: str, value: str) -> list[Experiment]:
        rows = self._file.ask(
            "SELECT experiment_id, name, artifact_location, lifecycle_stage FROM experiments"
            f" WHERE {condition} ORDER BY creation_time DESC, experiment_id",
            [value],
        )
        return [Experiment(str(number), *rest) for number, *rest in rows]

    def _runs(self, condition: str, values: Sequence[object]) -> list[Run]:
        """Read runs with everything that was logged for them."""
        rows = self._file.ask(
            "SELECT run_uuid, name, experiment_id, status, start_time, end_time,"
            f" lifecycle_stage, artifact_uri FROM runs WHERE {condition}",
            values,
        )
        data = {row[0]: RunData({}, {}, {}) for row in rows}
        for run_id, key, value, is_nan in self._logged("latest_metrics", "is_nan", data):
            data[run_id].metrics[key] = _number(value, is_nan)
        for run_id, key, value, _ in self._logged("params", "0", data):
            data[run_id].params[key] = value
        for run_id, key, value, _ in self._logged("tags", "0", data):
            data[run_id].tags[key] = value
        return [Run(_info(row, data[row[0]].tags), data[row[0]]) for row in rows]

    def _logged(self, table: str, extra: str, run_ids: Iterable[str]) -> Rows:
        chosen = list(run_ids)
        query = f"SELECT run_uuid, key, value, {extra} FROM {table}"
        return self._file.ask(f"{query} WHERE run_uuid IN ({_marks(chosen)})", chosen)


def _info(row: Sequence[Any], tags: dict[str, str]) -> RunInfo:
    run_id, name, experiment_id, *rest = row
    return RunInfo(run_id, name or tags.get("mlflow.runName", ""), str(experiment_id), *rest)


def _as_sql(filter_string: str) -> tuple[str, list[str]]:
    """Translate conditions in MLflow's notation into SQL and its values."""
    text, values = "", []
    for attribute, tag, *quoted in re.findall(_CONDITION, filter_string):
        value = "".join(quoted)
        if attribute:
            text += f" AND {_COLUMNS[attribute]} = ?"
            values.append(value)
        else:
            text += " AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)"
            values += [tag, value]
    return text, values


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _number(value: float, is_nan: int) -> float:
    return math.nan if is_nan else value


def _absent(what: str) -> StoreError:
    """Return the error that `look_up` takes for an absent thing."""
    error = StoreError(what)
    error.code = "RESOURCE_DOES_NOT_EXIST"
    return error
