"""`gravecli dataset-id`: the id alone on stdout, words on stderr, the same id as in training."""

import json
import os
import re
from pathlib import Path

import pytest

from grave_cli.cli.app import main
from grave_cli.dataset.training_data import plan_training
from grave_cli.settings.load import load_settings

ID = re.compile(r"[0-9a-f]{8}\n")
# Of the fixture's two files, by `printf 'PATH\tSIZE\tTIME\n...' | sha256sum`; the id by content has
# 'PATH\tSHA256' instead. The shared file is outside/all.gpkg.
BY_TIMES = "b58c26ac"
BY_CONTENT = "4290aa33"
BY_TIMES_WITH_A_SHARED_FILE = "547fb025"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("orthophotos/a.tif", "annotations/a.gpkg"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(name.encode())
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return Path("data")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["gravecli", "dataset-id", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_stdout_is_the_id_and_nothing_else(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "data") == 0
    out, err = capfd.readouterr()
    assert out == f"{BY_TIMES}\n"
    assert err == ""
    assert not Path("runs").exists()


def test_annotations_named_by_a_setting_count(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (data / "annotations/a.gpkg").rename("all.gpkg")
    run(monkeypatch, "data")
    assert run(monkeypatch, "data", "--set", "data.annotations='all.gpkg'") == 0
    without, with_it = capfd.readouterr().out.split()
    assert without != with_it == BY_TIMES_WITH_A_SHARED_FILE


def test_training_records_the_same_id(
    sample_data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = plan_training(load_settings(options={"data.root": sample_data}).settings)
    assert run(monkeypatch, str(sample_data)) == 0
    assert capfd.readouterr().out == f"{plan.dataset_id}\n"


def test_content_gives_another_id_and_remembers_hashes_below_work_dir(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "data")
    by_times = capfd.readouterr().out
    assert run(monkeypatch, "data", "--content", "--set", "work_dir='state'") == 0
    by_content = capfd.readouterr().out
    assert (by_times, by_content) == (f"{BY_TIMES}\n", f"{BY_CONTENT}\n")
    assert Path("state/cache/content-hashes.json").is_file()


@pytest.mark.parametrize("content", [(), ("--content",)])
def test_the_list_has_the_id_and_every_file(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    content: tuple[str, ...],
) -> None:
    assert run(monkeypatch, "data", "--manifest", "list.json", *content) == 0
    stored = json.loads(Path("list.json").read_text("utf-8"))
    assert capfd.readouterr().out == f"{stored['id']}\n"
    (annotations, orthophoto) = stored["files"]
    assert annotations["path"] == "annotations/a.gpkg"
    assert (orthophoto["size"], orthophoto["mtime"]) == (17, 1_600_000_000)
    assert ("sha256" in orthophoto) == bool(content)


def test_changes_are_reported_on_stderr(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "data", "--manifest", "old.json")
    before = capfd.readouterr().out.strip()
    (data / "dems").mkdir()
    (data / "dems/a.tif").write_bytes(b"12")
    assert run(monkeypatch, "data", "--diff", "old.json", "--manifest", "old.json") == 0
    out, err = capfd.readouterr()
    assert ID.fullmatch(out)
    assert err.splitlines() == [
        f"data set {before} is now {out.strip()}",
        "added: dems/a.tif (2 bytes)",
    ]
    run(monkeypatch, "data", "--diff", "old.json")
    assert capfd.readouterr().err.splitlines() == [f"still {out.strip()}", "nothing changed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere: data folder is missing"),
        (("data", "--diff", "gone.json"), "gone.json: file is missing"),
        (("data", "--config", "gone.toml"), "gone.toml"),
    ],
)
def test_a_refusal_is_one_line_on_stderr_and_exit_code_2(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert run(monkeypatch, *arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert message in err


def test_edits_that_are_not_in_the_file_yet_count(
    data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "data", "--manifest", "before.json")
    before = capfd.readouterr().out
    log = data / "annotations/a.gpkg-wal"
    log.write_bytes(bytes.fromhex("377f0682") + b"edits")
    assert run(monkeypatch, "data", "--diff", "before.json") == 0
    out, err = capfd.readouterr()
    assert out != before
    assert "added: annotations/a.gpkg-wal (9 bytes)" in err
