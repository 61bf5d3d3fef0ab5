"""Several processes on one study, some of them killed: no trial too many, none lost."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
import toy_worker
from optuna import Study, Trial, TrialPruned, create_study, delete_study, load_study
from optuna.samplers import RandomSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from postgres import new_database
from toy_worker import SPACE, toy_settings, toy_study

from grave_cli.errors import TuningError
from grave_cli.tuning.dashboard import open_studies
from grave_cli.tuning.shared_study import SharedStudy, Slots
from grave_cli.tuning.storage import open_storage
from grave_cli.tuning.worker import RetryTrial, work

TOY = Path(toy_worker.__file__)


def start(storage: str, wanted: int, seconds: float = 0.05) -> subprocess.Popen[str]:
    command = [sys.executable, TOY, storage, str(wanted), str(seconds)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def assert_done(worker: subprocess.Popen[str]) -> None:
    _, said = worker.communicate(timeout=250)
    assert worker.returncode == 0, said


def kill_in_a_trial(storage: str, worker: subprocess.Popen[str]) -> None:
    """Kill a worker while it runs a trial; the others' trials are as good."""
    with toy_study(storage) as shared:
        while not shared.trials("RUNNING") and worker.poll() is None:
            time.sleep(0.01)
    worker.kill()
    worker.communicate()
    assert worker.returncode == -signal.SIGKILL


def trials_of(storage: str) -> list[FrozenTrial]:
    with toy_study(storage) as shared:
        return shared.trials()


def check(storage: str, wanted: int) -> None:
    trials = trials_of(storage)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    assert len(complete) == wanted
    assert {trial.state.name for trial in trials} <= {"COMPLETE", "FAIL"}
    failed = [trial.params for trial in trials if trial.state.name == "FAIL"]
    done = [trial.params for trial in complete]
    assert all(params in done for params in failed if params), "a lost trial was not done again"
    assert len({params["x"] for params in done}) == wanted, "two workers drew the same trial"


@pytest.fixture
def storage(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'studies.db'}"


@pytest.fixture
def shared(storage: str) -> Iterator[SharedStudy]:
    with toy_study(storage) as study:
        yield study


def test_two_workers_one_of_which_dies_finish_exactly_what_was_asked_for(storage: str) -> None:
    doomed = start(storage, 8, seconds=1)
    kill_in_a_trial(storage, doomed)
    workers = [start(storage, 8), start(storage, 8)]
    for worker in workers:
        assert_done(worker)
    check(storage, 8)
    assert [trial.state.name for trial in trials_of(storage)].count("FAIL") == 1


@pytest.mark.slow
def test_four_workers_on_postgresql_one_of_which_dies(postgres: str) -> None:
    storage = new_database(postgres, "four")
    assert not trials_of(storage)  # the tables are made
    workers = [start(storage, 20, seconds=0.5) for _ in range(4)]
    time.sleep(1)
    kill_in_a_trial(storage, workers.pop())
    for worker in workers:
        assert_done(worker)
    check(storage, 20)


def test_connections_that_the_server_has_closed_meanwhile_end_no_study(postgres: str) -> None:
    with toy_study(new_database(postgres, "closed")) as shared:
        work(shared, Slots(1, SPACE), lambda trial: 1.0)
        with psycopg.connect(f"{postgres}/postgres", autocommit=True) as connection:
            every = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'closed'"
            )
            connection.execute(every)
        work(shared, Slots(2, SPACE), lambda trial: 1.0)
        assert len(shared.finished()) == 2


def test_several_computers_may_begin_with_an_empty_server(postgres: str) -> None:
    settings = toy_settings(new_database(postgres, "empty"))
    together = Barrier(4)

    def begin(_: int) -> RDBStorage:
        together.wait()
        return open_storage(settings)

    with ThreadPoolExecutor(4) as computers:
        for storage in computers.map(begin, range(4)):
            storage.engine.dispose()


def test_a_trial_of_a_killed_process_is_failed_by_the_next_that_looks(storage: str) -> None:
    doomed = start(storage, 1, seconds=600)
    kill_in_a_trial(storage, doomed)
    pages = open_studies(toy_settings(storage))  # `gravecli dashboard`
    assert [one.state.name for one in trials_of(storage)] == ["FAIL", "WAITING"]
    pages.storage.engine.dispose()
    failed, waiting = trials_of(storage)
    assert waiting.params == failed.params


def test_a_trial_of_a_living_process_is_left_alone(storage: str) -> None:
    worker = start(storage, 1, seconds=600)
    with toy_study(storage) as shared:
        while not shared.trials("RUNNING") and worker.poll() is None:
            time.sleep(0.01)
        open_studies(toy_settings(storage)).storage.engine.dispose()
        assert [one.state.name for one in shared.trials()] == ["RUNNING"]
    worker.kill()
    worker.communicate()


def test_the_studies_of_other_programs_are_left_alone(storage: str) -> None:
    foreign = RDBStorage(storage)
    create_study(storage=foreign, study_name="foreign").ask()
    open_studies(toy_settings(storage)).storage.engine.dispose()
    (trial,) = load_study(study_name="foreign", storage=foreign).trials
    assert trial.state.name == "RUNNING"
    foreign.engine.dispose()


@pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed")
def test_a_trial_whose_worker_died_before_its_first_sign_of_life_is_done_again(
    shared: SharedStudy,
) -> None:
    shared.study.ask(SPACE)
    x = shared.trials("RUNNING")[0].params["x"]
    trial = shared.claim(Slots(1, SPACE))
    assert trial is not None
    assert trial.params["x"] == x
    assert [one.state.name for one in shared.trials()] == ["FAIL", "RUNNING"]


def test_pruned_trials_count_failed_ones_do_not(shared: SharedStudy) -> None:
    def objective(trial: Trial) -> float:
        if trial.number == 0:
            raise TrialPruned
        if trial.number == 1:
            raise RuntimeError("no")
        return 1.0

    work(shared, Slots(3, SPACE), objective)
    assert [one.state.name for one in shared.trials()] == ["PRUNED", "FAIL", "COMPLETE", "COMPLETE"]


def test_three_failures_in_a_row_end_it_with_the_first_cause(shared: SharedStudy) -> None:
    def objective(trial: Trial) -> float:
        if trial.number == 1:
            return 1.0
        raise ValueError(f"cause {trial.number}")

    with pytest.raises(TuningError, match=r"3 trials failed .* cause 2"):
        work(shared, Slots(9, SPACE), objective)
    assert len(shared.trials()) == 5


def test_an_attempt_that_asks_for_it_is_made_again_with_the_same_parameters(
    shared: SharedStudy,
) -> None:
    seen = []

    def objective(trial: Trial) -> float:
        seen.append((trial.params["x"], dict(trial.user_attrs).get("batch")))
        if trial.number == 0:
            raise RetryTrial(batch=2)
        return 1.0

    work(shared, Slots(1, SPACE), objective)
    (first, second) = seen
    assert first[0] == second[0]
    assert (first[1], second[1]) == (None, 2)


def test_ctrl_c_leaves_the_trial_to_the_next_call(shared: SharedStudy) -> None:
    def interrupted(trial: Trial) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(shared, Slots(1, SPACE), interrupted)
    (failed,) = shared.trials("FAIL")
    work(shared, Slots(1, SPACE), lambda trial: trial.params["x"])
    (done,) = shared.finished()
    assert done.params == failed.params


def test_ctrl_c_just_after_a_trial_keeps_its_result(
    shared: SharedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def kept_alive_to_the_end(*_: object) -> Iterator[None]:
        yield
        raise KeyboardInterrupt

    class Sampler(RandomSampler):
        def after_trial(self, study: Study, trial: FrozenTrial, *result: object) -> None:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as early:
        early.setattr(SharedStudy, "kept_alive", kept_alive_to_the_end)
        with pytest.raises(KeyboardInterrupt):
            work(shared, Slots(1, SPACE), lambda trial: 1.0)
    shared.study.sampler = Sampler()
    with pytest.raises(KeyboardInterrupt):
        work(shared, Slots(2, SPACE), lambda trial: 2.0)
    assert [one.value for one in shared.trials()] == [1.0, 2.0]


def test_ctrl_c_just_before_a_trial_leaves_it_to_the_next_call(
    shared: SharedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = SharedStudy.claim

    def claimed(study: SharedStudy, slots: Slots) -> None:
        assert claim(study, slots) is not None
        raise KeyboardInterrupt

    monkeypatch.setattr(SharedStudy, "claim", claimed)
    with pytest.raises(KeyboardInterrupt):
        work(shared, Slots(1, SPACE), lambda trial: 1.0)
    assert [one.state.name for one in shared.trials()] == ["FAIL", "WAITING"]


def fail_as_stale(shared: SharedStudy) -> None:
    """Do what another worker does that has heard nothing of the running trials for long."""
    for trial in shared.trials("RUNNING"):
        shared.queue_again(trial.number)


@pytest.mark.parametrize("end", [RetryTrial(batch=2), KeyboardInterrupt()])
def test_a_trial_that_counted_as_dead_is_not_queued_twice(
    shared: SharedStudy, end: BaseException
) -> None:
    def woken(trial: Trial) -> float:
        if trial.number == 0:
            fail_as_stale(shared)
            raise end
        return 1.0

    for _ in range(2):
        with suppress(KeyboardInterrupt):
            work(shared, Slots(1, SPACE), woken)
    assert [one.state.name for one in shared.trials()] == ["FAIL", "COMPLETE"]


def test_a_trial_that_is_taken_for_dead_while_it_ends_stops_no_worker(
    shared: SharedStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sampler(RandomSampler):
        def after_trial(self, study: Study, trial: FrozenTrial, *result: object) -> None:
            if trial.number == 0:
                fail_as_stale(shared)

    shared.study.sampler = Sampler()
    work(shared, Slots(1, SPACE), lambda trial: 1.0)
    assert [one.state.name for one in shared.trials()] == ["FAIL", "COMPLETE"]


def test_a_study_that_is_deleted_in_the_dashboard_is_named(storage: str) -> None:
    def deleted(trial: Trial) -> float:
        delete_study(study_name="toy", storage=storage)
        return 1.0

    with pytest.raises(TuningError, match="study toy has been deleted"):  # noqa: SIM117
        with toy_study(storage) as shared:
            work(shared, Slots(2, SPACE), deleted)


def test_every_combination_is_done_once_even_after_a_failure(shared: SharedStudy) -> None:
    axis = {"x": [0.0, 0.25, 0.5, 1.0]}
    combinations = [{"x": value} for value in axis["x"]]

    def objective(trial: Trial) -> float:
        if trial.number == 2:
            raise RuntimeError("no")
        return float(trial.params["x"])

    work(shared, Slots(4, SPACE, combinations), objective)
    assert sorted(one.params["x"] for one in shared.finished()) == axis["x"]


def test_the_first_worker_is_reproducible_and_the_next_draws_something_else(tmp_path: Path) -> None:
    def drawn(name: str, wanted: int) -> list[float]:
        with toy_study(f"sqlite:///{tmp_path / name}.db") as shared:
            work(shared, Slots(wanted, SPACE), lambda trial: trial.params["x"])
            return [one.params["x"] for one in shared.finished()]

    assert drawn("a", 3) == drawn("b", 3)
    assert len(set(drawn("a", 6))) == 6


def test_no_trial_begins_after_the_deadline(shared: SharedStudy) -> None:
    work(shared, Slots(9, SPACE, deadline=time.time()), lambda trial: 1.0)
    assert not shared.trials()
