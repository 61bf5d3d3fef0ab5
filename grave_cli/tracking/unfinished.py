"""Work files of runs that have not come to their end: `work_dir/unfinished/<run id>/`.

A folder holds what its run is about to log and what it takes to go on with it. The process that
works on the run holds a lock in it, which the system releases when the process ends, however it
ends: a folder that nobody holds belongs to a run that was left.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from grave_cli.atomic_writes import whole_file
from grave_cli.errors import TrackingError
from grave_cli.settings.record import without_password
from grave_cli.settings.tree import Settings
from grave_cli.tracking.store import look_up, open_client, store_exists

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHECKPOINT = "last.ckpt"
_STATE = "run.json"
_LOCK = "lock"
_WAIT_S = 2  # for one who only looks whether somebody holds the lock
# What is met in a folder that another process holds, has just removed, or that is another user's.
_OTHERS = (Timeout, FileNotFoundError, PermissionError)


class RunState(BaseModel):
    """What is known of a run whose folder is left.

    Args:
        run_id: MLflow's id.
        name: Its name.
        parent_run_id: Run that it belongs to; None for a run of its own.
        tags: What it was tagged with when it began.
        store: Setting `tracking.uri`, without a password.
        settings: The resolved settings, without passwords.
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
        folder: Where it lies.
        state: Whose it is.
    """

    folder: Path
    state: RunState

    @property
    def checkpoint(self) -> Path:
        """What the training can go on from, once its first epoch is over."""
        return self.folder / CHECKPOINT

    @property
    def is_resumable(self) -> bool:
        """Whether it can go on. Trials cannot: their study makes new ones."""
        return self.state.parent_run_id is None and self.checkpoint.is_file()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it while the block works on the run.

        Raises:
            TrackingError: Another process does.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(_held(self.folder, _WAIT_S))
            except Timeout:
                raise TrackingError(
                    f"run {self.state.name} is going on in another process",
                    remedy="wait for it, or stop it",
                ) from None
            with whole_file(self.folder / _STATE) as new:
                new.write_text(self.state.model_dump_json(), encoding="utf-8")
            yield

    def remove_unless_needed(self, status: str | None) -> None:
        """Remove it when the run has finished, is no more, or cannot go on."""
        if status in ("FINISHED", None) or not self.is_resumable:
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Pruned:
    """A work folder that was removed.

    Args:
        name: Of its run; empty when that is not known.
        run_id: MLflow's id.
        size_bytes: What it held.
    """

    name: str
    run_id: str
    size_bytes: int


def work_folder(settings: Settings, state: RunState) -> Unfinished:
    """Make the folder of a run, or find it."""
    folder = _root(settings) / state.run_id
    folder.mkdir(parents=True, exist_ok=True)
    return Unfinished(folder, state)


def unfinished_runs(settings: Settings) -> list[Unfinished]:
    """List the work folders of the settings' store, held or not, the newest first."""
    states = [(folder, _read_state(folder)) for folder in _folders(settings)]
    found = [
        Unfinished(folder, state)
        for folder, state in states
        if state is not None and state.store == without_password(settings.tracking.uri)
    ]
    return sorted(found, key=lambda left: -_last_change(left.folder))


def settle(client: "MlflowClient", settings: Settings) -> None:
    """Clear up after runs whose process is gone.

    A run that a SIGKILL or a power cut has left RUNNING gets its true status, KILLED, as of its
    last sign of life. Its folder stays only if the run can go on.

    Args:
        client: The store.
        settings: Where the folders lie.
    """
    for left in unfinished_runs(settings):
        with suppress(*_OTHERS):
            last_sign_s = _last_change(left.folder)
            with _held(left.folder):
                status = _status(client, left)
                if status == "RUNNING":
                    client.set_terminated(left.state.run_id, "KILLED", int(last_sign_s * 1000))
            left.remove_unless_needed(status)


def prune(settings: Settings) -> list[Pruned]:
    """Remove the work folders that no process holds: their runs cannot be resumed after that.

    Args:
        settings: Where the folders lie.

    Raises:
        TrackingError: The store cannot be opened to give their runs the true status first.
    """
    if store_exists(settings):
        settle(open_client(settings), settings)
    removed = []
    for folder in _folders(settings):
        with suppress(*_OTHERS):
            with _held(folder):
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
    """Read whose folder it is; None for one that has only just been made, or never got further."""
    try:
        return RunState.model_validate_json((folder / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


@contextmanager
def _held(folder: Path, wait_s: float = 0) -> Iterator[None]:
    """Hold a folder's lock.

    Raises:
        Timeout: Someone else does.
    """
    with FileLock(folder / _LOCK, timeout=wait_s):
        yield


def _status(client: "MlflowClient", left: Unfinished) -> str | None:
    """Return the status of a run; None if it has been deleted."""
    run = look_up(client, lambda: client.get_run(left.state.run_id))
    return str(run.info.status) if run and run.info.lifecycle_stage == "active" else None


def _stats(folder: Path) -> list[os.stat_result]:
    """Look at the files of a folder, which another process may be removing."""
    found = []
    with suppress(FileNotFoundError):
        for path in folder.rglob("*"):
            found.append(path.stat())
    return found


def _size_bytes(folder: Path) -> int:
    return sum(one.st_size for one in _stats(folder))


def _last_change(folder: Path) -> float:
    """Time of the newest file, seconds since the epoch."""
    return max((one.st_mtime for one in _stats(folder)), default=0.0)
