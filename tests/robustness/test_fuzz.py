"""Mutated inputs end with success or one line: no traceback, no crash, no hang."""

import json
import shutil
from pathlib import Path

import fiona
import pytest
import rasterio
import rasterio.shutil
from deliveries import GRAVES, UTM, write
from fuzzing import KINDS, fuzz, mutate
from hostile_files import bands, source, tif, vrt
from pyproj import CRS

from grave_cli.model.bundle import Bundle
from grave_cli.settings.example import example_toml

SEEDS = 400
WITH_NETWORK = ("card", "weights", "network")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, untrained: Bundle) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    write_sound(folder)
    shutil.copytree(untrained.folder, folder / "model")
    return folder


def write_sound(folder: Path) -> None:
    """Write one sound file of each kind, except a model."""
    tif(folder / "a.tif")
    vrt(folder / "a.vrt", bands(source("a.tif", 1)))
    striped = {"compress": "LZW", "interleave": "band"}
    for name, driver, options in (
        ("pixels.gpkg", "GPKG", {"tile_format": "PNG"}),
        ("a.jp2", "JP2OpenJPEG", {}),
        ("striped.tif", "GTiff", striped),
    ):
        rasterio.shutil.copy(folder / "a.tif", folder / name, driver=driver, **options)
    for name in ("graves.gpkg", "graves.shp", "graves.fgb", "graves.gml"):
        write(folder / name, GRAVES)
    write(folder / "graves.geojson", GRAVES)
    with fiona.open(folder / "graves.gpkg") as graves:
        features = [feature.geometry for feature in graves]
    for name, driver in (("graves.kml", "KML"), ("graves.dxf", "DXF")):
        _write_plain(folder / name, driver, features)
    (folder / "gravecli.toml").write_text(example_toml(), encoding="utf-8")
    files = [{"path": "a.tif", "size": 1, "mtime_ns": 2, "sha256": None}]
    content = {"id": "0" * 8, "basis": "times", "files": files}
    (folder / "list.json").write_text(json.dumps(content), encoding="utf-8")
    _write_annotations(folder)


def _write_annotations(folder: Path) -> None:
    """Write annotations of each tool on an orthophoto, and a list of chips with some on them."""
    (folder / "photos").mkdir()
    tif(folder / "photos" / "a.tif")
    with rasterio.open(folder / "photos" / "a.tif") as photo:
        size, transform, crs = (photo.width, photo.height), photo.transform, photo.crs.to_wkt()
    ring = [1, 1, 9, 1, 9, 8, 1, 8]
    mask = {"size": [size[1], size[0]], "counts": [5, 3, size[0] * size[1] - 8]}
    drawn = [{"segmentation": [ring]}, {"bbox": [1, 2, 3, 4]}, {"segmentation": mask}]
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": size[0], "height": size[1]}],
        "annotations": [{"image_id": 1, "category_id": 1, **one} for one in drawn],
        "categories": [{"id": 1, "name": "grave"}],
    }
    (folder / "coco.json").write_text(json.dumps(coco))
    about = {"original_width": size[0], "original_height": size[1]}
    points = {"points": [[1, 1], [9, 1], [9, 9]], "polygonlabels": ["grave"]}
    box = {"x": 1, "y": 2, "width": 3, "height": 4, "rotation": 5, "rectanglelabels": ["grave"]}
    result = [{**about, "value": points}, {**about, "value": box}]
    tasks = [{"data": {"image": "a.png"}, "annotations": [{"result": result}]}]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    sides = "<xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>6</ymax>"
    voc = f"<object><name>grave</name><bndbox>{sides}</bndbox></object>"
    (folder / "voc.xml").write_text(f"<annotation><filename>a.png</filename>{voc}</annotation>")
    chip = {"file": "all/b.png", "split": "all", "cemetery": "b", "column": 0, "row": 0}
    index = {
        "format": "gravecli chips 1",
        "dataset_id": "0" * 8,
        "gsd_m": 0.1,
        "grids": {"b": {"crs": crs, "transform": list(transform)[:6]}},
        "chips": [{**chip, "size_px": 64, "annotations": 1}],
    }
    (folder / "photos" / "chips.json").write_text(json.dumps(index))
    coco["images"] = [{"id": 1, "file_name": "b.png"}]
    (folder / "on_chips.json").write_text(json.dumps(coco))


def _write_plain(path: Path, driver: str, shapes: list[fiona.Geometry]) -> None:
    """Write outlines in a format that knows few columns."""
    schema = {"geometry": "LineString", "properties": {"Layer": "str"}}
    crs = "EPSG:4326" if driver == "KML" else None
    if driver == "KML":
        schema["properties"] = {"Name": "str"}
    with fiona.open(
        path, "w", driver=driver, schema=schema, crs=crs, allow_unsupported_drivers=True
    ) as file:
        for shape in shapes:
            line = {"type": "LineString", "coordinates": shape.coordinates[0]}
            name = next(iter(schema["properties"]))
            file.write({"type": "Feature", "geometry": line, "properties": {name: "a"}})
    if driver == "DXF":
        path.with_suffix(".prj").write_text(CRS.from_user_input(UTM).to_wkt("WKT1_ESRI"))


def said(faults: list[object]) -> str:
    return "\n".join(map(str, faults))


def test_a_seed_makes_the_same_change() -> None:
    data = bytes(range(256)) * 8
    changes = {mutate(data, seed, False) for seed in range(50)}
    assert len(changes) > 40
    assert mutate(data, 7, False) == mutate(data, 7, False)


def test_the_sound_files_are_read(sound: Path) -> None:
    for kind, name in KINDS.items():
        assert (sound / name).stat().st_size, kind


def test_a_few_mutations_of_each_kind(sound: Path) -> None:
    kinds = [kind for kind in KINDS if kind not in WITH_NETWORK]
    tried, faults = fuzz(kinds, sound, range(8 * len(kinds)), budget_s=8)
    assert not faults, said(faults)
    assert tried


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutations(kind: str, sound: Path) -> None:
    tried, faults = fuzz([kind], sound, range(SEEDS), budget_s=240)
    assert not faults, said(faults)
    assert tried  # as many as there is time for
