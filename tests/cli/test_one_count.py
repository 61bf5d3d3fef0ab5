"""Preview, page, terminal and JSON show the same numbers of found, merged, split, wrong, missed."""

import json
import re
from dataclasses import replace
from pathlib import Path

import fiona
import numpy as np
import pytest
import shapely
from deliveries import write
from PIL import Image
from support import tiny_settings
from terminal import gravecli

from grave_cli.dataset.manifest import read_manifest
from grave_cli.evaluation.verdicts import KINDS, VerdictCounts
from grave_cli.mapping.map_files import MapFiles
from grave_cli.mapping.predict_cemetery import predict_cemetery
from grave_cli.mapping.result import PredictionResult
from grave_cli.model.bundle import Bundle


class OneSquare:
    """An engine that finds a square in each tile."""

    name = "one square"
    batch_mpx = 1.0

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        found = np.full((len(batch), 3, *batch.shape[2:]), 0.02, np.float32)
        found[:, 0, 50:65, 50:65] = 1
        return found


class HandDrawn(MapFiles):
    """Writes other graves than those that the network found."""

    drawn: np.ndarray

    def receive(self, result: PredictionResult) -> None:
        rows = [{**result.attributes[0], "grave_id": str(n)} for n in range(len(self.drawn))]
        graves = {"polygons": self.drawn, "raw_polygons": self.drawn, "attributes": tuple(rows)}
        super().receive(replace(result, **graves, features=None))


@pytest.fixture
def here(sample_data: Path, untrained: Bundle, tmp_path: Path) -> Path:
    """A folder with a map, its preview, the ground truth, and `summary.json` of the prediction."""
    cemetery = read_manifest(sample_data).cemeteries[0]
    with fiona.open(cemetery.annotations) as layer:
        left, bottom, *_ = layer.bounds

    def boxes(*places: tuple[float, float, float, float]) -> np.ndarray:
        return shapely.box(*(np.array(places) + np.array([left, bottom, left, bottom])).T)

    # A large and a small grave in one outline, a grave in three pieces, one drawn well, one not at
    # all, and an outline where no grave is. The large one and the largest piece are matches.
    truth = boxes((0, 0, 2, 1), (2, 0, 2.8, 1), (4, 0, 6, 1), (0, 3, 2, 4), (4, 3, 6, 4))
    drawn = boxes(
        *((0, 0, 2.8, 1), (4, 0, 5.1, 1), (5.2, 0, 5.6, 1), (5.6, 0, 6, 1)),
        *((0, 3, 2, 4.1), (8, 3, 9, 4)),
    )
    known = write(tmp_path / "truth.gpkg", list(truth), crs=cemetery_crs(cemetery.annotations))
    places = {"out": tmp_path / "map.gpkg", "preview": tmp_path / "map.png", "truth": known}
    files = HandDrawn(cemetery.orthophoto, **places)
    files.drawn = drawn
    settings = tiny_settings(tmp_path, tmp_path / "runs")
    files.check()
    predict_cemetery(
        cemetery.orthophoto, cemetery.dem, untrained, OneSquare(), settings, receiver=files
    )
    (tmp_path / "summary.json").write_text(json.dumps(files.summary), "utf-8")
    return tmp_path


def cemetery_crs(path: Path) -> str:
    with fiona.open(path) as layer:
        return str(layer.crs_wkt)


def test_one_map_has_one_count(here: Path) -> None:
    arguments = ["evaluate", "map.gpkg", "truth.gpkg"]
    printed = gravecli(*arguments, "--json", "--report", "page.html", cwd=here)
    assert printed.returncode == 0, printed.stderr
    score = json.loads(printed.stdout)
    counts = VerdictCounts.from_dict(score)
    assert counts == VerdictCounts(5, 3, 2, 1, 2, 1, 3, 1, 1)
    assert (counts.found, counts.truths) == (score["at_50"]["matches"], score["at_50"]["truths"])
    words = counts.in_words()
    assert words == {
        "found": "3 of 5 graves, 2 of them also merged or split",
        "merged": "1 polygon over 2 graves",
        "split": "1 grave into 3 pieces",
        "wrong": "1 polygon",
        "missed": "1 grave",
    }

    prediction = json.loads((here / "summary.json").read_text("utf-8"))
    assert VerdictCounts.from_dict(prediction["score"]) == counts
    with Image.open(here / "map.png") as picture:
        legend = picture.info["Description"].split("; ")
    assert sorted(legend[1:]) == sorted(f"{kind}: {words[kind]}" for kind in KINDS)

    page = (here / "page.html").read_text("utf-8")
    shown = dict(re.findall(r'value="(\w+)" checked>.*?</i>\s*(.*?)</label>', page, re.DOTALL))
    assert {kind: shown[kind] for kind in KINDS} == {k: f"{k}: {words[k]}" for k in KINDS}
    layers = dict(re.findall(r'<g class="(\w+)".*?>(.*?)</g>', page, flags=re.DOTALL))
    drawn = {kind: layers[kind].count("<path") for kind in KINDS}
    assert drawn == {"found": 3, "merged": 1, "split": 3, "wrong": 1, "missed": 1}

    table = gravecli(*arguments, cwd=here).stdout
    for kind in KINDS:
        assert re.search(rf"│ {kind} +│ {words[kind]} +│", table), kind
