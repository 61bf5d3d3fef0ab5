"""Runs: one per training, with a truthful status however the training ends."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from grave_cli.errors import InUseError, TrackingError
from grave_cli.masking import mask_url
from grave_cli.owners.tags import owner_tag
from grave_cli.settings.record import recorded
from grave_cli.settings.tree import Settings
from grave_cli.tracking.panel_picture import panel_picture
from grave_cli.tracking.params import log_resumption, log_settings
from grave_cli.tracking.provenance import provenance_tags
from grave_cli.tracking.run_files import record_locations
from grave_cli.tracking.store import experiment_id, one_machine, open_client, tracking_uri
from grave_cli.tracking.unfinished import PROCESS_TAG, RunState, presence, settle, work_folder

if TYPE_CHECKING:
    from lightning.pytorch.loggers import MLFlowLogger
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from PIL import Image

PARENT_TAG = "mlflow.parentRunId"


@dataclass(frozen=True)
class TrackedRun:
    """An open run.

    Args:
        client: The store.
        run_id: MLflow's id.
        name: Name of the run.
        settings: Settings of the run.
        folder: Folder for files to be logged, and for the files needed to resume the run.
    """

    client: "MlflowClient"
    run_id: str
    name: str
    settings: Settings
    folder: Path

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics that do not depend on the epoch."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        values = [Metric(name, float(value), now, 0) for name, value in metrics.items()]
        self.client.log_batch(self.run_id, metrics=values)

    def log_folder(self, folder: Path, name: str) -> None:
        """Log the files of a folder as artifacts under a name."""
        self.client.log_artifacts(self.run_id, str(folder), name)

    def log_file(self, path: Path, folder: str) -> None:
        """Log a file as an artifact in a folder."""
        self.client.log_artifact(self.run_id, str(path), folder)

    def log_image(self, picture: "Image.Image", key: str, step: int = 0) -> None:
        """Log a picture that MLflow's pages show with a slider over the steps.

        Args:
            picture: RGB.
            key: Path of letters, digits, `_`, `-`, `.` and `/`; `keys.image_slug` makes its parts.
            step: Epoch from 1; 0 for a picture that belongs to no epoch.
        """
        quick = picture.copy()
        # MLflow passes no options. Fast PNGs are a fifth larger and take a third of the time.
        quick.save = partial(quick.save, compress_level=1)  # type: ignore[method-assign]
        # MLflow resizes to 256 pixels for its panels, in which so small a picture is out of sight.
        quick.resize = lambda *_: panel_picture(picture)  # type: ignore[method-assign]
        with _temporary_files_in(self.folder):
            self.client.log_image(self.run_id, quick, key=key, step=step)

    def tag(self, name: str, value: str) -> None:
        """Set a tag."""
        self.client.set_tag(self.run_id, name, value)

    def lightning_logger(self) -> "MLFlowLogger":
        """Return the logger that writes a training's metrics into this run."""
        return _run_logger(self)


@contextmanager
def tracked_run(
    settings: Settings,
    name: str,
    tags: Mapping[str, str],
    parent_run_id: str | None = None,
    usual: Settings | None = None,
) -> Iterator[TrackedRun]:
    """Open a run, and close it with a truthful status.

    The status is FINISHED when the block ends, KILLED on Ctrl-C and FAILED on any other exception,
    unless the exception has an attribute `run_status`. It is written after everything that the
    block logs. Runs of dead processes get their status first.

    Args:
        settings: Store and experiment; recorded in the run.
        name: Name of the run.
        tags: Tags of the run.
        parent_run_id: Parent run.
        usual: Settings that are no params of the run unless they differ; None for the defaults.

    Raises:
        TrackingError: The store cannot be opened.
        InUseError: It is a file, and a process of another machine uses it.
    """
    all_tags = {**provenance_tags(), PROCESS_TAG: owner_tag(), **tags}
    if parent_run_id:
        all_tags[PARENT_TAG] = parent_run_id
    with one_machine(settings), ExitStack() as stack:
        client = open_client(settings)
        settle(client, settings)
        stack.enter_context(presence(settings))
        run = client.create_run(experiment_id(client, settings), run_name=name, tags=all_tags)
        record_locations(settings, run.info.run_id)
        with _kept_true(client, run, settings) as tracked:
            with _temporary_files_in(tracked.folder):
                log_settings(client, run.info.run_id, settings, usual)
            yield tracked


@contextmanager
def resumed_run(
    settings: Settings, run_id: str, *, from_checkpoint: bool = False
) -> Iterator[TrackedRun]:
    """Open an interrupted run, and close it like a new one.

    Its params and `settings.json` stay as they are. Settings that differ from those become tags,
    and all settings are logged as artifact `settings/resume-<n>.json`.

    Args:
        settings: Settings from now on.
        run_id: MLflow's id.
        from_checkpoint: The run goes on from its checkpoint, which may just have been pruned.

    Raises:
        TrackingError: The store cannot be opened, another process works on the run, or its
            checkpoint is gone.
    """
    with one_machine(settings):
        client = open_client(settings)
        run = client.get_run(run_id)
        record_locations(settings, run_id)
        with _kept_true(client, run, settings, from_checkpoint) as tracked:
            with _temporary_files_in(tracked.folder):
                log_resumption(client, run, settings)
            client.set_tag(run_id, PROCESS_TAG, owner_tag())
            client.update_run(run_id, status="RUNNING")
            yield tracked


@contextmanager
def _kept_true(
    client: "MlflowClient", run: "Run", settings: Settings, from_checkpoint: bool = False
) -> Iterator[TrackedRun]:
    run_id, name = run.info.run_id, run.info.run_name
    work = work_folder(settings, _state(run, settings))
    status = "FAILED"
    with work.held():
        if from_checkpoint:
            work.check_resumable()
        try:
            yield TrackedRun(client, run_id, name, settings, work.folder)
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        except BaseException as error:
            status = getattr(error, "run_status", status)
            raise
        finally:
            if _is_closed(client, run_id, status):
                work.remove_unless_needed(status)


def _is_closed(client: "MlflowClient", run_id: str, status: str) -> bool:
    """Write the status of a run, and report whether the store took it.

    If the store fails after another error, that one counts: the next training corrects the status
    by the work folder. A run that another process has taken over is left to that one.
    """
    try:
        client.set_terminated(run_id, status)
    except (TrackingError, InUseError):
        if status == "FINISHED":
            raise
        return False
    return True


def _state(run: "Run", settings: Settings) -> RunState:
    tags = run.data.tags
    return RunState(
        run_id=run.info.run_id,
        name=run.info.run_name,
        parent_run_id=tags.get(PARENT_TAG),
        tags=tags,
        store=mask_url(settings.tracking.uri),
        settings=recorded(settings),
    )


@contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Make MLflow write its temporary copy where it is deleted after a kill."""
    usual = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = usual


def _run_logger(run: TrackedRun) -> "MLFlowLogger":
    from lightning.pytorch.loggers import MLFlowLogger

    class RunLogger(MLFlowLogger):
        """Logs metrics by epoch; leaves the status to the run's own context manager."""

        def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
            """Log metrics; their step is the epoch from 1, as for pictures."""
            if "epoch" in metrics:
                step = int(metrics["epoch"]) + 1
                metrics = {**metrics, "epoch": step}
            super().log_metrics(metrics, step)

        def finalize(self, status: str = "success") -> None:
            """Do nothing: the fit has ended, the run has not."""

    logger = RunLogger(
        experiment_name=run.settings.tracking.experiment,
        tracking_uri=tracking_uri(run.settings),
        run_id=run.run_id,
        log_model=False,
    )
    logger._mlflow_client = run.client  # whose errors are ours
    return logger
