"""Bad files of annotation tools, and bad places for chips: each is refused in one line."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from office import assert_refuses, write_raster

Make = Callable[[Path], object]
IMPORT = "import-annotations given/{} --out imported -q"
VOC = "<annotation><filename>anna.png</filename>{}</annotation>"
BOX = "<object><name>g</name><bndbox>{}</bndbox></object>"
SIDES = "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>{}</ymax>"


def text(name: str, content: str | bytes) -> Make:
    raw = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / name).write_bytes(raw)


def coco(**changes: Any) -> str:
    outline = {"image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9]]}
    content = {
        "images": [{"id": 1, "file_name": "anna.tif", "width": 120, "height": 120}],
        "annotations": [{**outline, **changes.pop("outline", {})}],
        "categories": [{"id": 1, "name": "grave"}],
    }
    return json.dumps({**content, **changes})


def task(**changes: Any) -> str:
    value = {"points": [[1, 1], [9, 1], [9, 9]], "polygonlabels": ["grave"]}
    region = {"original_width": 120, "original_height": 120, "value": value}
    content = {"data": {"image": "anna.png"}, "annotations": [{"result": [region]}]}
    return json.dumps([{**content, **changes}])


FILES: dict[str, tuple[str, Make, str]] = {
    "missing": ("a.json", lambda folder: None, "missing"),
    "a pipe": ("a.json", lambda folder: os.mkfifo(folder / "a.json"), "not a file"),
    "empty": ("a.json", text("a.json", ""), "cannot be read as JSON"),
    "text": ("a.json", text("a.json", "graves"), "cannot be read as JSON"),
    "no UTF-8": ("a.json", text("a.json", b'{"images": "\xff"}'), "cannot be read as JSON"),
    "cut short": ("a.json", text("a.json", coco()[:-20]), "cannot be read as JSON"),
    "deep": ("a.json", text("a.json", "[" * 100_000), "cannot be read as JSON"),
    "another object": ("a.json", text("a.json", '{"type": "FeatureCollection"}'), "COCO"),
    "a list of texts": ("a.json", text("a.json", '["anna"]'), "Label Studio"),
    "images of text": ("a.json", text("a.json", coco(images=["anna"])), "images.0"),
    "no size": (
        "a.json",
        text("a.json", coco(images=[{"id": 1, "file_name": "anna.tif", "width": 0}])),
        "images.0.width",
    ),
    "not a number": ("a.json", text("a.json", coco(outline={"bbox": [0, 0, 1, float("nan")]})), ""),
    "endless numbers": (
        "a.json",
        text("a.json", coco(outline={"segmentation": [[1e300, 1, 9, 1, 9, 9]]})),
        "outside of its image anna.tif",
    ),
    "a mask that does not fit": (
        "a.json",
        text("a.json", coco(outline={"segmentation": {"size": [120, 120], "counts": [1, 2]}})),
        "runs of a mask",
    ),
    "a large mask": (
        "a.json",
        text(
            "a.json",
            coco(outline={"segmentation": {"size": [1 << 20, 1 << 20], "counts": [0, 1 << 40]}}),
        ),
        "counts",
    ),
    "an unknown image": ("a.json", text("a.json", coco(outline={"image_id": 2})), "id 2"),
    "a task without an image": ("a.json", text("a.json", task(data={"text": "x"})), "no image"),
    "a result of text": ("a.json", text("a.json", task(annotations=[{"result": "x"}])), "result"),
    "nothing drawn": ("a.json", text("a.json", task(annotations=[])), "no annotations"),
    "an empty folder": ("", lambda folder: None, "holds no annotations"),
    "XML cut short": ("a.xml", text("a.xml", "<annotation><object>"), "Pascal VOC"),
    "other XML": ("a.xml", text("a.xml", "<kml/>"), "expected <annotation>"),
    "XML in an unknown encoding": (
        "a.xml",
        text("a.xml", '<?xml version="1.0" encoding="true"?><annotation/>'),
        "unknown encoding",
    ),
    "entities": (
        "a.xml",
        text("a.xml", '<!DOCTYPE a [<!ENTITY x "x">]><annotation>&x;</annotation>'),
        "DOCTYPE",
    ),
    "a side of text": ("", text("a.xml", VOC.format(BOX.format(SIDES.format("x")))), "ymax"),
    "a box without an area": ("", text("a.xml", VOC.format(BOX.format(SIDES.format(0)))), "box"),
    "no corner": ("", text("a.xml", VOC.format(BOX.format(""))), "xmin"),
    "an image of nobody": (
        "",
        text("a.xml", VOC.replace("anna", "berta").format(BOX.format(SIDES.format(9)))),
        "berta.png",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_bad_annotations(office: Path, name: str) -> None:
    file, make, words = FILES[name]
    (office / "given").mkdir()
    make(office / "given")
    assert_refuses(office, IMPORT.format(file), "given", words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--orthophotos nowhere", "nowhere: folder of the orthophotos is missing"),
        ("--orthophotos notes.txt", "notes.txt: folder of the orthophotos is missing"),
        ("--orthophotos bad", "bad/anna.tif"),
        ("--orthophotos listed", "listed/chips.json"),
        ("--category tree", "no such category"),
        ("--out notes.txt", "notes.txt"),
        ("--out data/annotations", "anna.gpkg: file exists"),
        ("--lang fr", "language"),
    ],
)
def test_bad_options_of_an_import(office: Path, options: str, words: str) -> None:
    (office / "given").mkdir()
    text("a.json", coco())(office / "given")
    for folder, name in (("bad", "anna.tif"), ("listed", "chips.json")):
        (office / folder).mkdir()
        (office / folder / name).write_text("{}")
    assert_refuses(office, f"{IMPORT.format('a.json')} {options}", words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--out chips --format voc", "no such format (found voc, expected coco or yolo-seg)"),
        ("--out chips --size-px 100", "--size-px"),
        ("--out chips --size-px 9000", "--size-px"),
        ("--out chips --overlap-px 400", "--overlap-px"),
        ("--out chips --overlap-px -1", "--overlap-px"),
        ("--out chips --set grid.gsd_m=0", "gsd_m"),
        ("--out drawn", "drawn: folder is not empty"),
        ("--out notes.txt", "notes.txt: not a folder"),
        ("--out notes.txt/chips", "notes.txt"),
        ("--out data/chips", "data/chips"),
        ("--out data", "data: chips cannot lie in the data folder"),
        ("nowhere --out chips", "nowhere: data folder is missing"),
    ],
)
def test_bad_options_of_an_export(office: Path, options: str, words: str) -> None:
    assert_refuses(office, f"export-chips {options} -q --no-split", words)


def test_a_damaged_orthophoto_leaves_no_chips(office: Path) -> None:
    photo = office / "data" / "orthophotos" / "anna.tif"
    write_raster(photo, compress="deflate")
    os.truncate(photo, photo.stat().st_size // 2)
    assert_refuses(office, "export-chips data --out chips -q --no-split", "anna.tif")
