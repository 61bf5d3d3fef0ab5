"""Graves of a cemetery: cut at its orthophoto, out of a common file, or out of a mask."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fiona
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from deliveries import GRAVES, GRID, PIXEL, UTM, by_place, grave, moved, write
from pyproj import CRS, Transformer
from scipy import ndimage

from grave_cli.dataset.annotations import rasterize_instances, read_grave_file, read_graves
from grave_cli.dataset.manifest import Cemetery, read_manifest
from grave_cli.errors import GraveError
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.settings.inputs import DataSettings


def test_clipped_graves_end_at_the_edge_of_the_orthophoto(tmp_path: Path) -> None:
    path = write(tmp_path / "g.gpkg", [grave(20, 5, 0)])
    (piece,) = read_grave_file(path, GRID, DataSettings()).polygons
    assert piece.bounds == pytest.approx((500019, 5400004.5, 500020, 5400005.5))


def data_folder(root: Path, *names: str) -> Path:
    """A data folder whose orthophotos are only names."""
    for name in names:
        path = root / "orthophotos" / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_one_file_serves_all_cemeteries_without_labels_of_their_own(tmp_path: Path) -> None:
    root = data_folder(tmp_path / "data", "a", "b", "c")
    for folder in ("annotations", "masks"):
        (root / folder).mkdir()
    (root / "masks" / "c.tif").touch()
    own = write(root / "annotations" / "a.gpkg", GRAVES[:1])
    far = [shapely.affinity.translate(shape, 1000) for shape in GRAVES]
    shared = write(root / "annotations" / "all.gpkg", [*GRAVES[:3], *far])
    manifest = read_manifest(root, shared)
    assert [cemetery.labels for cemetery in manifest.cemeteries] == [
        own,
        shared,
        root / "masks" / "c.tif",
    ]
    graves = read_graves(manifest["b"], GRID, DataSettings(annotations=str(shared)))
    assert len(graves.polygons) == 3
    assert not list(graves.findings.sentences())
    assert shared in list(manifest["b"].files)


@pytest.mark.parametrize("crs", [UTM, "EPSG:4326"])
def test_a_common_file_without_graves_of_a_cemetery_is_refused(tmp_path: Path, crs: str) -> None:
    far = [shapely.affinity.translate(shape, 1000) for shape in GRAVES]
    shared = write(tmp_path / "all.gpkg", moved(far, crs), crs=crs)
    cemetery = Cemetery("a", tmp_path / "a.tif", annotations=shared)
    with pytest.raises(GraveError, match=r"all\.gpkg: none of its graves lie within"):
        read_graves(cemetery, GRID, DataSettings(annotations=str(shared)))


def test_a_missing_common_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraveError, match=r"all\.gpkg: file is missing"):
        read_manifest(data_folder(tmp_path, "a"), tmp_path / "all.gpkg")


def write_mask(path: Path, mask: np.ndarray, **changes: Any) -> Path:
    profile = {
        "driver": "GTiff",
        "width": mask.shape[-1],
        "height": mask.shape[-2],
        "count": 1 if mask.ndim == 2 else len(mask),
        "dtype": mask.dtype,
        "crs": UTM,
        "transform": GRID.transform,
    }
    with rasterio.open(path, "w", **{**profile, **changes}) as file:
        file.write(mask if mask.ndim == 3 else mask[None])
    return path


def mask_of_graves(scale: int = 1) -> np.ndarray:
    fine = Affine.scale(1 / scale)
    grid = WorkingGrid(GRID.crs, GRID.transform @ fine, 200 * scale, 100 * scale, PIXEL / scale)
    return (rasterize_instances(np.array(GRAVES), grid) > 0).astype(np.uint8)


def nodata_mask() -> np.ndarray:
    mask = mask_of_graves() * 7
    mask[mask == 0] = 255
    return mask


def holed(mask: np.ndarray) -> np.ndarray:
    return np.where(mask > 0, mask.astype(np.float32), np.nan)


MASKS: dict[str, tuple[Callable[[], np.ndarray], dict[str, Any]]] = {
    "ones": (mask_of_graves, {}),
    "255 is nodata": (nodata_mask, {"nodata": 255}),
    "NaN": (lambda: holed(mask_of_graves()), {}),
    "finer": (
        lambda: mask_of_graves(3),
        {"transform": GRID.transform @ Affine.scale(1 / 3)},
    ),
}


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_gives_its_connected_pixels(tmp_path: Path, name: str) -> None:
    make, changes = MASKS[name]
    path = write_mask(tmp_path / "m.tif", make(), **changes)
    found = read_graves(Cemetery("a", tmp_path / "a.tif", mask=path), GRID).polygons
    assert len(found) == len(GRAVES)
    off = shapely.distance(shapely.centroid(by_place(found)), shapely.centroid(by_place(GRAVES)))
    assert off.max() < PIXEL


def test_the_crs_of_a_mask_may_lie_beside_it(tmp_path: Path) -> None:
    path = write_mask(tmp_path / "m.tif", mask_of_graves(), crs=None)
    path.with_suffix(".prj").write_text(CRS.from_user_input(UTM).to_wkt("WKT1_ESRI"))
    found = read_graves(Cemetery("a", tmp_path / "a.tif", mask=path), GRID).polygons
    assert len(found) == len(GRAVES)


def test_graves_of_a_mask_that_touch_at_a_corner_are_two(tmp_path: Path) -> None:
    mask = np.zeros(GRID.shape, np.uint8)
    mask[10:20, 10:20] = mask[20:30, 20:30] = 1
    path = write_mask(tmp_path / "m.tif", mask)
    assert len(read_graves(Cemetery("a", tmp_path / "a.tif", mask=path), GRID).polygons) == 2


def rows_of_graves(values: Sequence[int], gap: int = 0) -> np.ndarray:
    """Graves of 10 x 20 pixels side by side, each of its own value."""
    mask = np.zeros(GRID.shape, np.uint16)
    for index, value in enumerate(values):
        left = 5 + index * (10 + gap)
        mask[30:50, left : left + 10] = value
    return mask


def with_grey_edges() -> np.ndarray:
    mask = rows_of_graves([255, 255, 255], gap=10)
    for level in (128, 64):
        ring = (ndimage.grey_dilation(mask, 3) > 0) & (mask == 0)
        mask[ring] = level
    return mask


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (rows_of_graves(range(1, 9)), 8),  # numbers: graves that touch stay apart
        (rows_of_graves([301, 7, 44]), 3),
        (rows_of_graves([1] * 8), 1),
        (rows_of_graves([1, 2] * 4, gap=3), 8),  # classes
        (rows_of_graves([1, 2] * 4), 1),
        (with_grey_edges(), 3),
        (np.random.default_rng(0).integers(0, 2, GRID.shape) * with_grey_edges(), None),
    ],
)
def test_values_of_a_mask_that_number_its_graves_keep_them_apart(
    tmp_path: Path, mask: np.ndarray, expected: int | None
) -> None:
    path = write_mask(tmp_path / "m.tif", mask.astype(np.uint16))
    found = read_graves(Cemetery("a", tmp_path / "a.tif", mask=path), GRID).polygons
    assert len(found) == (expected or ndimage.label(mask > 0)[1])


def test_the_noise_of_a_lossy_mask_marks_no_grave(tmp_path: Path) -> None:
    mask = mask_of_graves(4) * 255
    fine = {"transform": GRID.transform @ Affine.scale(1 / 4)}
    path = write_mask(tmp_path / "m.tif", mask, compress="JPEG", **fine)
    with rasterio.open(path) as file:
        assert len(np.unique(file.read())) > 20
    found = read_graves(Cemetery("a", tmp_path / "a.tif", mask=path), GRID).polygons
    assert len(found) == len(GRAVES)
    areas = shapely.area(by_place(found)) / shapely.area(by_place(GRAVES))
    assert np.abs(areas - 1).max() < 0.1


def test_a_missing_grid_of_datum_shifts_is_said_of_a_mask(tmp_path: Path) -> None:
    crs = "EPSG:31467"
    x, y = Transformer.from_crs(UTM, crs, always_xy=True).transform(500_000, 5_400_010)
    how = {"crs": crs, "transform": Affine(0.1, 0, x, 0, -0.1, y)}
    path = write_mask(tmp_path / "m.tif", rows_of_graves([1]), **how)
    (note,) = read_graves(Cemetery("a", tmp_path / "a.tif", mask=path), GRID).notes
    assert note.startswith(f"{path}: positions can be off by")


@pytest.mark.parametrize(
    ("mask", "changes", "why"),
    [
        (np.zeros((100, 200), np.uint8), {}, "no graves"),
        (np.ones((3, 100, 200), np.uint8), {}, "3 bands"),
        (1 - mask_of_graves(), {}, "nearly everything as graves.*inverts it"),
        (np.ones((100, 200), np.uint8), {"crs": None}, "no CRS"),
        (np.ones((9, 9), np.uint8), {"transform": Affine(2, 0, 0, 0, -2, 0)}, "position is wrong"),
    ],
)
def test_a_mask_that_cannot_serve_is_refused(
    tmp_path: Path, mask: np.ndarray, changes: dict[str, Any], why: str
) -> None:
    path = write_mask(tmp_path / "m.tif", mask, **changes)
    with pytest.raises(GraveError, match=why) as caught:
        read_graves(Cemetery("a", tmp_path / "a.tif", mask=path), GRID)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_cemetery_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraveError, match="cemetery a has no labels"):
        read_graves(Cemetery("a", tmp_path / "a.tif"), GRID)


def test_reviewed_is_read_from_any_kind_of_column_and_drops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "g.gpkg"
    marks = ("ja", "Nein", "x", None, "false", "1")
    schema = {"geometry": "Polygon", "properties": {"reviewed": "str"}}
    with fiona.open(path, "w", driver="GPKG", crs=UTM, schema=schema) as layer:
        for index, mark in enumerate(marks):
            outline = shapely.geometry.mapping(grave(2 + 3 * index, 5, 0))
            layer.write({"geometry": outline, "properties": {"reviewed": mark}})
    found = read_grave_file(path, GRID, DataSettings())
    assert found.reviewed is not None
    assert found.reviewed.tolist() == [True, False, True, False, False, True]
    assert len(found.polygons) == 6
