"""`docs/json.md` names every key that `--json` prints, and no other; stdout holds nothing else."""

import json
import re
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import fiona
import pytest
from ports import unused_port
from support import copy_bundle
from terminal import SETS, finish, gravecli, start_gravecli

from grave_cli.cli.train import _show_part
from grave_cli.graves.review_model import DEFAULT_REVIEW, Step
from grave_cli.model.bundle import write_card
from grave_cli.model.shipped import starter_model

PAGE = Path(__file__).resolve().parents[2] / "docs" / "json.md"
SECTION = re.compile(r"^## `gravecli ([^`]+)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def documented() -> dict[str, set[str]]:
    """List the keys of each section of the page, from the first column of its table."""
    found = {}
    for command, text in SECTION.findall(PAGE.read_text("utf-8")):
        cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
        found[command] = {key for cell in cells for key in re.findall(r"`([^`]+)`", cell)}
    return found


def paths(value: Any, at: str = "") -> Iterator[str]:
    """List the keys of a JSON value: `a.b`, and `a[].b` for the objects of a list."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from paths(item, f"{at}.{key}" if at else key)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for item in value:
            yield from paths(item, f"{at}[]")
    else:
        yield at


def is_covered(path: str, keys: Iterable[str]) -> bool:
    """Whether a key is documented; an empty list or null stands for all that it could hold."""
    return any(
        re.fullmatch(re.escape(key).replace(r"\*", ".+"), path)
        or key.startswith((f"{path}.", f"{path}[]"))
        for key in keys
    )


def compare(command: str, *printed: dict[str, Any]) -> None:
    keys, real = documented()[command], {path for one in printed for path in paths(one)}
    assert sorted(path for path in real if not is_covered(path, keys)) == []
    patterns = {key: re.escape(key).replace(r"\*", ".+") for key in keys}
    unseen = [key for key, p in patterns.items() if not any(re.fullmatch(p, r) for r in real)]
    assert unseen == []


def test_a_key_that_is_missing_on_either_side_is_found() -> None:
    assert list(paths({"a": [{"b": 1}, {"c": {}}], "d": {"e.f": [1]}})) == [
        "a[].b",
        "a[].c",
        "d.e.f",
    ]
    assert is_covered("a[].b", ["a[].b"])
    assert is_covered("a", ["a[].b"])
    assert is_covered("d.e.f", ["d.*"])
    assert not is_covered("a[].c", ["a[].b", "d.*"])


@pytest.fixture(scope="module")
def here(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data`, and the starter with the proof of a review, `proven`."""
    folder = tmp_path_factory.mktemp("json")
    starter = starter_model()
    proof = (Step(below=0.3, graves=400, wrong=9),)
    card = starter.card.model_copy(
        update={"review": DEFAULT_REVIEW.model_copy(update={"proof": proof})}
    )
    write_card(copy_bundle(starter, folder / "proven").folder, card)
    (folder / "data").symlink_to(sample_data)
    (folder / "maps.txt").write_text("data/orthophotos/sample_01.tif\n", "utf-8")
    return folder


def printed(here: Path, *arguments: object, code: int = 0) -> dict[str, Any]:
    result = gravecli(*arguments, "--json", cwd=here)
    assert result.returncode == code, result.stderr
    value: dict[str, Any] = json.loads(result.stdout, parse_constant=refuse)
    return value


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_maps_and_their_scores(here: Path) -> None:
    truth = "data/annotations/sample_01.gpkg"
    with fiona.open(here / truth) as layer:
        column = next(iter(layer.schema["properties"]))
    arguments = ["--model", "proven", "--truth", truth, "--out", "m.gpkg"]
    arguments += ["--preview", "p.png", "--report", "p.html"]
    photo = "data/orthophotos/sample_01.tif"
    summary = printed(here, "predict-cemetery", photo, *arguments)
    continued = ["--model", "starter", "--previous", "m.gpkg", "--out", "n.gpkg"]
    next_one = printed(here, "predict-cemetery", "data/orthophotos/sample_01.tif", *continued)
    compare("predict-cemetery", summary, next_one)
    changes = printed(here, "compare", "m.gpkg", "n.gpkg")
    compare("compare", changes)
    assert changes["changes"] == next_one["comparison"]["changes"]
    (here / "list.csv").write_text("Feld;Reihe;Nummer\n1;1;1\n", "utf-8")
    compare("join", printed(here, "join", "m.gpkg", "list.csv"))
    assert (summary["model"], summary["graves"] > 0) == ("starter", True)
    with fiona.open(here / "m.gpkg", layer="graves") as layer:
        assert summary["to_review"] == sum(bool(f.properties["needs_review"]) for f in layer)
    compare("tidy", printed(here, "tidy", "m.gpkg"))
    files = ["--orthophoto", photo, "--dem", "data/dems/sample_01.tif"]
    compare("verify", printed(here, "verify", "m.gpkg", *files))
    many = printed(here, "predict-cemetery", "@maps.txt", "--out", "maps", "--model", "starter")
    compare("predict-cemetery FOLDER", many)
    score = printed(here, "evaluate", "m.gpkg", truth, "--by-attribute", column)
    compare("evaluate", score)
    assert set(summary["score"]) < set(score)


def test_data_sets(here: Path, sample_data: Path) -> None:
    listed = ["dataset-id", "data", "--manifest", "before.json"]
    first = printed(here, *listed)
    listing = json.loads((here / "before.json").read_text("utf-8"))
    listing["files"] = listing["files"][1:]
    (here / "before.json").write_text(json.dumps(listing), "utf-8")
    second = printed(here, "dataset-id", "data", "--diff", "before.json")
    compare("dataset-id", first, second)
    assert (first["changes"], [c["kind"] for c in second["changes"]]) == (None, ["added"])
    made = printed(here, "sample-data", "one", "--cemeteries", 1, "--size-m", 10)
    compare("sample-data", made)
    assert (here / made["cemeteries"][0]["orthophoto"]).is_file()
    compare("check", printed(here, "check", "one", code=2), printed(here, "check", "data"))
    chips = printed(here, "export-chips", "data", "--out", "chips", "--no-split")
    compare("export-chips", chips)
    labels = ["chips/annotations/instances_all.json", "--orthophotos", "chips", "--out", "drawn"]
    imported = printed(here, "import-annotations", *labels)
    compare("import-annotations", imported)
    assert len(imported["files"]) == 3


def test_settings_and_models(here: Path) -> None:
    compare("config", printed(here, "config"))
    compare("config --init", printed(here, "config", "--init", "--config", "new.toml"))
    compare("model-info", printed(here, "model-info", "proven"))
    compare("qgis-plugin", printed(here, "qgis-plugin", "--program", sys.executable))
    compare("export", printed(here, "export", "starter", "--deepness", "graves.onnx"))
    (here / "runs" / "unfinished" / "0123abcd").mkdir(parents=True)
    compare("runs --prune", printed(here, "runs", "--prune"))
    compare("train --dry-run", printed(here, "train", "--dry-run", *SETS))


@pytest.mark.slow
@pytest.mark.usefixtures("work_dir")
def test_trainings_and_studies(sample_data: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(sample_data)
    compare("train", printed(tmp_path, "train", "--epochs", 1, *SETS))
    compare("runs", printed(tmp_path, "runs"))
    study = ["hpo", "--study", "pilot", "--trials", 1, "--epochs", 1, *SETS]
    compare("hpo", printed(tmp_path, *study))
    folds = ["--set", "data.train=['sample_02', 'sample_03']", "--set", "data.guard_m=0"]
    validated = ["evaluate", "--cross-validate", "--epochs", 1, *SETS, *folds]
    compare("evaluate --cross-validate", printed(tmp_path, *validated))
    compare("dashboard", addresses(tmp_path))


def addresses(here: Path) -> dict[str, Any]:
    """Read what the dashboard prints before it serves, and end it."""
    options = ["--no-browser", "--json", "--port", unused_port()]
    server = start_gravecli("dashboard", *options, cwd=here)
    assert server.stdout is not None
    text = ""
    for line in server.stdout:
        text += line
        if line == "}\n":
            break
    server.send_signal(signal.SIGINT)
    assert finish(server).returncode == 0
    return dict(json.loads(text))


def test_the_other_machines_of_a_training_print_json_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _show_part(1, json=True)
    assert json.loads(capsys.readouterr().out) == {"machine": 1}
