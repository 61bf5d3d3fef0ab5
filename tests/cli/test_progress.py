"""What a user sees while a command works: the time left, and warnings although it is quiet."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from terminal import SETS, gravecli

from grave_cli.cli.console import TimeLeftColumn
from grave_cli.model.bundle import Bundle
from grave_cli.settings.tree import Settings


@pytest.mark.parametrize(
    ("completed", "before", "left"),
    [(10, 0, "9:00 min left"), (55, 50, "9:00 min left"), (50, 50, ""), (0, 0, ""), (100, 0, "")],
)
def test_the_time_left_is_counted_by_steps_of_this_process(
    completed: float, before: float, left: str
) -> None:
    task = SimpleNamespace(
        total=100,
        elapsed=60.0,
        completed=completed,
        finished=completed >= 100,
        fields={"before": before},
    )
    assert TimeLeftColumn().render(task).plain == left


def test_work_reported_at_once_counts_as_done_before(monkeypatch: pytest.MonkeyPatch) -> None:
    from grave_cli.cli import console

    now = [100.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    progress = console.TerminalProgress()
    with progress.task("Training", 100, "steps") as advance:
        advance(40)
        now[0] += 5
        advance(10)
        (task,) = progress._bars.tasks
        assert (task.completed, task.fields["before"]) == (50, 40)


def test_quiet_still_shows_warnings(trained: Settings, sample_data: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.tif"
    alone.write_bytes((sample_data / "orthophotos" / "sample_01.tif").read_bytes())
    arguments = ["predict-cemetery", "alone.tif", "--set", f"work_dir={trained.work_dir}"]
    result = gravecli(*arguments, "--quiet", *SETS, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    first, *_ = result.stderr.splitlines()
    assert first == (
        "No model of your own works without a DEM; only models with a DEM fit: give --dem"
    )
    assert "alone.tif: mapped by colours alone" in result.stderr
    assert "Model:" not in result.stderr
    assert "DEM:" not in result.stderr.replace("a DEM", "")
    last = result.stdout.splitlines()[-1]
    assert " in alone.gpkg, " in last
    assert " to review (model starter, " in last
    assert last.endswith(" s)")


def test_another_program_gets_progress_as_lines(
    sample_data: Path, untrained: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAVECLI_PROGRESS", "lines")
    photo = sample_data / "orthophotos" / "sample_01.tif"
    arguments = ["predict-cemetery", photo, "--model", untrained.folder, *SETS, "--json"]
    result = gravecli(*arguments, cwd=tmp_path)
    assert result.returncode == 0
    assert json.loads(result.stdout)["model"] == "untrained"
    news = [json.loads(line) for line in result.stderr.splitlines()]
    assert {"task": "Mapping sample_01.tif", "progress": 0.0} in news
    assert {"progress": 1.0} in news
    assert any(one.get("note", "").startswith("Model: folder") for one in news)
    quiet = gravecli(*arguments, "-q", cwd=tmp_path).stderr
    assert not any("note" in json.loads(line) for line in quiet.splitlines())
    told = gravecli(*arguments[:-1], "--format", "csv", cwd=tmp_path).stderr.splitlines()
    warnings = [json.loads(line).get("warning", "") for line in told]
    assert any("the graves alone" in warning for warning in warnings)
    refused = gravecli("predict-cemetery", "nothing.tif", cwd=tmp_path)
    assert refused.stderr.startswith("gravecli: nothing.tif: file is missing")
