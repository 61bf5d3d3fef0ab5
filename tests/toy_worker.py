"""A worker on a study of toy trials: `python toy_worker.py STORAGE WANTED [SECONDS]`.

A trial takes SECONDS and is worth its parameter; no network is trained.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from optuna import Trial
from optuna.distributions import FloatDistribution

from grave_cli.settings.load import load_settings
from grave_cli.settings.studies import Study
from grave_cli.settings.tree import Settings
from grave_cli.tuning.opening import open_study, seed_sampler
from grave_cli.tuning.shared_study import SharedStudy, Slots
from grave_cli.tuning.worker import work

SPACE = {"x": FloatDistribution(0, 1)}


def toy_settings(storage: str) -> Settings:
    return load_settings(
        options={"hpo.storage": storage, "hpo.heartbeat_s": 1}, environ={}
    ).settings


@contextmanager
def toy_study(storage: str) -> Iterator[SharedStudy]:
    plan = Study(pruner="none")
    with open_study(toy_settings(storage), "toy", plan) as shared:
        seed_sampler(shared, plan, seed=0)
        yield shared


def main(storage: str, wanted: str, seconds: str = "0.05") -> None:
    def objective(trial: Trial) -> float:
        time.sleep(float(seconds))
        return float(trial.params["x"])

    with toy_study(storage) as shared:
        work(shared, Slots(int(wanted), SPACE), objective)


if __name__ == "__main__":
    main(*sys.argv[1:])
