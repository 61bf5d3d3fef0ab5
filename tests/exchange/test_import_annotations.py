"""Annotations of tools, drawn on images, lie where the orthophotos show them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from office import write_raster
from rasterio.transform import from_origin

from grave_cli.errors import DatasetError, ExportError
from grave_cli.exchange.import_annotations import Imported, import_annotations

TURNED = Affine.translation(500_000, 5_300_000) @ Affine.rotation(20) @ Affine.scale(0.1, -0.1)
OUTLINE = [(10.0, 20.0), (30.0, 22.0), (29.5, 60.0), (9.0, 58.0)]
BOX = (50.0, 60.0, 20.0, 30.0)  # left, top, width, height
VOC = """<annotation><filename>{name}</filename>
<size><width>120</width><height>120</height><depth>3</depth></size>
<object><name>grave</name><bndbox><xmin>50</xmin><ymin>60</ymin><xmax>70</xmax><ymax>90</ymax>
</bndbox></object>{more}</annotation>"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with an orthophoto of 120 x 120 pixels that is rotated on the ground."""
    write_raster(tmp_path / "photos" / "anna_ortho.tif", transform=TURNED)
    return tmp_path / "photos"


def coco(*annotations: dict[str, Any], size: tuple[int, int] = (120, 120)) -> dict[str, Any]:
    return {
        "images": [{"id": 7, "file_name": "any/anna.png", "width": size[0], "height": size[1]}],
        "categories": [{"id": 0, "name": "grave"}, {"id": 1, "name": "tree"}],
        "annotations": [{"image_id": 7, "category_id": 0, **one} for one in annotations],
    }


def ring(scale: float = 1.0) -> list[float]:
    return [scale * value for point in OUTLINE for value in point]


def save(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), "utf-8")
    return path


def read(path: Path) -> list[tuple[shapely.Polygon, dict[str, Any]]]:
    with fiona.open(path, layer="graves") as layer:
        return [(shapely.geometry.shape(f.geometry), dict(f.properties)) for f in layer]


def on_ground(corners: Any) -> shapely.Polygon:
    x, y = TURNED @ np.array(corners, float).T
    return shapely.Polygon(np.stack([x, y], axis=1))


def box() -> shapely.Polygon:
    left, top, width, height = BOX
    return on_ground(shapely.box(left, top, left + width, top + height).exterior.coords)


def assert_same(found: shapely.Polygon, expected: shapely.Polygon, pixels: float = 0.01) -> None:
    assert shapely.hausdorff_distance(found, expected) < pixels * 0.1


def run(source: Path, photos: Path, *categories: str) -> tuple[Imported, Path]:
    out = photos.parent / "annotations"
    return import_annotations(source, photos, out, categories), out / "anna.gpkg"


def test_polygons_boxes_and_masks_of_coco(photos: Path, tmp_path: Path) -> None:
    mask = {"size": [120, 120], "counts": [0, 10, 14390]}
    content = coco(
        {"segmentation": [ring()], "bbox": [0, 0, 9, 9]},
        {"segmentation": [], "bbox": BOX},
        {"segmentation": mask},
        {"segmentation": [ring(2)], "category_id": 1},
        {"bbox": [0, 0, 0, 9]},
    )
    result, path = run(save(tmp_path / "instances.json", content), photos, "grave")
    (outline, drawn), (framed, as_box), (masked, _) = read(path)
    assert_same(outline, on_ground(OUTLINE))
    assert_same(framed, box())
    assert_same(masked, on_ground([(0, 0), (1, 0), (1, 10), (0, 10)]))
    assert drawn == {"category": "grave", "image": "any/anna.png", "from_box": False}
    assert as_box["from_box"]
    assert (result.files[0].graves, result.files[0].boxes) == (3, 1)
    notes = "\n".join(result.notes)
    assert "1 of 3 graves drawn as boxes" in notes
    assert "1 annotation without an outline left out" in notes
    assert "1 annotation of other categories left out" in notes
    with rasterio.open(photos / "anna_ortho.tif") as photo, fiona.open(path) as layer:
        assert rasterio.CRS.from_wkt(layer.crs_wkt) == photo.crs


@pytest.mark.parametrize("form", ["coco", "voc"])
def test_a_turned_box_of_cvat(form: str, photos: Path, tmp_path: Path) -> None:
    """It writes the upright box, and the angle as an attribute: clockwise around the middle."""
    if form == "coco":
        content = coco({"segmentation": [], "bbox": BOX, "attributes": {"rotation": 90.0}})
        source = save(tmp_path / "instances.json", content)
    else:
        angle = "<attribute><name>rotation</name><value>90.0</value></attribute>"
        text = VOC.format(name="anna.jpg", more="")
        source = tmp_path / "anna.xml"
        source.write_text(text.replace("</object>", f"<attributes>{angle}</attributes></object>"))
    result, path = run(source, photos)
    ((outline, drawn),) = read(path)
    assert_same(outline, on_ground(shapely.box(45, 65, 75, 85).exterior.coords))
    assert drawn["from_box"]
    assert result.files[0].boxes == 1


def test_a_smaller_copy_of_the_orthophoto(photos: Path, tmp_path: Path) -> None:
    content = coco({"segmentation": [ring(0.25)]}, size=(30, 30))
    result, path = run(save(tmp_path / "instances.json", content), photos)
    assert_same(read(path)[0][0], on_ground(OUTLINE))
    assert "0.25 times the size" in result.notes[0]


@pytest.mark.parametrize(
    "name",
    ["anna_ortho.tif", "C:\\chips\\anna.JPG", "0a1b2c3d-anna.png", "anna_png.rf.0a1B2c.jpg"],
)
def test_names_as_tools_write_them(name: str, photos: Path, tmp_path: Path) -> None:
    content = coco({"segmentation": [ring()]})
    content["images"][0]["file_name"] = name
    _, path = run(save(tmp_path / "instances.json", content), photos)
    assert_same(read(path)[0][0], on_ground(OUTLINE))


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        (("anna_png.rf.0a1B2c.jpg", "anna_png.rf.3d4E5f.jpg"), False),
        (("north/anna.png", "south/anna.png"), False),
        (("0a1b2c3d-anna.png", "4e5f6a7b-anna.png"), True),
        (("anna.png", "anna.jpg"), True),
    ],
)
def test_two_versions_of_an_image_are_refused(
    names: tuple[str, str], fits: bool, photos: Path, tmp_path: Path
) -> None:
    content = coco({"segmentation": [ring()]})
    content["images"] = [
        {"id": key, "file_name": name, "width": 120, "height": 120}
        for key, name in enumerate(names)
    ]
    mirrored = [120 - value if index % 2 == 0 else value for index, value in enumerate(ring())]
    content["annotations"] = [
        {"image_id": 0, "category_id": 0, "segmentation": [ring()]},
        {"image_id": 1, "category_id": 0, "segmentation": [mirrored]},
    ]
    source = save(tmp_path / "instances.json", content)
    if fits:
        assert run(source, photos)[0].files[0].graves == 2
        return
    words = rf"found {re.escape(f'{names[0]} and {names[1]}')}, expected one version"
    with pytest.raises(DatasetError, match=words):
        run(source, photos)


def test_pascal_voc(photos: Path, tmp_path: Path) -> None:
    points = "".join(f"<x{i}>{x}</x{i}><y{i}>{y}</y{i}>" for i, (x, y) in enumerate(OUTLINE, 1))
    pairs = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in OUTLINE)
    more = "".join(
        f"<object><name>grave</name><polygon>{words}</polygon></object>"
        for words in (points, pairs)
    )
    (tmp_path / "voc").mkdir()
    (tmp_path / "voc" / "1.xml").write_text(VOC.format(name="anna.jpg", more=more), "utf-8")
    result, path = run(tmp_path / "voc", photos)
    (framed, as_box), (outline, _) = read(path)  # the same outline twice is one grave
    assert as_box["from_box"]
    assert_same(framed, box())
    assert_same(outline, on_ground(OUTLINE))
    assert any("1 duplicate outline ignored" in note for note in result.notes)
    run(tmp_path / "voc", photos)  # the same again replaces its own file
    (tmp_path / "voc" / "1.xml").rename(tmp_path / "voc" / "1.XML")
    (tmp_path / "voc" / "._1.XML").write_bytes(b"\0\5\x16\7")  # of a Mac
    assert run(tmp_path / "voc", photos)[0].files == result.files


def test_coco_as_loose_tools_write_it(tmp_path: Path) -> None:
    write_raster(tmp_path / "photos" / "St. Änna (1).tif", transform=TURNED)
    content = coco({"segmentation": ring(), "bbox": []}, size=(0, 0))  # one flat outline, no size
    content["images"][0]["file_name"] = "St.%20%C3%84nna%20(1).png"
    source = save(tmp_path / "instances.json", content)

    result = import_annotations(source, tmp_path / "photos", tmp_path / "annotations")

    ((outline, drawn),) = read(result.files[0].path)
    assert_same(outline, on_ground(OUTLINE))
    assert not drawn["from_box"]


def region(value: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"original_width": 120, "original_height": 120, "value": value, **more}


def percents(points: list[tuple[float, float]]) -> list[list[float]]:
    return [[x / 1.2, y / 1.2] for x, y in points]


def test_label_studio(photos: Path, tmp_path: Path) -> None:
    left, top, width, height = (value / 1.2 for value in BOX)
    square = {"x": left, "y": top, "width": width, "height": height, "rectanglelabels": ["grave"]}
    drawn = [
        region({"points": percents(OUTLINE), "polygonlabels": ["grave"]}),
        region({**square, "rotation": 90}),
        region({"format": "rle", "rle": [1], "brushlabels": ["grave"]}),
    ]
    task = {
        "id": 1,
        "data": {"text": "-", "image": "/data/upload/3/0a1b2c3d-anna.png"},
        "annotations": [{"was_cancelled": True, "result": drawn[:1]}, {"result": drawn}],
    }
    result, path = run(save(tmp_path / "tasks.json", [task]), photos)
    (outline, _), (framed, _) = read(path)
    assert_same(outline, on_ground(OUTLINE))
    # A quarter turn clockwise around the upper left corner: it lies to the left of that corner.
    turned = shapely.box(BOX[0] - BOX[3], BOX[1], BOX[0], BOX[1] + BOX[2])
    assert_same(framed, on_ground(turned.exterior.coords))
    assert "neither polygons nor rectangles left out" in result.notes[0]


def test_an_image_that_was_turned_in_label_studio_is_refused(photos: Path, tmp_path: Path) -> None:
    value = {"points": percents(OUTLINE), "polygonlabels": ["grave"]}
    task = {
        "data": {"image": "anna.png"},
        "annotations": [{"result": [region(value, image_rotation=90)]}],
    }
    with pytest.raises(DatasetError, match="turned by 90 degrees in Label Studio"):
        run(save(tmp_path / "tasks.json", [task]), photos)


def test_the_short_form_of_label_studio(photos: Path, tmp_path: Path) -> None:
    short = {"points": percents(OUTLINE), "polygonlabels": ["grave"], "original_width": 120}
    task = {
        "image": "/data/local-files/?d=p/anna.png",
        "label": [{**short, "original_height": 120}],
    }
    _, path = run(save(tmp_path / "tasks.json", [task]), photos)
    assert_same(read(path)[0][0], on_ground(OUTLINE))


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["annotations"].clear(), "no annotations"),
        (
            lambda c: c["annotations"].append({**c["annotations"][0], "category_id": 1}),
            "--category",
        ),
        (lambda c: c["images"][0].update(file_name="berta.png"), "no orthophoto for an annotated"),
        (lambda c: c["images"][0].update(width=90), "drawn on another image than any/anna.png"),
        (lambda c: c["annotations"][0].update(segmentation=[ring(9)]), "lies outside of its image"),
        (lambda c: c["annotations"][0].update(image_id=8), "no image with the id 8"),
        (lambda c: c["annotations"][0].update(segmentation=[[1, 2, 3]]), "odd number"),
        (
            lambda c: c["images"].append({"id": 7, "file_name": "berta.png"}),
            "image id 7 stands for 'any/anna.png' and 'berta.png'",
        ),
        (
            lambda c: c["categories"].append({"id": 0, "name": "urn"}),
            "category id 0 stands for 'grave' and 'urn'",
        ),
        (
            lambda c: c["annotations"][0].update(
                segmentation={"size": [3, 3], "counts": [2, 3, 4]}
            ),
            "a mask of 3 x 3 pixels is on an image of 120 x 120",
        ),
        (lambda c: c["annotations"][0].update(segmentation=[["x"]]), "annotations.0.segmentation"),
    ],
)
def test_what_does_not_fit_is_named(
    change: Change, words: str, photos: Path, tmp_path: Path
) -> None:
    content = coco({"segmentation": [ring()]})
    change(content)
    with pytest.raises(DatasetError, match=words):
        run(save(tmp_path / "instances.json", content), photos)
    assert not (tmp_path / "annotations").exists()


def test_annotations_that_are_there_are_kept(photos: Path, tmp_path: Path) -> None:
    source = save(tmp_path / "instances.json", coco({"segmentation": [ring()]}))
    out = tmp_path / "annotations"
    out.mkdir()
    (out / "anna_graves.geojson").write_text("{}")
    with pytest.raises(DatasetError, match=r"anna_graves\.geojson: cemetery anna has annotations"):
        import_annotations(source, photos, out)
    (out / "anna_graves.geojson").unlink()
    import_annotations(source, photos, out)
    other = save(tmp_path / "other.json", coco({"segmentation": [ring(1.1)]}))
    with pytest.raises(ExportError, match="is made of other annotations"):
        import_annotations(other, photos, out)
    import_annotations(other, photos, out, overwrite=True)


def test_an_orthophoto_is_never_replaced(tmp_path: Path) -> None:
    photo = tmp_path / "photos" / "anna.gpkg"
    photo.parent.mkdir()
    place = {"crs": "EPSG:25832", "transform": from_origin(500_000, 5_300_000, 0.1, 0.1)}
    shape = {"count": 3, "width": 120, "height": 120, "dtype": "uint8"}
    with rasterio.open(photo, "w", driver="GPKG", **shape, **place) as dataset:
        dataset.write(np.full((3, 120, 120), 99, np.uint8))
    before = photo.read_bytes()
    labels = save(tmp_path / "instances.json", coco({"segmentation": [ring()]}))
    with pytest.raises(ExportError, match=r"orthophoto anna\.gpkg are the same file"):
        import_annotations(labels, photo.parent, photo.parent, overwrite=True)
    assert photo.read_bytes() == before
