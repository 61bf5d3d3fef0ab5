from contextlib import nullcontext
from pathlib import Path

import pytest
from mlflow import MlflowClient
from support import tiny_settings

from grave_cli.settings.tree import Settings
from grave_cli.tracking.runs import tracked_run
from grave_cli.tracking.store import tracking_uri


@pytest.fixture
def settings(work_dir: Path) -> Settings:
    return tiny_settings(work_dir, work_dir)


def status_of(settings: Settings, run_id: str) -> str:
    return MlflowClient(tracking_uri(settings)).get_run(run_id).info.status


class Pruned(Exception):
    run_status = "KILLED"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "FINISHED"),
        (ValueError("broken"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(1), "FAILED"),
        (Pruned(), "KILLED"),
    ],
)
def test_the_status_is_true_whatever_ends_a_run(
    settings: Settings, error: BaseException | None, status: str
) -> None:
    expected = nullcontext() if error is None else pytest.raises(type(error))
    with expected, tracked_run(settings, "one", {}) as run:
        assert status_of(settings, run.run_id) == "RUNNING"
        if error is not None:
            raise error
    assert status_of(settings, run.run_id) == status


def test_every_setting_is_a_param_and_a_parent_is_kept(settings: Settings) -> None:
    with tracked_run(settings, "parent", {}) as parent:  # noqa: SIM117
        with tracked_run(settings, "child", {"color": "blue"}, parent.run_id) as child:
            pass
    run = MlflowClient(tracking_uri(settings)).get_run(child.run_id)
    assert run.data.params["chips.size_px"] == "64"
    assert run.data.params["hpo.studies.pilot.trials"] == "20"
    assert run.data.tags["mlflow.parentRunId"] == parent.run_id
    assert run.data.tags["color"] == "blue"


def test_artifacts_lie_below_the_work_dir(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("hello")
    with tracked_run(settings, "one", {}) as run:
        run.log_file(tmp_path / "note.txt", "notes")
    assert [p.name for p in (settings.work_dir / "artifacts").rglob("*.txt")] == ["note.txt"]
