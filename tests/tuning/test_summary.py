"""The summary of a study that several processes work on."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from optuna import create_trial
from optuna.trial import TrialState
from support import tiny_settings
from toy_worker import toy_study

from grave_cli.errors import InUseError
from grave_cli.owners.claims import claimed
from grave_cli.settings.studies import Study
from grave_cli.tracking.runs import TrackedRun, tracked_run
from grave_cli.tuning.shared_study import SharedStudy
from grave_cli.tuning.summary import has_summary, log_summary


def prune_one(shared: SharedStudy) -> None:
    shared.study.add_trial(create_trial(state=TrialState.PRUNED))


def test_a_trial_that_ends_during_a_summary_is_left_to_the_next(
    work_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, database = tiny_settings(work_dir, work_dir), tmp_path / "studies.db"
    with toy_study(f"sqlite:///{database}") as shared, tracked_run(settings, "toy", {}) as run:
        prune_one(shared)

        def end_a_trial(_: TrackedRun, values: Mapping[str, float]) -> None:
            assert values["trials/pruned"] == 1
            prune_one(shared)
            with pytest.raises(InUseError), claimed(Path(f"{database}.lock"), 0):
                pass  # another summary waits

        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(TrackedRun, "log_metrics", end_a_trial)
            log_summary(run, shared, Study(), settings)
        assert not has_summary(shared)
        log_summary(run, shared, Study(), settings)
        assert has_summary(shared)
