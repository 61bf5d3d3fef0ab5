"""Many cemeteries in one go."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from node import HERE, become, nodes
from terminal import SETS, assert_refused, gravecli

from grave_cli.model.bundle import Bundle


@pytest.fixture
def here(sample_data: Path, untrained: Bundle, tmp_path: Path) -> Path:
    """A folder with a model and three cemeteries, the second of which is damaged."""
    for kind in ("orthophotos", "dems"):
        shutil.copytree(sample_data / kind, tmp_path / "data" / kind)
    (tmp_path / "data" / "orthophotos" / "sample_02.tif").write_bytes(b"no picture")
    (tmp_path / "model").symlink_to(untrained.folder)
    return tmp_path


def predict(here: Path, *arguments: object):
    return gravecli("predict-cemetery", *arguments, "--model", "model", *SETS, cwd=here)


def states(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["cemetery"]: row["state"] for row in csv.DictReader(file)}


def test_a_damaged_orthophoto_does_not_stop_the_others(here: Path) -> None:
    more = ["--preview", "pictures", "--format", "fgb", "--json"]
    result = predict(here, "data", "--out", "maps", *more)
    assert result.returncode == 1, result.stderr
    assert "sample_02 failed: data/orthophotos/sample_02.tif: cannot be opened" in result.stderr
    printed = json.loads(result.stdout)
    assert [printed[key] for key in ("mapped", "already_mapped", "failed")] == [2, 0, 1]
    assert sorted(path.name for path in (here / "pictures").iterdir()) == [
        "sample_01.png",
        "sample_03.png",
    ]
    maps = [f"sample_0{number}.{ending}" for number in (1, 3) for ending in ("fgb", "gpkg")]
    files = [*maps, "summary.csv", "summary.json"]
    assert sorted(path.name for path in (here / "maps").iterdir()) == files
    assert result.stderr.count("FlatGeobuf: the graves alone") == 1
    expected = {"sample_01": "mapped", "sample_02": "failed", "sample_03": "mapped"}
    assert states(here / "maps" / "summary.csv") == expected
    written = json.loads((here / "maps" / "summary.json").read_text("utf-8"))
    assert written["cemeteries"] == printed["cemeteries"]


def test_finished_maps_are_skipped_and_a_changed_summary_is_kept(
    here: Path, sample_data: Path
) -> None:
    damaged = here / "data" / "orthophotos" / "sample_02.tif"
    damaged.unlink()
    (here / "data" / "dems" / "sample_02.tif").rename(here / "later.tif")
    assert predict(here, "data", "--out", "maps").returncode == 0
    shutil.copy2(sample_data / "orthophotos" / "sample_02.tif", damaged)  # delivered again
    (here / "later.tif").rename(here / "data" / "dems" / "sample_02.tif")
    before = (here / "maps" / "sample_01.gpkg").read_bytes()
    result = predict(here, "data", "--out", "maps")
    assert result.returncode == 0, result.stderr
    assert "1 mapped, 2 already mapped, 0 failed" in result.stdout
    assert (here / "maps" / "sample_01.gpkg").read_bytes() == before
    more = ["--format", "fgb"]  # which are missing beside the finished maps
    assert "3 mapped, 0 already mapped" in predict(here, "data", "--out", "maps", *more).stdout
    result = predict(here, "data", "--out", "maps", "--overwrite")
    assert "3 mapped, 0 already mapped, 0 failed" in result.stdout
    table = here / "maps" / "summary.csv"
    table.write_text(table.read_text("utf-8") + "my own line\n", encoding="utf-8")
    assert_refused(predict(here, "data", "--out", "maps"), "summary.csv", "was changed")


def test_a_missing_overview_or_report_is_made_later(here: Path) -> None:
    (here / "data" / "orthophotos" / "sample_02.tif").unlink()
    (here / "data" / "dems" / "sample_02.tif").unlink()
    assert predict(here, "data", "--out", "maps").returncode == 0
    for more in (("--preview", "pictures"), ("--report", "pages")):
        result = predict(here, "data", "--out", "maps", *more)
        assert "2 mapped, 0 already mapped, 0 failed" in result.stdout
        result = predict(here, "data", "--out", "maps", *more)
        assert "0 mapped, 2 already mapped, 0 failed" in result.stdout
    files = sorted(path.name for name in ("pictures", "pages") for path in (here / name).iterdir())
    assert files == ["sample_01.html", "sample_01.png", "sample_03.html", "sample_03.png"]


def test_each_shard_writes_a_summary_of_its_own(here: Path) -> None:
    assert predict(here, "data", "--out", "maps", "--shard", "1/2").returncode == 0
    result = predict(here, "data", "--out", "maps", "--shard", "2/2")
    assert result.returncode == 1  # its only cemetery is damaged
    assert list(states(here / "maps" / "summary-1-of-2.csv")) == ["sample_01", "sample_03"]
    assert list(states(here / "maps" / "summary-2-of-2.csv")) == ["sample_02"]


def test_options_of_one_and_of_many_are_told_apart(here: Path) -> None:
    one = "data/orthophotos/sample_01.tif"
    assert_refused(predict(here, "data", "--dem", "x.tif"), "--dem belongs to one", "--dem-dir")
    assert_refused(predict(here, "data", "--truth", "x.gpkg"), "--truth belongs to one")
    assert_refused(predict(here, "data", "--previous", "x.gpkg"), "--previous belongs to one")
    assert_refused(predict(here, one, "--shard", "1/2"), "--shard belongs to several")
    assert_refused(predict(here, one, "--ray", "local"), "--ray belongs to several")
    assert_refused(predict(here, one, "--dem-dir", "data/dems"), "--dem-dir belongs to several")
    assert_refused(predict(here, "data", "--out", one), "--out is no folder")
    assert not list(here.glob("*.gpkg"))


def test_two_commands_for_one_folder_of_maps_do_not_meet(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(HERE, monkeypatch.setattr)
    maps = here / "maps"
    with nodes("office-2", "office-3") as (same, shard):
        assert same.ask("claim", maps / "summary.csv") == "done"
        result = predict(here, "data", "--out", "maps")
        assert_refused(result, "summary.csv: in use by process", "on office-2", "with --shard")
        same.ask("release", maps)
        assert shard.ask("claim", maps / "sample_01.gpkg") == "done"
        shard.end()  # dead, which is found out while its cemetery is waited for
        result = predict(here, "data", "--out", "maps")
    assert "sample_01: waiting for another process" in result.stderr
    assert states(maps / "summary.csv")["sample_01"] == "mapped"
    names = {path.name for path in maps.iterdir()}
    assert names == {"sample_01.gpkg", "sample_03.gpkg", "summary.csv", "summary.json"}
