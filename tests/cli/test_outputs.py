"""No command replaces a file without a word, and none its own input."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from deliveries import GRAVES, write
from terminal import SETS, assert_refused, gravecli

from grave_cli.model.bundle import Bundle

ORTHOPHOTO = "data/orthophotos/sample_01.tif"


@pytest.fixture
def here(sample_data: Path, untrained: Bundle, tmp_path: Path) -> Path:
    """A folder with a model, and the data of one cemetery that may be changed."""
    for kind in ("orthophotos", "dems", "annotations"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        for path in (sample_data / kind).glob("sample_01.*"):
            shutil.copy2(path, tmp_path / "data" / kind)
    (tmp_path / "model").symlink_to(untrained.folder)
    return tmp_path


def predict(here: Path, *arguments: object):
    return gravecli("predict-cemetery", *arguments, "--model", "model", *SETS, cwd=here)


def edit(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE notes (text)")


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_map_is_renewed_but_one_with_edits_needs_the_option(here: Path) -> None:
    command = [ORTHOPHOTO, "--out", "a.gpkg", "--preview", "a.png", "--format", "csv"]
    for _ in range(2):
        result = predict(here, *command)
        assert result.returncode == 0, result.stderr
    edit(here / "a.gpkg")
    before = content(here)
    assert_refused(predict(here, *command), "a.gpkg", "was changed", "--overwrite")
    assert content(here) == before
    assert predict(here, *command, "--overwrite").returncode == 0
    assert (here / "a.gpkg").read_bytes() != before[here / "a.gpkg"]


def test_mistyped_inputs_are_named_before_a_model_is_sought(here: Path) -> None:
    """The model is mistyped as well, and is not mentioned."""
    model = ["--model", "no-such-model"]
    wrong = {
        "typo.tif": ["typo.tif"],
        "typo.gpkg": [ORTHOPHOTO, "--truth", "typo.gpkg"],
        "area.gpkg": [ORTHOPHOTO, "--aoi", "area.gpkg"],
        "dem.tif": [ORTHOPHOTO, "--dem", "dem.tif"],
        "x.xyz": [ORTHOPHOTO, "--out", "x.xyz"],
    }
    before = content(here)
    for name, arguments in wrong.items():
        result = gravecli("predict-cemetery", *arguments, *model, cwd=here)
        assert_refused(result, name)
        assert "model" not in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert content(here) == before


def test_other_formats_lie_beside_the_geopackage(here: Path) -> None:
    """It alone holds candidates, provenance and a seal; --out names another format instead."""
    made = predict(here, ORTHOPHOTO, "--format", "csv", "--format", "fgb", "--json")
    assert json.loads(made.stdout)["files"] == {
        "gpkg": "sample_01.gpkg",
        "csv": "sample_01.csv",
        "fgb": "sample_01.fgb",
    }
    made = predict(here, ORTHOPHOTO, "--out", "own.csv", "--json")
    assert json.loads(made.stdout)["files"] == {"csv": "own.csv"}


def test_the_files_of_another_cemetery_of_the_same_name_are_kept(here: Path) -> None:
    assert predict(here, ORTHOPHOTO, "--preview", "a.png").returncode == 0
    with (here / ORTHOPHOTO).open("ab") as file:
        file.write(bytes(10))
    assert_refused(predict(here, ORTHOPHOTO), "sample_01.gpkg", "map of another orthophoto")
    assert_refused(
        predict(here, ORTHOPHOTO, "--out", "b.gpkg", "--preview", "a.png"),
        "a.png",
        "shows another orthophoto",
    )
    assert not (here / "b.gpkg").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "data/annotations/sample_01.gpkg", "--truth", "here.gpkg"], ["--truth"]),
        (["--truth", "sample_01.gpkg"], ["--out and --truth are the same file"]),
        (["--aoi", "DATA/../sample_01.gpkg"], ["--out and --aoi are the same file"]),
        (["--out", "x.gpkg", "--dem", "X.GPKG"], ["--out and --dem are the same file"]),
        (["--preview", "photo.png"], ["photo.png", "not written by gravecli"]),
        (["--out", "map.kml"], ["map.kml", "no format", "found .kml", ".gpkg, .geojson"]),
        (["--format", "xls"], ["--format: unknown format", "found xls", "gpkg, geojson"]),
        (["--lang", "fr"], ["output.language", "'en' or 'de'"]),
        (["--preview", "map.jpg"], ["map.jpg", "found .jpg", "ends in .png"]),
        (["--out", "data"], ["data", "is a folder", "data/map.gpkg"]),
        (["--out", f"{ORTHOPHOTO}/a.gpkg"], ["sample_01.tif is not a folder"]),
    ],
)
def test_outputs_that_would_do_harm_are_refused_before_the_work(
    here: Path, arguments: list[str], words: list[str]
) -> None:
    (here / "DATA").mkdir()
    (here / "here.gpkg").symlink_to("data/annotations/sample_01.gpkg")
    (here / "photo.png").write_bytes(b"a picture of somebody")
    before = content(here)
    result = predict(here, ORTHOPHOTO, *arguments)
    assert_refused(result, *words)
    assert "Model" not in result.stderr
    assert content(here) == before
    assert "sample_01.gpkg" not in os.listdir(here)


def test_a_mistyped_orthophoto_is_named_before_a_model_is_sought(tmp_path: Path) -> None:
    (tmp_path / "nowhere.gpkg").write_text("something")
    result = gravecli("predict-cemetery", "nowhere.tif", cwd=tmp_path)
    assert_refused(result, "nowhere.tif: file is missing")


def test_a_report_is_renewed_and_others_are_kept(tmp_path: Path) -> None:
    write(tmp_path / "truth.gpkg", GRAVES)
    write(tmp_path / "map.gpkg", GRAVES)
    command = ["evaluate", "map.gpkg", "truth.gpkg", "--report", "out.html"]
    page = tmp_path / "out.html"
    for _ in range(2):
        assert gravecli(*command, cwd=tmp_path).returncode == 0
    page.write_text(page.read_text("utf-8").replace("<h1>", "<h1>Seen: "), "utf-8")
    assert_refused(gravecli(*command, cwd=tmp_path), "out.html", "was changed", "--overwrite")
    assert gravecli(*command, "--overwrite", cwd=tmp_path).returncode == 0
    page.write_text("<html>my own page</html>")
    assert_refused(gravecli(*command, cwd=tmp_path), "out.html", "not written by gravecli")
    assert_refused(
        gravecli(*command[:3], "--report", "map.gpkg", cwd=tmp_path), "map.gpkg", "ends in .html"
    )
    (tmp_path / "linked.html").symlink_to("truth.gpkg")
    assert_refused(
        gravecli(*command[:3], "--report", "linked.html", "--overwrite", cwd=tmp_path),
        "--report and TRUTH are the same file",
    )


def test_a_list_of_another_state_of_the_data_is_kept(here: Path) -> None:
    command = ["dataset-id", "data", "--manifest", "old.json"]
    for _ in range(2):
        assert gravecli(*command, cwd=here).returncode == 0
    old = here / "old.json"
    stored = old.read_text("utf-8")
    (here / "data" / "dems" / "sample_01.tif").unlink()
    assert_refused(gravecli(*command, cwd=here), "old.json", "lists other files", "--overwrite")
    old.write_text(json.dumps(json.loads(stored) | {"files": []}))
    assert_refused(gravecli(*command, cwd=here), "old.json", "was changed")
    old.write_text("my notes")
    assert_refused(gravecli(*command, cwd=here), "old.json", "not written by gravecli")
    old.write_text(stored)
    assert gravecli(*command, "--diff", "old.json", cwd=here).returncode == 0
    assert old.read_text("utf-8") != stored
    old.write_text(stored)
    assert gravecli(*command, "--overwrite", cwd=here).returncode == 0
    assert old.read_text("utf-8") != stored


@pytest.mark.parametrize("place", ["file", "file/runs"])
@pytest.mark.parametrize("command", [["train"], ["hpo", "--study", "a"], ["dataset-id", "data"]])
def test_a_work_folder_that_is_a_file_is_refused(
    tmp_path: Path, command: list[str], place: str
) -> None:
    (tmp_path / "file").write_text("notes")
    result = gravecli(*command, "--set", f"work_dir='{place}'", cwd=tmp_path)
    assert_refused(result, place, "work_dir (--set) is not a folder", "the file file")
