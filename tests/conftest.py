"""Fixtures that several rooms share: a small data set, a model trained on it, and stores."""

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from office import furnish
from postgres import postgres_server
from support import Listener, tiny_settings, untrained_bundle

from grave_cli.model.bundle import Bundle
from grave_cli.sample_data.write import write_sample_data
from grave_cli.settings.tree import Settings

# A shell ignores Ctrl-C in what it starts in the background, and so would the tests.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three cemeteries of 14 m; read only."""
    root = tmp_path_factory.mktemp("sample") / "data"
    write_sample_data(root, cemeteries=3, size_m=14, seed=3)
    return root


@pytest.fixture(scope="session")
def trained(
    sample_data: Path,
    new_work_dir: Callable[[Path], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings whose store holds one tiny finished run for rgb+dem, named `tiny`; read only."""
    from grave_cli.training.trainer import run_training

    work_dir = new_work_dir(tmp_path_factory.mktemp("trained") / "runs")
    settings = tiny_settings(sample_data, work_dir, data__channels="rgb+dem")
    run_training(settings, name="tiny")
    return settings


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny network for rgb+dem with random weights; read only."""
    return untrained_bundle(tmp_path_factory.mktemp("untrained"))


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of `office`; read only."""
    return furnish(tmp_path_factory.mktemp("furnished"))


@pytest.fixture
def office(furnished: Path, untrained: Bundle, tmp_path: Path) -> Path:
    """A folder with data, an untrained model and an earlier map, to try bad inputs in."""
    folder = Path(shutil.copytree(furnished, tmp_path / "office"))
    (folder / "model").symlink_to(untrained.folder)
    return folder


@pytest.fixture(scope="session")
def new_work_dir(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Makes a folder with a tracking store that has its tables: MLflow needs seconds for them."""
    from grave_cli.tracking.store import open_client

    empty = tmp_path_factory.mktemp("empty") / "runs"
    open_client(tiny_settings(empty, empty))

    def make(folder: Path) -> Path:
        return Path(shutil.copytree(empty, folder))

    return make


@pytest.fixture
def work_dir(new_work_dir: Callable[[Path], Path], tmp_path: Path) -> Path:
    """An empty tracking store in `tmp_path / "runs"`."""
    return new_work_dir(tmp_path / "runs")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a PostgreSQL server; `postgres.new_database` makes a database in it."""
    with postgres_server() as url:
        yield url
