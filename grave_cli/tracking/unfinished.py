"""Work files of unfinished runs: `work_dir/unfinished/<run id>/`.

A folder holds the files that its run is about to log, and those needed to resume it. The process
that works on the run has claimed the folder, so a folder without a living claim belongs to an
interrupted run.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from grave_cli.atomic_writes import whole_file
from grave_cli.errors import InUseError, TrackingError
from grave_cli.masking import mask_url
from grave_cli.owners.claims import claimed
from grave_cli.owners.leftovers import is_dead, kept_folder, sweep
from grave_cli.owners.tags import owner_of
from grave_cli.settings.tree import Settings
from grave_cli.tracking.store import all_runs, look_up, open_client, store_exists

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHECKPOINT = "last.ckpt"
PROCESS_TAG = "gravecli.process"
"""Tag of a run: the process that works on it."""
_STATE = "run.json"
_NEW_S = 60  # a younger folder may be about to get its record
# A folder that another process holds or has just removed, that another user owns, or on a read-only
# disk.
_OTHERS = (InUseError, OSError)


class RunState(BaseModel):
    """The record of a run in its work folder.

    Args:
        run_id: MLflow's id.
        name: Name of the run.
        parent_run_id: Parent run; None if it has none.
        tags: Tags of the run when it began.
        store: Setting `tracking.uri`, without secrets.
        settings: The resolved settings, without secrets.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    name: str
    parent_run_id: str | None
    tags: dict[str, str]
    store: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class Unfinished:
    """The work folder of a run.

    Args:
        folder: The folder.
        state: The run it belongs to.
    """

    folder: Path
    state: RunState

    @property
    def checkpoint(self) -> Path:
        """The checkpoint to resume from; it exists after the first epoch."""
        return self.folder / CHECKPOINT

    @property
    def is_resumable(self) -> bool:
        """Whether the run can be resumed. Trials cannot: their study starts new ones."""
        return self.state.parent_run_id is None and self.checkpoint.is_file()

    def check_resumable(self) -> None:
        """Find out, once the folder is claimed, whether the run can still be resumed.

        Raises:
            TrackingError: Its checkpoint has been pruned since the run was chosen.
        """
        if not self.is_resumable:
            raise TrackingError(
                f"run {self.state.name} can no longer be resumed",
                where=self.folder,
                found="no checkpoint: it has just been pruned",
                remedy="start a new run",
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Claim the folder while the block works on the run.

        Raises:
            TrackingError: Another process holds it.
        """
        with self._locked():
            with whole_file(self.folder / _STATE) as new:
                new.write_text(self.state.model_dump_json(), encoding="utf-8")
            yield

    def check_free(self) -> None:
        """Find out whether this process could work on the run.

        Raises:
            TrackingError: Another process does.
        """
        with self._locked():
            pass

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(claimed(self.folder))
            except InUseError as error:
                raise TrackingError(
                    f"run {self.state.name} is running in another process, {error.what}",
                    remedy=error.remedy,
                ) from None
            yield

    def remove_unless_needed(self, status: str | None) -> None:
        """Remove the folder if the run has finished, is deleted (None) or cannot be resumed."""
        if status in ("FINISHED", None) or not self.is_resumable:
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Pruned:
    """A removed work folder.

    Args:
        name: Name of the run; empty if unknown.
        run_id: MLflow's id.
        size_bytes: Size of its files.
    """

    name: str
    run_id: str
    size_bytes: int


def presence(settings: Settings) -> AbstractContextManager[Path]:
    """Show other processes that this one lives, for runs that have no work folder yet."""
    return kept_folder(_root(settings))


def work_folder(settings: Settings, state: RunState) -> Unfinished:
    """Return the work folder of a run; create it if missing."""
    folder = _root(settings) / state.run_id
    with kept_folder(folder):
        return Unfinished(folder, state)


def unfinished_runs(settings: Settings) -> list[Unfinished]:
    """List the work folders of the settings' store, claimed or not, newest first."""
    states = [(folder, _read_state(folder)) for folder in _folders(settings)]
    found = [
        Unfinished(folder, state)
        for folder, state in states
        if state is not None and mask_url(state.store) == mask_url(settings.tracking.uri)
    ]
    return sorted(found, key=lambda left: -_last_change(left.folder))


def settle(client: "MlflowClient", settings: Settings) -> None:
    """Correct the status of runs whose process is dead.

    After a SIGKILL or a power cut, a run is still RUNNING. It becomes KILLED, with the time of its
    last written file as its end. Its work folder stays only if the run can be resumed. A run killed
    before it had a work folder is known by the tag of its process.

    Args:
        client: The store.
        settings: Work folders and store.

    Raises:
        TrackingError: The store does not answer.
    """
    for left in unfinished_runs(settings):
        with suppress(*_OTHERS):
            last_sign_s = _last_change(left.folder)
            with claimed(left.folder, 0):
                status = _status(client, left)
                if status == "RUNNING":
                    client.set_terminated(left.state.run_id, "KILLED", int(last_sign_s * 1000))
                left.remove_unless_needed(status)  # another process may hold it a moment later
    _remove_without_record(settings)
    with suppress(InUseError):
        _settle_without_folder(client, settings)
    sweep(_root(settings))


def _remove_without_record(settings: Settings) -> None:
    """Remove the folders of processes that were killed before they wrote a record."""
    for folder in _folders(settings):
        if _read_state(folder) is None and time.time() - _last_change(folder) > _NEW_S:
            with suppress(*_OTHERS), claimed(folder, 0):
                shutil.rmtree(folder, ignore_errors=True)


def _settle_without_folder(client: "MlflowClient", settings: Settings) -> None:
    experiment = client.get_experiment_by_name(settings.tracking.experiment)
    if experiment is None:
        return
    known = {left.state.run_id for left in unfinished_runs(settings)}
    for run in all_runs(client, experiment.experiment_id, "attributes.status = 'RUNNING'"):
        owner = owner_of(run.data.tags.get(PROCESS_TAG, ""))
        has_ended = owner is not None and is_dead(owner, _root(settings))
        if has_ended and run.info.run_id not in known:
            client.set_terminated(run.info.run_id, "KILLED")


def prune(settings: Settings) -> list[Pruned]:
    """Remove the work folders of interrupted runs, which then can no longer be resumed.

    Args:
        settings: Work folders and store.

    Raises:
        TrackingError: The store cannot be opened to correct the status of the runs first.
    """
    if store_exists(settings):
        settle(open_client(settings), settings)
    removed = []
    for folder in _folders(settings):
        with suppress(*_OTHERS), claimed(folder, 0):
            state = _read_state(folder)
            name = state.name if state else ""
            removed.append(Pruned(name, folder.name, _size_bytes(folder)))
            shutil.rmtree(folder, ignore_errors=True)
    return removed


def _root(settings: Settings) -> Path:
    return settings.work_dir / "unfinished"


def _folders(settings: Settings) -> list[Path]:
    root = _root(settings)
    return sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def _read_state(folder: Path) -> RunState | None:
    """Read the record of a folder; None if it has none yet."""
    try:
        return RunState.model_validate_json((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def _status(client: "MlflowClient", left: Unfinished) -> str | None:
    """Return the status of a run; None if it has been deleted."""
    run = look_up(client, lambda: client.get_run(left.state.run_id))
    return str(run.info.status) if run and run.info.lifecycle_stage == "active" else None


def _stats(folder: Path) -> list[os.stat_result]:
    """Return the state of a folder's files, which another process may be removing."""
    found = []
    with suppress(FileNotFoundError):
        for path in folder.rglob("*"):
            found.append(path.stat())
    return found


def _size_bytes(folder: Path) -> int:
    return sum(one.st_size for one in _stats(folder))


def _last_change(folder: Path) -> float:
    """Return the time of the newest file, in seconds since the epoch."""
    return max((one.st_mtime for one in _stats(folder)), default=0.0)
