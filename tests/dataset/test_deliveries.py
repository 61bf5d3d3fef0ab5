"""Whatever a surveyor hands over: the same scene in every kind of file, against the known truth."""

from collections.abc import Callable
from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely
from delivery_scene import (
    BACKGROUND,
    GSD_M,
    RANGE,
    UTM,
    areas_m2,
    deliver,
    expected,
    far_from_edges,
    layout,
    narrow_pixels,
    rectangles_in,
    south_up,
    truth,
    turned,
)
from pyproj import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window
from shapely.geometry import shape

from grave_cli.mapping.extract_graves import extract_graves
from grave_cli.mapping.geopackage import write_geopackage
from grave_cli.mapping.result import PredictionResult
from grave_cli.mapping.scene import open_scene
from grave_cli.mapping.stream import map_probabilities
from grave_cli.rasters.grid import WorkingGrid, geodesic_areas_m2
from grave_cli.rasters.orthophoto import Orthophoto, inspect_orthophoto, orthophoto_grid
from grave_cli.rasters.orthophoto_pixels import GridPixels, open_orthophoto, read_orthophoto
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.mapping import DecodingSettings
from grave_cli.settings.tree import Settings

Delivery = Callable[[Path], Path]
CUSTOM = CRS.from_wkt(
    CRS.from_proj4("+proj=tmerc +lat_0=40 +lon_0=-74 +x_0=5000 +k=1.0001 +ellps=WGS84").to_wkt()
)
LOSSY = 25


def tif(**how: object) -> Delivery:
    return lambda folder: deliver(folder / "scene.tif", **how)  # type: ignore[arg-type]


def copied(name: str, driver: str, noise: bool = False, **options: object) -> Delivery:
    """The plain delivery, copied by GDAL into another format."""

    def write(folder: Path) -> Path:
        source = deliver(folder / "source.tif", noise=noise)
        rasterio.shutil.copy(source, folder / name, driver=driver, **options)
        return folder / name

    return write


def with_overviews(folder: Path, noise: bool = False) -> Path:
    path = deliver(folder / "scene.tif", noise=noise, tiled=True, blockxsize=256, blockysize=256)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4, 8], Resampling.nearest)
    assert path.with_name("scene.tif.ovr").exists()
    return path


def with_world_file(folder: Path) -> Path:
    place = layout()
    path = deliver(folder / "scene.tif", crs=None, tfw="YES", profile="BASELINE")
    path.with_suffix(".prj").write_text(CRS.from_user_input(place.crs).to_wkt("WKT1_ESRI"))
    with rasterio.open(path) as file:
        assert file.crs is None
    return path


def in_another_order(folder: Path) -> Path:
    """Bands blue, green, red, alpha, tagged as such."""
    source = deliver(folder / "source.tif")
    with rasterio.open(source) as file:
        profile, planes = file.profile, file.read()
    path = folder / "scene.tif"
    with rasterio.open(path, "w", **profile) as file:
        file.colorinterp = (
            ColorInterp.blue,
            ColorInterp.green,
            ColorInterp.red,
            ColorInterp.alpha,
        )
        file.write(planes[[2, 1, 0, 3]])
    return path


def untagged_rgb(folder: Path) -> Path:
    return deliver(folder / "scene.tif", valid="none", photometric="MINISBLACK")


FILES: dict[str, Delivery] = {
    "striped": tif(),
    "tiled": tif(tiled=True, blockxsize=128, blockysize=128),
    "deflate": tif(compress="DEFLATE", predictor=2),
    "lzw": tif(compress="LZW"),
    "zstd": tif(compress="ZSTD", tiled=True),
    "packbits": tif(compress="PACKBITS"),
    "webp": tif(compress="WEBP", webp_lossless="YES", tiled=True),
    "jpeg with internal mask": tif(
        valid="mask", compress="JPEG", tiled=True, photometric="YCBCR", jpeg_quality=95
    ),
    "planar": tif(interleave="band"),
    "BigTIFF": tif(bigtiff="YES"),
    "COG": copied("scene.tif", "COG", compress="DEFLATE", overviews="AUTO"),
    "external overviews": with_overviews,
    "vrt": copied("scene.vrt", "VRT"),
    "GeoPackage": copied("scene.gpkg", "GPKG", tile_format="PNG"),
    "jp2": copied("scene.jp2", "JP2OpenJPEG", quality=100, reversible="YES"),
    "world file and prj": with_world_file,
    "nodata": tif(valid="nodata"),
    "internal mask": tif(valid="mask"),
    "sidecar mask": tif(valid="sidecar"),
    "alpha without its tag": tif(valid="untagged"),
    "no mask": tif(valid="none"),
    "near infrared": tif(valid="none", bands=4),
    "near infrared and nodata": tif(valid="nodata", bands=4),
    "blue first": in_another_order,
    "untagged colours": untagged_rgb,
    "16 bits": tif(dtype="uint16"),
    "16 bits with nodata": tif(dtype="uint16", valid="nodata"),
    "16 bits with mask": tif(dtype="uint16", valid="mask", compress="DEFLATE"),
    "16 bits, alpha without its tag": tif(dtype="uint16", valid="untagged"),
}

PLACES: dict[str, Delivery] = {
    "UTM": tif(),
    "Web Mercator": tif(place=layout("EPSG:3857")),
    "degrees": tif(place=layout("EPSG:4326")),
    "degrees on NAD83, nodata": tif(place=layout("EPSG:4269"), valid="nodata"),
    "degrees with heights": tif(place=layout("EPSG:4979"), valid="mask"),
    "degrees, no mask": tif(place=layout("EPSG:4326"), valid="none"),
    "degrees, near infrared": tif(place=layout("EPSG:4326"), valid="none", bands=4),
    "degrees, 16 bits": tif(place=layout("EPSG:4326"), dtype="uint16"),
    "degrees, 16 bits, mask": tif(place=layout("EPSG:4326"), dtype="uint16", valid="mask"),
    "US feet": tif(place=layout("EPSG:2263")),
    "US feet with heights": tif(place=layout("EPSG:2263+6360")),
    "compound": tif(place=layout("EPSG:32618+5703")),
    "custom WKT": tif(place=layout(CUSTOM)),
    "turned by 30 degrees": tif(place=turned(30)),
    "turned by -100 degrees, mask": tif(place=turned(-100), valid="mask"),
    "turned, alpha without its tag": tif(place=turned(10), valid="untagged"),
    "south up": tif(place=south_up()),
    "narrow pixels": tif(place=narrow_pixels()),
}
SEES_ALL = ("no mask", "near infrared", "untagged colours", "degrees, no mask")
SEES_ALL += ("degrees, near infrared",)


def inspected(path: Path, gsd_m: float = GSD_M) -> tuple[Orthophoto, WorkingGrid]:
    orthophoto = inspect_orthophoto(path)
    return orthophoto, orthophoto_grid(orthophoto, gsd_m, 3)


def read(path: Path) -> GridPixels:
    orthophoto, grid = inspected(path)
    return read_orthophoto(orthophoto, grid, RANGE)


def check(pixels: GridPixels, path: Path, levels: int, sees_all: bool) -> None:
    colours, valid, inside = expected(pixels, path)
    sure = far_from_edges(pixels, path)
    seen = inside if sees_all else valid
    assert (pixels.valid == seen)[sure].all()
    off = np.abs(pixels.rgb.astype(int) - colours)[:, sure & seen]
    assert off.max() <= levels
    assert not pixels.rgb[:, ~pixels.valid].any()


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_gives_the_scene(name: str, tmp_path: Path) -> None:
    path = FILES[name](tmp_path)

    pixels = read(path)

    check(pixels, path, LOSSY if "jpeg" in name else 2, name in SEES_ALL)
    for found, known in zip(rectangles_in(pixels), truth(), strict=True):
        assert shapely.hausdorff_distance(found, known) < GSD_M


@pytest.mark.parametrize("name", PLACES)
def test_every_crs_and_geotransform_gives_the_same_rectangles(name: str, tmp_path: Path) -> None:
    path = PLACES[name](tmp_path)

    pixels = read(path)

    check(pixels, path, 2, name in SEES_ALL)
    for found, known in zip(rectangles_in(pixels), truth(), strict=True):
        assert shapely.hausdorff_distance(found, known) < GSD_M
    true_areas = geodesic_areas_m2(truth(), UTM)
    np.testing.assert_allclose(areas_m2(pixels), true_areas, rtol=0.005)


@pytest.mark.parametrize("name", ["UTM", "Web Mercator", "degrees", "turned by 30 degrees"])
def test_a_working_pixel_is_as_large_on_the_ground_as_set(name: str, tmp_path: Path) -> None:
    _, grid = inspected(PLACES[name](tmp_path))

    area = geodesic_areas_m2(np.array([shapely.box(*grid.bounds)]), grid.crs)[0]
    assert area / (grid.width * grid.height) == pytest.approx(GSD_M**2, rel=2e-3)
    assert CRS.from_wkt(grid.crs).is_projected


NOISY: dict[str, Delivery] = {
    "alpha": tif(noise=True),
    "nodata": tif(noise=True, valid="nodata"),
    "internal mask": tif(noise=True, valid="mask", tiled=True),
    "16 bits": tif(noise=True, dtype="uint16"),
    "COG": copied("scene.tif", "COG", noise=True),
    "nearest overviews": lambda folder: with_overviews(folder, noise=True),
    "jp2": copied("scene.jp2", "JP2OpenJPEG", noise=True, quality=100, reversible="YES"),
    "Web Mercator": tif(noise=True, place=layout("EPSG:3857")),
    "degrees": tif(noise=True, place=layout("EPSG:4326")),
    "degrees, 16 bits": tif(noise=True, place=layout("EPSG:4326"), dtype="uint16", valid="mask"),
    "turned": tif(noise=True, place=turned(30)),
    "south up": tif(noise=True, place=south_up()),
}


@pytest.mark.parametrize("gsd_m", [GSD_M, 0.059, 0.06, 0.017])
@pytest.mark.parametrize("name", NOISY)
def test_a_window_equals_its_part_of_the_whole(name: str, gsd_m: float, tmp_path: Path) -> None:
    orthophoto, grid = inspected(NOISY[name](tmp_path), gsd_m)
    with open_orthophoto(orthophoto) as reader:
        whole = reader.read(grid, RANGE)
        rng = np.random.default_rng(0)
        for _ in range(6):
            col, row = rng.integers(-20, grid.width - 20), rng.integers(-20, grid.height - 20)
            window = Window(col, row, *rng.integers(21, 150, 2))
            part = reader.read(grid.crop(window), RANGE)
            same = slice(max(row, 0), row + window.height), slice(max(col, 0), col + window.width)
            here = whole.rgb[(slice(None), *same)]
            there = part.rgb[:, max(-row, 0) :, max(-col, 0) :][:, : here.shape[1], : here.shape[2]]
            seen = part.valid[max(-row, 0) :, max(-col, 0) :][: here.shape[1], : here.shape[2]]
            both = seen & whole.valid[same]
            assert np.abs(here.astype(int) - there)[:, both].max(initial=0) <= 1
            assert (seen != whole.valid[same]).mean() < 1e-3


def test_overviews_do_not_change_what_the_network_sees(tmp_path: Path) -> None:
    plain, grid = inspected(deliver(tmp_path / "plain.tif", noise=True), 0.07)

    with_them = read_orthophoto(inspect_orthophoto(with_overviews(tmp_path, noise=True)), grid)

    np.testing.assert_array_equal(with_them.rgb, read_orthophoto(plain, grid).rgb)


def test_a_much_coarser_look_is_taken_from_overviews(tmp_path: Path) -> None:
    orthophoto, grid = inspected(with_overviews(tmp_path))
    with open_orthophoto(orthophoto) as reader:
        pixels = reader.read(grid.coarsened(8))

        widths = [reader.pyramid.at(ratio).width for ratio in (1, 7.9, 8, 17, 1000)]
    assert widths == [500, 500, 250, 125, 63]
    assert pixels.rgb[:, 3, 3] == pytest.approx([120, 118, 110], abs=1)


class ColourEngine:
    """Finds what has not the background's colour: a model that makes no mistakes."""

    name = "colour"
    batch_mpx = 1.0

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        background = np.reshape(BACKGROUND, (3, 1, 1)) / np.float32(255)
        off = np.abs(batch[:, :3] - background).max(axis=1, keepdims=True)
        seen = batch[:, :3].max(axis=1, keepdims=True) > 0
        body = np.clip(off / 0.4, 0, 1) * seen
        return np.concatenate([body, np.zeros_like(body), np.zeros_like(body)], axis=1)


RECIPE = InputRecipe(
    channels="rgb", gsd_m=GSD_M, mean=(0, 0, 0), std=(1, 1, 1), elevation=None, value_range=RANGE
)
MAPPED = ("Web Mercator", "degrees", "US feet with heights", "turned by 30 degrees")


def mapped(path: Path) -> PredictionResult:
    scene = open_scene(path, None, RECIPE, 3)
    settings = Settings(prediction={"tile_px": 128, "halo_px": 16})  # type: ignore[arg-type]
    probabilities = map_probabilities(scene, ColourEngine(), settings.prediction)
    return extract_graves(probabilities, scene, DecodingSettings(min_peak_body=0), settings, {})


@pytest.mark.parametrize("name", MAPPED)
def test_the_graves_are_the_same_and_written_in_the_crs_of_the_orthophoto(
    name: str, tmp_path: Path
) -> None:
    path = PLACES[name](tmp_path)

    result = mapped(path)
    write_geopackage(result, tmp_path / "own.gpkg")
    write_geopackage(result, tmp_path / "utm.gpkg", UTM)

    with (
        rasterio.open(path) as dataset,
        fiona.open(tmp_path / "own.gpkg", layer="graves") as layer,
    ):
        own = CRS.from_wkt(dataset.crs.to_wkt())
        own = own.sub_crs_list[0] if own.is_compound else own
        assert CRS.from_wkt(layer.crs_wkt).to_epsg() == own.to_epsg()
        assert len(layer) == len(truth())
        left, bottom, right, top = inspect_orthophoto(path).georeference.bounds
        assert left < layer.bounds[0] < layer.bounds[2] < right
        assert bottom < layer.bounds[1] < layer.bounds[3] < top
    with fiona.open(tmp_path / "utm.gpkg", layer="graves") as layer:
        graves = [(shape(row.geometry), row.properties["area_m2"]) for row in layer]
    true_areas = geodesic_areas_m2(truth(), UTM)
    for known, true_area in zip(truth(), true_areas, strict=True):
        found, area = min(graves, key=lambda grave: grave[0].distance(known.centroid))
        # Decoding works in whole pixels: an edge may lie a working pixel off, all round.
        assert shapely.hausdorff_distance(found, known) < 1.5 * GSD_M
        assert area == pytest.approx(true_area, rel=0.03)
