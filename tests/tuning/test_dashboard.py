"""What a user sees of a study in a real browser, and which storages can be looked into."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from browser import browser_page, needs_chromium
from ports import unused_port
from sqlalchemy import text
from support import tiny_settings
from terminal import assert_refused, gravecli, start_gravecli

from grave_cli.errors import TuningError
from grave_cli.settings.tree import Settings
from grave_cli.tuning.dashboard import open_studies
from grave_cli.tuning.opening import name_objective
from grave_cli.tuning.shared_study import SharedStudy

VALUES = (0.5125, 0.8125, 0.7125)


def make_study(url: str) -> optuna.storages.RDBStorage:
    """A study named `seen`, with three complete trials and a pruned one."""
    storage = optuna.storages.RDBStorage(url)
    study = optuna.create_study(storage=storage, study_name="seen", direction="maximize")
    rate = optuna.distributions.FloatDistribution(0, 1)
    for value in VALUES:
        params = {"training.learning_rate": value / 2}
        kinds = {"training.learning_rate": rate}
        study.add_trial(optuna.trial.create_trial(value=value, params=params, distributions=kinds))
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.PRUNED))
    name_objective(SharedStudy(study, storage), "val/dice")
    return storage


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'studies.db'}"


@pytest.fixture
def settings(tmp_path: Path, url: str) -> Settings:
    return tiny_settings(tmp_path, tmp_path / "runs", hpo__storage=url)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `gravecli dashboard --study seen` says the page is, of the study in `runs`."""
    folder = tmp_path_factory.mktemp("dashboard")
    (folder / "runs").mkdir()
    make_study(f"sqlite:///{folder / 'runs' / 'optuna.db'}").engine.dispose()
    options = ["--study", "seen", "--no-browser", "--port", unused_port()]
    process = start_gravecli("dashboard", *options, cwd=folder)
    assert process.stdout is not None
    yield process.stdout.readline().split()[-1]
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_the_dashboard_listens_here_alone_and_knows_the_study(address: str) -> None:
    assert address.startswith("http://127.0.0.1:")
    root = address[: address.index("dashboard/")]
    with urllib.request.urlopen(f"{root}api/studies", timeout=60) as answer:
        assert "seen" in answer.read().decode()  # it answers as soon as it is announced


@needs_chromium
def test_the_page_shows_the_study_its_objective_best_value_and_trials(address: str) -> None:
    root = address[: address.index("dashboard/")]
    with browser_page(root) as page:
        page.goto("dashboard/")
        page.get_by_text("seen").first.wait_for()
        page.goto(address)
        page.get_by_text("0.8125").first.wait_for()
        page.get_by_text("val/dice").first.wait_for()
        page.get_by_text("training.learning_rate").first.wait_for()
        page.goto(f"{address}/trials")
        for number in range(len(VALUES) + 1):
            page.get_by_text(f"Trial {number}", exact=False).first.wait_for()


def test_a_study_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, url: str) -> None:
    make_study(url).engine.dispose()
    result = gravecli("dashboard", "--storage", url, "--study", "autumn", cwd=tmp_path)
    assert_refused(result, "no such study", "found autumn", "expected seen")


def test_the_file_of_an_optuna_4_is_shown(url: str, settings: Settings) -> None:
    # Optuna 4 and 5 have the same tables (v3.2.0.a); only the name of the library differs.
    storage = make_study(url)
    with storage.engine.begin() as connection:
        connection.execute(text("UPDATE version_info SET library_version = '4.5.0'"))
    storage.engine.dispose()
    studies = open_studies(settings)
    assert studies.path("seen") == "dashboard/studies/1"
    assert [trial.value for trial in studies.storage.get_all_trials(1)][:-1] == list(VALUES)
    studies.storage.engine.dispose()


def test_the_file_of_an_optuna_3_is_refused_with_the_upgrade_that_opens_it(
    url: str, settings: Settings
) -> None:
    storage = make_study(url)
    with storage.engine.begin() as connection:  # all that Optuna 3.2 changed in 3.1's tables
        connection.execute(text("DROP INDEX ix_trials_study_id"))
        connection.execute(text("UPDATE alembic_version SET version_num = 'v3.0.0.d'"))
    storage.engine.dispose()
    upgrade = f"optuna storage upgrade --storage {url}"
    with pytest.raises(TuningError, match=f"created by another Optuna.*`{upgrade}`"):
        open_studies(settings)
    optuna_cli = Path(sys.executable).with_name("optuna")
    subprocess.run([optuna_cli, *upgrade.split()[1:]], check=True, capture_output=True)
    open_studies(settings).storage.engine.dispose()
