"""A storage of studies that is damaged, locked or silent is one line without secrets."""

import socket
import time
from pathlib import Path

import optuna
import pytest
from broken_database import BROKEN, Break, change, locked
from ports import unused_port
from support import tiny_settings

from grave_cli.errors import TuningError
from grave_cli.settings.tree import Settings
from grave_cli.tuning.dashboard import open_studies
from grave_cli.tuning.opening import open_study
from grave_cli.tuning.storage import storage_url

STORAGES: dict[str, tuple[Break, str]] = {
    **BROKEN,
    "lost table": (
        lambda file: change(file, "PRAGMA foreign_keys=off", "DROP TABLE trials"),
        "is damaged: table trials is missing; restore",
    ),
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A storage with a study."""
    file = tmp_path_factory.mktemp("storage") / "optuna.db"
    optuna.create_study(storage=f"sqlite:///{file}", study_name="seen")
    return file.read_bytes()


@pytest.fixture
def settings(empty: bytes, tmp_path: Path) -> Settings:
    (tmp_path / "optuna.db").write_bytes(empty)
    return tiny_settings(tmp_path, tmp_path, hpo__wait_s=0.2)


def refusals(settings: Settings) -> list[str]:
    """What is said when the studies are shown, and when one is continued."""
    said = []
    with pytest.raises(TuningError) as caught:
        open_studies(settings)
    said.append(str(caught.value))
    with pytest.raises(TuningError) as caught:  # noqa: SIM117
        with open_study(settings, "seen", settings.hpo.studies["pilot"]):
            pytest.fail("it was opened")
    return [*said, str(caught.value)]


@pytest.mark.parametrize("kind", STORAGES)
def test_a_broken_storage_is_one_line(settings: Settings, kind: str) -> None:
    destroy, words = STORAGES[kind]
    destroy(settings.work_dir / "optuna.db")
    for said in refusals(settings):
        assert words in said


def test_a_locked_storage_is_waited_for_as_long_as_the_settings_say(settings: Settings) -> None:
    start = time.monotonic()
    with locked(settings.work_dir / "optuna.db"):
        for said in refusals(settings):
            assert "is locked; another program is writing it" in said
    assert time.monotonic() - start < 5


def break_in_the_middle(settings: Settings) -> None:
    with open_study(settings, "seen", settings.hpo.studies["pilot"]) as shared:
        change(settings.work_dir / "optuna.db", "ALTER TABLE trials RENAME TO gone")
        shared.trials()


def test_a_storage_that_breaks_in_the_middle_is_one_line(settings: Settings) -> None:
    with pytest.raises(TuningError, match="storage cannot be used: no such table: trials; check"):
        break_in_the_middle(settings)


def test_a_silent_server_is_waited_for_as_long_as_the_settings_say(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"postgresql+psycopg://anna:s3cret@127.0.0.1:{listener.getsockname()[1]}/x"
        settings = tiny_settings(tmp_path, tmp_path, hpo__storage=url, hpo__wait_s=2)
        start = time.monotonic()
        with pytest.raises(TuningError, match=r"anna:\*\*\*@.*hpo\.storage"):
            open_studies(settings)
        assert 1 < time.monotonic() - start < 8


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://anna:my s3/cr@et@127.0.0.1:{port}/x",
        "postgresql+psycopg://anna:s3cret@127.0.0.1:port/x",
        "postgresql+psycopg://127.0.0.1:{port}/x?password=s3cret",
        "redis://anna:s3cret@127.0.0.1/x",
        "anna:s3cret@127.0.0.1/x",
    ],
)
def test_no_part_of_a_password_is_shown(url: str, tmp_path: Path) -> None:
    settings = tiny_settings(tmp_path, tmp_path, hpo__storage=url.format(port=unused_port()))
    for said in refusals(settings):
        assert "s3" not in said
        assert "cr" not in said
        assert len(said.splitlines()) == 1


def test_a_storage_may_lie_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a?b {c} 100%"
    settings = tiny_settings(tmp_path, folder)
    with open_study(settings, "new", settings.hpo.studies["pilot"]):
        pass
    assert [path.name for path in folder.iterdir()] == ["optuna.db"]
    assert list(tmp_path.iterdir()) == [folder]
    open_studies(settings).storage.engine.dispose()
    assert storage_url(settings).startswith("sqlite")
