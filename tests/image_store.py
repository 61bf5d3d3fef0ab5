"""Reads the runs of a store and their pictures back, as any MLflow client does; copies a store."""

import shutil
from pathlib import Path
from typing import NamedTuple

from mlflow import MlflowClient
from PIL import Image

from grave_cli.settings.load import with_values
from grave_cli.settings.tree import Settings
from grave_cli.tracking.store import tracking_uri


class Logged(NamedTuple):
    """One picture: its key, its step and what is stored of it."""

    key: str
    step: int
    ending: str
    path: str


def client_of(settings: Settings) -> MlflowClient:
    return MlflowClient(tracking_uri(settings))


def runs_of(settings: Settings) -> list:
    """All runs of all experiments: a stray one would be found."""
    client = client_of(settings)
    return list(client.search_runs([e.experiment_id for e in client.search_experiments()]))


def copy_store(settings: Settings, folder: Path) -> Settings:
    """Copy a work_dir into a folder, for a test that adds runs or changes them."""
    shutil.copytree(settings.work_dir, folder / "runs")
    return with_values(settings, {"work_dir": folder / "runs"})


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change (ns) of each file, to see whether any has changed."""
    stats = {path: path.stat() for path in folder.rglob("*")}
    return {
        str(path.relative_to(folder)): (stat.st_size if path.is_file() else 0, stat.st_mtime_ns)
        for path, stat in stats.items()
    }


def images_of(settings: Settings, run_id: str) -> list[Logged]:
    logged = []
    for item in client_of(settings).list_artifacts(run_id, "images"):
        name = Path(item.path).name
        key, _, step, *_ = name.split("+")
        logged.append(Logged(key.replace("~", "/"), int(step), Path(name).suffix, item.path))
    return logged


def size_of(settings: Settings, run_id: str, logged: Logged, folder: Path) -> tuple[int, int]:
    """Width and height in pixels."""
    path = client_of(settings).download_artifacts(run_id, logged.path, str(folder))
    with Image.open(path) as picture:
        return picture.size
