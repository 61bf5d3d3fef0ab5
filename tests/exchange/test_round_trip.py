"""Chips and their labels, exported and imported again, give the graves within half a pixel."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
import shapely
from affine import Affine
from deliveries import write
from office import CRS, HERE, graves, write_raster
from PIL import Image
from support import Listener

from grave_cli.dataset.manifest import manifest_of
from grave_cli.errors import ExportError
from grave_cli.exchange.chip_index import Chip
from grave_cli.exchange.chip_labels import LabelFormat
from grave_cli.exchange.chip_sources import ChipSource, _in_pixels, whole_sources
from grave_cli.exchange.export_chips import ExportedChips, export_chips
from grave_cli.exchange.import_annotations import import_annotations
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import inspect_orthophoto
from grave_cli.settings.load import load_settings
from grave_cli.settings.tree import Settings

PIXEL_M = 0.05
HALF = PIXEL_M / 2


def settings_of(root: Path) -> Settings:
    options = {"data.root": root, "work_dir": root / "runs", "grid.gsd_m": PIXEL_M}
    return load_settings(options={**options, "data.guard_m": 0}, environ={}).settings


def export(root: Path, form: LabelFormat, out: Path, size: int, overlap: int) -> ExportedChips:
    return export_chips(settings_of(root), form, out, size, overlap, by_split=False)


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def read(path: Path) -> list[shapely.Polygon]:
    with fiona.open(path, layer="graves") as layer:
        return [shapely.geometry.shape(feature.geometry) for feature in layer]


def assert_same_graves(found: list[shapely.Polygon], expected: list[shapely.Polygon]) -> None:
    assert len(found) == len(expected)
    for grave in expected:
        best = min(found, key=lambda one: shapely.hausdorff_distance(one, grave))
        assert shapely.hausdorff_distance(best, grave) < HALF


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cemeteries: one with graves that lie askew, one without labels."""
    root = tmp_path_factory.mktemp("chips") / "data"
    for name in ("anna", "berta"):
        write_raster(
            root / "orthophotos" / f"{name}.tif", edge=240, transform=HERE @ Affine.scale(0.5)
        )
    (root / "annotations").mkdir()
    write(root / "annotations" / "anna.gpkg", askew(), crs=CRS)
    return root


def askew() -> list[shapely.Polygon]:
    turned = [shapely.affinity.rotate(one, 17) for one in graves()]
    middle = shapely.affinity.translate(graves()[0], 3, -2.4)
    wide = shapely.affinity.scale(shapely.affinity.translate(graves()[9], -4, 1.5), 7, 0.5)
    return [*turned[:6], middle, wide]


@pytest.mark.parametrize(("size", "overlap"), [(96, 32), (128, 0), (640, 96)])
def test_coco(data: Path, tmp_path: Path, size: int, overlap: int) -> None:
    result = export(data, "coco", tmp_path / "chips", size, overlap)
    labels = tmp_path / "chips" / "annotations" / "instances_all.json"
    import_annotations(labels, tmp_path / "chips", tmp_path / "back")
    assert_same_graves(read(tmp_path / "back" / "anna.gpkg"), read_truth(data))
    assert result.annotations["all"] >= len(askew())
    assert not (tmp_path / "back" / "berta.gpkg").exists()


def read_truth(data: Path) -> list[shapely.Polygon]:
    with fiona.open(data / "annotations" / "anna.gpkg") as layer:
        return [shapely.geometry.shape(feature.geometry) for feature in layer]


def test_yolo(data: Path, tmp_path: Path) -> None:
    """YOLO's labels, turned into COCO here, are the same graves."""
    export(data, "yolo-seg", tmp_path / "chips", 96, 32)
    content: dict[str, list[Any]] = {"images": [], "annotations": [], "categories": []}
    for path in sorted((tmp_path / "chips" / "labels" / "all").glob("*.txt")):
        image = tmp_path / "chips" / "images" / "all" / f"{path.stem}.png"
        assert pixels_of(image).shape == (96, 96, 3)
        content["images"].append({"id": path.stem, "file_name": image.name})
        for line in path.read_text("ascii").splitlines():
            kind, *shares = map(float, line.split())
            assert kind == 0
            assert 0 <= min(shares) <= max(shares) <= 1
            ring = [96 * share for share in shares]
            content["annotations"].append({"image_id": path.stem, "segmentation": [ring]})
    (tmp_path / "labels.json").write_text(json.dumps(content))
    import_annotations(tmp_path / "labels.json", tmp_path / "chips", tmp_path / "back")
    assert_same_graves(read(tmp_path / "back" / "anna.gpkg"), read_truth(data))
    described = (tmp_path / "chips" / "data.yaml").read_text("utf-8").splitlines()
    assert described[1:] == ["train: images/all", "val: images/all", "names:", "  0: grave"]


def test_the_pixels_of_a_chip_are_those_of_the_orthophoto(data: Path, tmp_path: Path) -> None:
    import rasterio

    export(data, "coco", tmp_path / "chips", 96, 32)
    index = json.loads((tmp_path / "chips" / "chips.json").read_text("utf-8"))
    (chip,) = (one for one in index["chips"] if one["file"] == "all/anna_000064_000128.png")
    x, y = Affine(*index["grids"]["anna"]["transform"]) @ (chip["column"], chip["row"])
    colours = pixels_of(tmp_path / "chips" / chip["file"]).astype(float)
    with rasterio.open(data / "orthophotos" / "anna.tif") as photo:
        row, column = photo.index(x + HALF, y - HALF)
        window = rasterio.windows.Window(column, row, 96, 96)
        truth = np.moveaxis(photo.read(window=window), 0, 2)
    assert np.corrcoef(colours.ravel(), truth.ravel().astype(float))[0, 1] > 0.5  # noise, resampled


def test_each_split_has_the_chips_of_its_cemeteries(sample_data: Path, tmp_path: Path) -> None:
    options = {"data.root": sample_data, "work_dir": tmp_path / "runs", "grid.gsd_m": 0.1}
    only = {"data.train": ("sample_01",), "data.val": ("sample_02",), "data.test": ("sample_03",)}
    settings = load_settings(options={**options, **only}, environ={}).settings
    result = export_chips(settings, "coco", tmp_path / "chips", 96, 32)
    assert set(result.chips) == set(result.annotations) == {"train", "val", "test"}
    for split, name in zip(("train", "val", "test"), ("01", "02", "03"), strict=True):
        names = {path.name[:9] for path in (tmp_path / "chips" / split).iterdir()}
        assert names == {f"sample_{name}"}
        labels = json.loads(
            (tmp_path / "chips" / "annotations" / f"instances_{split}.json").read_text("utf-8")
        )
        assert len(labels["images"]) == result.chips[split]
        assert len(labels["annotations"]) == result.annotations[split]


def test_strips_share_no_pixel_and_what_is_not_labelled_is_black(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_raster(root / "orthophotos" / "anna.tif", edge=240, transform=HERE @ Affine.scale(0.5))
    for kind in ("annotations", "areas"):
        (root / kind).mkdir()
    write(root / "annotations" / "anna.gpkg", graves(), crs=CRS)
    left, top = HERE @ (0, 0)
    area = shapely.box(left, top - 7, left + 12, top)
    write(root / "areas" / "anna.gpkg", [area], crs=CRS)
    result = export_chips(settings_of(root), "coco", tmp_path / "chips", 128, 32)
    assert set(result.chips) == {"train", "val", "test"}
    index = json.loads((tmp_path / "chips" / "chips.json").read_text("utf-8"))
    shown = {split: np.zeros((400, 400), bool) for split in result.chips}
    for chip in index["chips"]:
        pixels = pixels_of(tmp_path / "chips" / chip["file"])
        row, column = chip["row"], chip["column"]
        shown[chip["split"]][row : row + 128, column : column + 128] |= pixels.any(axis=2)
    assert sum(shown.values()).max() == 1  # type: ignore[union-attr]
    assert sum(shown.values())[2:138, 2:238].min() == 1  # type: ignore[index]
    assert not any(one[142:].any() for one in shown.values())
    assert 5 <= sum(result.annotations.values()) <= 20  # of ten graves, five are labelled


@pytest.mark.parametrize("by_split", [True, False])
def test_what_is_left_out_of_the_labels_is_said(
    tmp_path: Path, listener: Listener, by_split: bool
) -> None:
    root = tmp_path / "data"
    write_raster(root / "orthophotos" / "anna.tif", edge=240, transform=HERE @ Affine.scale(0.5))
    for kind in ("annotations", "areas"):
        (root / kind).mkdir()
    outside = shapely.affinity.translate(graves()[0], 500, 0)
    write(root / "annotations" / "anna.gpkg", [*graves(), graves()[0], outside], crs=CRS)
    left, top = HERE @ (0, 0)
    write(root / "areas" / "anna.gpkg", [shapely.box(left, top - 7, left + 12, top)], crs=CRS)
    out = tmp_path / "chips"
    export_chips(settings_of(root), "coco", out, 128, 32, by_split=by_split, progress=listener)
    said = "\n".join(listener.notes)
    assert "outside" in said
    assert "duplicate" in said
    assert ("labelled in its area alone" in said) != by_split


def test_a_folder_with_content_is_never_written_to(
    data: Path, tmp_path: Path, listener: Listener
) -> None:
    (tmp_path / "chips").mkdir()
    (tmp_path / "chips" / "project.json").write_text("{}")
    with pytest.raises(ExportError, match="folder is not empty"):
        export(data, "coco", tmp_path / "chips", 96, 32)
    with pytest.raises(ExportError, match="cannot lie in the data folder"):
        export(data, "coco", data / "chips", 96, 32)
    (tmp_path / "empty").mkdir()
    export_chips(
        settings_of(data), "coco", tmp_path / "empty", 640, 0, by_split=False, progress=listener
    )
    assert any("berta has no labels" in note for note in listener.notes)
    assert listener.done["Cutting 2 chips"] == 2


def test_the_working_directory_is_not_replaced(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for here in (Path(), tmp_path):
        with pytest.raises(ExportError, match="working directory itself"):
            export(data, "coco", here, 640, 0)
    assert tmp_path.is_dir()


def test_a_symbolic_link_stays_and_the_folder_behind_it_is_filled(
    data: Path, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    out = tmp_path / "chips"
    out.symlink_to(tmp_path / "disk", target_is_directory=True)
    result = export(data, "coco", out, 640, 0)
    assert result.folder == out
    assert out.is_symlink()
    assert (tmp_path / "disk" / "chips.json").is_file()


def test_a_spiked_grave_can_be_cut_along_chips(data: Path) -> None:
    corners = [
        (500001.452, 5300003.684),
        (500000.605, 5300001.24),
        (499999.138, 5300000.091),
        (500000.604999999, 5300001.239999999),
        (500001.579, 5300000.902),
        (500002.427, 5300003.346),
    ]
    spiked = shapely.Polygon(corners)
    assert spiked.is_valid
    grid = WorkingGrid(CRS, Affine(0.04, 0, 499994.45, 0, -0.04, 5300022.85), 400, 600, 0.04)
    pixels = _in_pixels(np.array([spiked], dtype=object), grid)
    photo = inspect_orthophoto(data / "orthophotos" / "anna.tif")
    source = ChipSource("anna", "all", photo, grid, grid.window, pixels, None)
    chip = Chip(file="a.png", split="all", cemetery="anna", column=142, row=470, size_px=120)
    ((part,),) = source.outlines(chip)
    assert part.is_valid


def test_a_chip_looks_at_the_graves_near_it_alone(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(data)
    source = whole_sources(manifest_of(settings.data), settings, Listener())[0]
    columns, rows = 2 * np.stack(np.divmod(np.arange(10_000), 100))
    many = replace(source, graves=shapely.box(columns, rows, columns + 1.5, rows + 1.5))
    looked_at: list[int] = []
    intersection = shapely.intersection

    def counted(graves: Any, other: Any) -> Any:
        looked_at.append(np.size(graves))
        return intersection(graves, other)

    monkeypatch.setattr(shapely, "intersection", counted)
    chip = Chip(file="a.png", split="all", cemetery="anna", column=40, row=20, size_px=32)
    assert len(many.outlines(chip)) == 16**2
    assert max(looked_at) < 20**2
