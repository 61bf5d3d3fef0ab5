"""`gravecli evaluate` as its user meets it."""

import json
from pathlib import Path

import pytest
from deliveries import GRAVES, write
from shapely import affinity
from terminal import SETS, assert_refused, gravecli


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a truth of eight graves and a map of seven, drawn 5 cm off."""
    write(tmp_path / "truth.gpkg", GRAVES)
    write(tmp_path / "map.gpkg", [affinity.translate(shape, 0.03, 0.04) for shape in GRAVES[1:]])
    return tmp_path


def test_the_score_is_printed_as_tables(here: Path) -> None:
    result = gravecli("evaluate", "map.gpkg", "truth.gpkg", "--by-attribute", "NAME", cwd=here)
    assert result.returncode == 0, result.stderr
    for words in (
        "7 of 8",
        "0.875",
        "0.933",
        "RMSE 5.0 cm",
        "1 to 3 m²",
        "isolated",
        "merged",
        "1 grave ",  # missed
        "ground truth",
    ):
        assert words in result.stdout, words
    assert {path.name for path in here.iterdir()} == {"truth.gpkg", "map.gpkg"}


def test_the_score_is_printed_as_json_and_written_as_a_page(here: Path) -> None:
    arguments = ["evaluate", "map.gpkg", "truth.gpkg", "--json", "--report", "out.html"]
    result = gravecli(*arguments, cwd=here)
    assert result.returncode == 0, result.stderr
    score = json.loads(result.stdout)
    assert (score["truths"], score["predictions"], score["at_50"]["matches"]) == (8, 7, 7)
    assert score["corner_rmse_cm"] == pytest.approx(5, rel=0.01)
    assert "report in out.html" in result.stderr
    page = " ".join((here / "out.html").read_text("utf-8").split())
    assert "7 of 8 graves were found (87.5" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["nothing to evaluate", "PREDICTION", "--cross-validate"]),
        (["map.gpkg"], ["nothing to evaluate", "TRUTH"]),
        (["map.gpkg", "truth.gpkg", "--cross-validate"], ["not both", "PREDICTION, TRUTH"]),
        (["--cross-validate", "--report", "r.html"], ["not both", "--report"]),
        (["map.gpkg", "truth.gpkg", "--epochs", 3], ["for a training", "--epochs"]),
        (["gone.gpkg", "truth.gpkg"], ["gone.gpkg", "missing"]),
        (["map.gpkg", "truth.gpkg", "--by-attribute", "KIND"], ["truth.gpkg", "KIND", "NAME"]),
        (["map.gpkg", "truth.gpkg", "--truth-layer", "plots"], ["truth.gpkg", "plots"]),
        (["--cross-validate", "--max-time", "soon"], ["duration", "soon"]),
        (["--cross-validate", "--data", "nowhere"], ["nowhere", "missing"]),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    here: Path, arguments: list[object], words: list[str]
) -> None:
    assert_refused(gravecli("evaluate", *arguments, cwd=here), *words)
    assert {path.name for path in here.iterdir()} == {"truth.gpkg", "map.gpkg"}


@pytest.mark.slow
def test_cross_validation_of_two_cemeteries_gives_mean_and_spread(
    sample_data: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    arguments = ["evaluate", "--cross-validate", "--epochs", 1, *SETS]
    arguments += ["--set", "data.train=['sample_02', 'sample_03']", "--set", "data.guard_m=0"]
    first = gravecli(*arguments, "--json", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    result = json.loads(first.stdout)
    assert [fold["cemetery"] for fold in result["folds"]] == ["sample_02", "sample_03"]
    assert result["scores"]["object_f1"]["folds"] == 2
    again = gravecli(*arguments, cwd=tmp_path)
    assert "2 of 2 folds are finished" in again.stderr
    for words in (result["identity"], "sample_02", "F1@0.5", "mean", "± spread"):
        assert words in again.stdout
