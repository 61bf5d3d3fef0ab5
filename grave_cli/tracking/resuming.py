"""`train --resume`: finds the run to resume and checks which settings and data have changed."""

from grave_cli.errors import DatasetError, SettingsError, TrackingError
from grave_cli.settings.load import LoadedSettings, validate, with_values
from grave_cli.settings.nested import flatten
from grave_cli.settings.resume_marks import may_change_on_resume
from grave_cli.settings.tree import Settings
from grave_cli.tracking.dataset_input import DATASET_TAG
from grave_cli.tracking.local_store import reading_client
from grave_cli.tracking.models import find_run
from grave_cli.tracking.store import shown_uri, store_exists
from grave_cli.tracking.unfinished import Unfinished, settle, unfinished_runs


def find_unfinished(name: str, settings: Settings) -> Unfinished:
    """Find a run that can be resumed.

    Args:
        name: Name or id of the run; the newest of several with the same name.
        settings: Store and work_dir.

    Raises:
        TrackingError: There is no such run, it has finished, it has no checkpoint on this machine,
            or the store does not answer.
    """
    if not store_exists(settings):
        raise TrackingError("no runs are recorded", where=shown_uri(settings))
    client = reading_client(settings)
    settle(client, settings)
    left = [run for run in unfinished_runs(settings) if name in (run.state.name, run.state.run_id)]
    if left and left[0].is_resumable:
        return left[0]
    run = find_run(client, name, settings)
    if run is None:
        raise TrackingError(f"no such run: {name}", where=shown_uri(settings))
    if run.info.status == "FINISHED":
        raise TrackingError(
            f"run {name} has finished",
            remedy=f"start a new one from its model with --init-from {name}",
        )
    raise TrackingError(
        f"run {name} cannot be resumed",
        where=settings.work_dir / "unfinished",
        found="no checkpoint of this run",
        expected="one written after its first epoch, on the machine where it ran",
    )


def resumed_settings(left: Unfinished, now: LoadedSettings) -> Settings:
    """Combine the settings that a run began with and those of the current command line.

    Args:
        left: The run.
        now: Settings of the command; they also determine store and work_dir.

    Raises:
        SettingsError: A changed setting would make it a different training.
    """
    place = {"work_dir": now.settings.work_dir, "tracking.uri": now.settings.tracking.uri}
    before = validate(left.state.settings, {})
    after = with_values(before, {**now.given(), **place})
    old = dict(flatten(before.model_dump()))
    for key, value in flatten(after.model_dump()):
        if value != old.get(key) and not may_change_on_resume(key):
            raise SettingsError(
                f"{key} cannot change in a resumed run",
                found=value,
                expected=old.get(key),
                remedy="start a new run to change it",
            )
    return after


def check_same_data(left: Unfinished, dataset_id: str) -> None:
    """Refuse data other than the run began with.

    Raises:
        DatasetError: The files have changed.
    """
    before = left.state.tags[DATASET_TAG]
    if dataset_id != before:
        raise DatasetError(
            f"the data has changed since run {left.state.name} began",
            found=f"data set {dataset_id}",
            expected=before,
            remedy="restore the old files, or start a new run",
        )
