"""Orthophotos that cannot be read say why; those that can say what is peculiar about them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import fiona
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import shapely
from affine import Affine
from delivery_scene import (
    GSD_M,
    RANGE,
    RECTANGLES,
    UTM,
    Layout,
    areas_m2,
    deliver,
    layout,
    rectangles_in,
    truth,
    turned,
)
from pyproj import CRS
from rasterio.control import GroundControlPoint

from grave_cli.dataset.deliveries import check_depths, measure_value_range
from grave_cli.errors import GraveError, GridError, RasterReadError
from grave_cli.rasters.bit_depth import range_of, scaling, to_bytes, to_eight_bits
from grave_cli.rasters.crs import LONLAT, mover, parse_crs
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import Orthophoto, inspect_orthophoto, orthophoto_grid
from grave_cli.rasters.orthophoto_pixels import GridPixels, read_orthophoto

HERE = Affine(0.05, 0, 587_000, 0, -0.05, 4_515_000)
LOCAL = 'LOCAL_CS["site",UNIT["metre",1]]'


def write(
    path: Path,
    count: int = 3,
    dtype: str = "uint8",
    crs: str | None = UTM,
    transform: Affine | None = HERE,
    **profile: object,
) -> Path:
    with rasterio.open(
        path,
        "w",
        **{"driver": "GTiff", "height": 40, "width": 60, "count": count, "dtype": dtype},
        crs=crs,
        transform=transform,
        **profile,
    ) as file:
        file.write(np.full((count, 40, 60), 7, dtype))
    return path


def described(
    path: Path,
    *names: str,
    dtype: str = "uint8",
    alpha_tag: bool = False,
    nodata: float | None = None,
) -> Path:
    """Bands of 10, 20, 30 ... with descriptions, and no colour tags."""
    values = np.arange(1, len(names) + 1).reshape(-1, 1, 1) * 10
    with rasterio.open(
        path,
        "w",
        **{"driver": "GTiff", "height": 40, "width": 60, "count": len(names), "dtype": dtype},
        crs=UTM,
        transform=HERE,
        photometric="RGB" if alpha_tag else "MINISBLACK",
        alpha="YES" if alpha_tag else "NO",
        nodata=nodata,
    ) as file:
        file.write(np.broadcast_to(values, (len(names), 40, 60)).astype(dtype))
        file.descriptions = names
    return path


def transparent(path: Path) -> Path:
    with rasterio.open(deliver(path), "r+") as file:
        file.write(np.zeros(file.shape, np.uint8), 4)
    return path


def half_transparent_floats(path: Path) -> Path:
    values = np.array([1000, 2000, 3000, 255]).reshape(-1, 1, 1) * np.ones((1, 40, 60))
    values[:, :, :30] = 0
    with rasterio.open(write(path, count=4, dtype="float32"), "r+") as file:
        file.colorinterp = [rasterio.enums.ColorInterp(tag) for tag in (3, 4, 5, 6)]
        file.write(values.astype(np.float32))
    return path


def infrared_alpha(path: Path) -> Path:
    """Four bands, of which the last one, a picture, bears the tag that most programs give it."""
    with rasterio.open(deliver(path), "r+") as file:
        file.write(np.random.default_rng(0).integers(60, 250, file.shape, np.uint8), 4)
    return path


def with_wavelengths(path: Path, tags: Sequence[dict[str, str]]) -> Path:
    with rasterio.open(write(path, count=len(tags)), "r+") as file:
        for band, items in enumerate(tags, start=1):
            file.write(np.full(file.shape, band * 10, np.uint8), band)
            file.update_tags(
                band, ns="IMAGERY" if "CENTRAL_WAVELENGTH_UM" in items else "", **items
            )
    return path


def tagged(path: Path, *tags: str) -> Path:
    with rasterio.open(write(path, count=len(tags)), "r+") as file:
        file.colorinterp = [rasterio.enums.ColorInterp[tag] for tag in tags]
    return path


def palette(path: Path) -> Path:
    with rasterio.open(write(path, count=1), "r+") as file:
        file.write_colormap(1, {7: (255, 0, 0, 255)})
    return path


def control_points(path: Path) -> Path:
    write(path, crs=None, transform=None)
    with rasterio.open(path, "r+") as file:
        points = [
            GroundControlPoint(row=row, col=col, x=587_000 + col, y=4_515_000 - row)
            for row, col in ((0, 0), (0, 60), (40, 0))
        ]
        file.gcps = (points, rasterio.CRS.from_string(UTM))
    return path


def cut_short(path: Path) -> Path:
    deliver(path, compress="DEFLATE")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def garbled_vrt(path: Path) -> Path:
    other = path.with_suffix(".vrt")
    rasterio.shutil.copy(deliver(path), other, driver="VRT")
    other.write_bytes(other.read_bytes().replace(b"<SourceBand>", b"<Source\xbcand>"))
    return other


def vector(path: Path) -> Path:
    schema = {"geometry": "Point", "properties": {}}
    with fiona.open(path.with_suffix(".gpkg"), "w", driver="GPKG", schema=schema, crs=UTM):
        return path.with_suffix(".gpkg")


def several_rasters(path: Path) -> Path:
    write(path)
    both = path.with_suffix(".gpkg")
    for name, append in (("one", "NO"), ("two", "YES")):
        rasterio.shutil.copy(
            path, both, driver="GPKG", raster_table=name, append_subdataset=append, strict=False
        )
    return both


def text(path: Path) -> Path:
    path.write_text("not a raster")
    return path


def nonsense(path: Path) -> Path:
    return write(path, crs="EPSG:4326", transform=HERE)


def inspected(path: Path) -> tuple[Orthophoto, WorkingGrid]:
    orthophoto = inspect_orthophoto(path)
    return orthophoto, orthophoto_grid(orthophoto, GSD_M, 3)


def read_whole(path: Path) -> GridPixels:
    return read_orthophoto(*inspected(path))


# What is wrong -> how to make it, the error, what its line says.
REFUSED: dict[str, tuple[Callable[[Path], Path], type[GraveError], str]] = {
    "missing": (lambda path: path, RasterReadError, "missing"),
    "text": (text, RasterReadError, "GeoTIFF"),
    "VRT that is no text": (garbled_vrt, RasterReadError, "VRT cannot be read"),
    "vector file": (vector, RasterReadError, "found a GeoPackage without pixels"),
    "cut short": (cut_short, RasterReadError, "damaged"),
    "several rasters": (several_rasters, RasterReadError, "2 rasters"),
    "grey": (lambda path: write(path, count=1), RasterReadError, r"1 band\(s\) of uint8"),
    "grey and alpha": (lambda path: write(path, count=2), RasterReadError, r"2 band\(s\)"),
    "palette": (palette, RasterReadError, "-expand rgb"),
    "CMYK by tags": (
        lambda path: tagged(path, "cyan", "magenta", "yellow", "black"),
        RasterReadError,
        "no red band .*found bands cyan, magenta, yellow, black",
    ),
    "infrared by tags": (
        lambda path: tagged(path, "nir", "red", "green"),
        RasterReadError,
        "no blue band .*found bands nir, red, green",
    ),
    "five bands": (lambda path: write(path, count=5), RasterReadError, r"5 band\(s\)"),
    "five bands with an alpha channel": (
        lambda path: tagged(path, "gray", *["undefined"] * 3, "alpha"),
        RasterReadError,
        r"5 band\(s\).*-b RED -b GREEN -b BLUE -b ALPHA` keeps one band of each",
    ),
    "float": (lambda path: write(path, dtype="float32"), RasterReadError, "float32"),
    "a DEM": (lambda path: write(path, count=1, dtype="float32"), RasterReadError, "like a DEM"),
    "int16": (lambda path: write(path, dtype="int16"), RasterReadError, "int16"),
    "float with its range": (
        lambda path: described(path, "Blue", "Green", "Red", dtype="float32", nodata=-9999),
        RasterReadError,
        r"-b 3 -b 2 -b 1 -ot Byte -scale 10 30 1 255 -a_nodata 0 ortho\.tif",
    ),
    "float with an alpha channel": (
        half_transparent_floats,
        RasterReadError,
        "-b 3 -b 4 -ot Byte -scale_1 1000 3000 0 255 .* -scale_4 0 255 0 255 ortho.tif",
    ),
    "no blue": (
        lambda path: described(path, "Green", "Red", "RedEdge", "NIR"),
        RasterReadError,
        "no blue band .*found bands Green, Red, RedEdge, NIR.*colour camera",
    ),
    "two blues": (
        lambda path: described(path, "Blue-444", "Blue-475", "Green-560", "Red-650"),
        RasterReadError,
        "ambiguous.*Blue-444, Blue-475",
    ),
    "infrared called alpha": (
        lambda path: described(path, "Blue", "Green", "Red", "NIR", alpha_tag=True),
        RasterReadError,
        "band 4 is tagged as an alpha channel.*-b 1 -b 2 -b 3",
    ),
    "infrared tagged as alpha": (
        infrared_alpha,
        RasterReadError,
        "band 4 is tagged as an alpha channel but holds a picture.*-b 1 -b 2 -b 3",
    ),
    "wavelengths without blue": (
        lambda path: described(path, "560 nm", "668 nm", "717 nm", "840 nm"),
        RasterReadError,
        "no blue band .*found bands 560 nm, 668 nm, 717 nm, 840 nm",
    ),
    "transparent": (transparent, RasterReadError, r"alpha channel \(band 4\) of 0"),
    "no CRS": (lambda path: write(path, crs=None), GridError, "no CRS"),
    "no geotransform": (lambda path: write(path, transform=None), GridError, "world file"),
    "control points": (control_points, GridError, "3 ground control points.*-tps ortho.tif"),
    "local CRS": (lambda path: write(path, crs=LOCAL), GridError, r"site \(Engineering CRS\)"),
    "metres called degrees": (nonsense, GridError, "expected degrees"),
    "beyond its projection": (
        lambda path: write(path, transform=Affine(0.05, 0, 1e20, 0, -0.05, 4_515_000)),
        GridError,
        "expected a place on the Earth",
    ),
    "pixels without an area": (
        lambda path: write(path, transform=Affine(0.05, 0, 587_000, 0.05, 0, 4_515_000)),
        GridError,
        "no area.*found 0.05, 0, 587000, 0.05, 0",
    ),
    "pixels of a nanometre": (
        lambda path: write(path, transform=HERE @ Affine.scale(2e-8)),
        GridError,
        r"impossible size.*expected 0\.001 to 1000 m",
    ),
    "on Mars": (
        lambda path: write(path, crs="+proj=eqc +R=3396190 +units=m +no_defs"),
        GridError,
        "not tied to the Earth",
    ),
    "too coarse": (
        lambda path: write(path, transform=HERE @ Affine.scale(4)),
        GridError,
        r"0\.200 m per pixel, expected at most 0\.150 m",
    ),
    "too coarse, in degrees": (
        lambda path: write(path, crs="EPSG:4326", transform=Affine(5e-6, 0, 9, 0, -5e-6, 48)),
        GridError,
        "too coarse",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_one_line_with_file_found_expected_and_remedy(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, kind, says = REFUSED[name]
    path = make(tmp_path / "ortho.tif")

    with pytest.raises(kind, match=says) as caught:
        read_whole(path)

    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    assert "(found " in line
    assert ", expected " in line
    assert "); " in line
    assert capfd.readouterr().err == ""


def test_what_is_peculiar_is_said(tmp_path: Path) -> None:
    plain = deliver(tmp_path / "plain.tif")
    infrared = deliver(tmp_path / "infrared.tif", valid="none", bands=4)
    bare = deliver(tmp_path / "bare.tif", crs=None)
    bare.with_suffix(".prj").write_text(CRS.from_user_input(UTM).to_wkt("WKT1_ESRI"))

    notes = {path: inspect_orthophoto(path).notes for path in (plain, infrared, bare)}

    assert notes[plain] == ()
    pages = tmp_path / "pages.tif"
    for append in ("NO", "YES"):
        rasterio.shutil.copy(plain, pages, driver="GTiff", append_subdataset=append, strict=False)
    assert inspect_orthophoto(pages).notes == (f"{pages}: holds 2 pictures; the first one is read",)
    assert notes[infrared] == (f"{infrared}: band 4 is not an alpha channel and ignored",)
    assert notes[bare] == (f"{bare}: its CRS is taken from the .prj file beside it",)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("Blue", "Green", "Red"), (30, 20, 10)),
        (("B", "G", "R", "A"), (30, 20, 10)),
        (("Band 1 (Blau)", "Band 2 (Grün)", "Band 3 (Rot)", "RedEdge", "NIR"), (30, 20, 10)),
        (("Layer_1", "Layer_2", "Layer_3"), (10, 20, 30)),
        (("475 nm", "560 nm", "668 nm"), (30, 20, 10)),
        (("0,45-0,51 µm", "0,53-0,59 µm", "0,64-0,67 µm", "0,85-0,88 µm"), (30, 20, 10)),
        (("", "", "", "NIR"), (10, 20, 30)),
    ],
)
def test_descriptions_of_bands_say_which_are_the_colours(
    tmp_path: Path, names: tuple[str, ...], expected: tuple[int, int, int]
) -> None:
    path = described(tmp_path / "ortho.tif", *names)

    read = read_whole(path)

    assert read.rgb[:, 20, 20].tolist() == list(expected)
    said = any("by their descriptions" in note for note in inspect_orthophoto(path).notes)
    assert said == (expected != (10, 20, 30))


@pytest.mark.parametrize(
    ("key", "unit", "factor"),
    [
        ("wavelength", {"wavelength_units": "Nanometers"}, 1),
        ("wavelength", {"WavelengthUnits": "Micrometers"}, 1e-3),
        ("CENTRAL_WAVELENGTH_UM", {}, 1e-3),
    ],
)
def test_wavelengths_of_bands_say_which_are_the_colours(
    tmp_path: Path, key: str, unit: dict[str, str], factor: float
) -> None:
    tags = [{key: str(nm * factor)} | unit for nm in (475, 560, 668, 717, 840)]
    path = with_wavelengths(tmp_path / "ortho.tif", tags)

    assert read_whole(path).rgb[:, 20, 20].tolist() == [30, 20, 10]


@pytest.mark.parametrize("place", [layout(), turned(20)])
@pytest.mark.parametrize("opaque", [1, 100])
def test_an_alpha_channel_is_opaque_at_its_own_largest_value(
    tmp_path: Path, place: Layout, opaque: int
) -> None:
    usual, other = (deliver(tmp_path / f"{name}.tif", place) for name in ("usual", "other"))
    with rasterio.open(other, "r+") as file:
        file.write((file.read(4) > 0).astype(np.uint8) * opaque, 4)

    first, second = read_whole(usual), read_whole(other)

    assert (first.valid != second.valid).mean() < 1e-3
    both = first.valid & second.valid
    np.testing.assert_array_equal(first.rgb[:, both], second.rgb[:, both])


def test_a_lossy_alpha_channel_without_a_tag_is_found(tmp_path: Path) -> None:
    usual, lossy = (
        deliver(tmp_path / f"{name}.tif", valid="untagged") for name in ("usual", "lossy")
    )
    with rasterio.open(lossy, "r+") as file:
        noise = np.random.default_rng(0).integers(0, 5, file.shape)
        file.write(np.where(file.read(4) > 0, 255 - noise, noise).astype(np.uint8), 4)

    assert (read_whole(lossy).valid != read_whole(usual).valid).mean() < 1e-4


def test_half_covered_pixels_are_valid_and_keep_the_colour_of_what_covers_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ortho.tif"
    with rasterio.open(
        path,
        "w",
        **{"driver": "GTiff", "height": 4, "width": 8, "count": 4, "dtype": "uint8"},
        crs=UTM,
        transform=HERE @ Affine.scale(0.5),
        photometric="RGB",
        alpha="YES",
    ) as file:
        pixels = np.full((4, 4, 8), 200, np.uint8)
        pixels[3] = [255, 255, 255, 0, 255, 0, 0, 0]
        pixels[3, ::2, 4] = 0  # column 2 of the grid: a quarter is covered
        pixels[:3, pixels[3] == 0] = 0
        file.write(pixels)

    read = read_whole(path)

    np.testing.assert_array_equal(read.valid, [[True, True, False, False]] * 2)
    np.testing.assert_array_equal(read.rgb[:, read.valid], 200)


def test_a_grid_over_nothing_is_black_and_not_valid(tmp_path: Path) -> None:
    for place in (layout(), layout("EPSG:4326")):
        path = deliver(tmp_path / "ortho.tif", place)
        orthophoto, grid = inspected(path)
        beside = grid.crop(grid.window.__class__(-5000, 0, 30, 20))

        read = read_orthophoto(orthophoto, beside)

        assert read.rgb.shape == (3, 20, 30)
        assert not read.valid.any()
        assert not read.rgb.any()


class TestGeoreference:
    @pytest.mark.parametrize(
        ("crs", "x", "y", "code"),
        [
            ("EPSG:4326", -73.97, 40.78, 32618),
            ("EPSG:4326", 151.2, -33.9, 32756),
            ("EPSG:4326", 286.03, 40.78, 32618),  # longitudes from 0 to 360
            ("EPSG:4258", 9.2, 48.1, 25832),
            ("EPSG:4269", -73.97, 40.78, 26918),
            ("EPSG:4979", 9.2, 48.1, 32632),
            ("EPSG:4326", 179.99, -18.1, 32760),
            ("EPSG:4326", -179.99, -18.1, 32701),
        ],
    )
    def test_degrees_are_worked_on_in_their_utm_zone(
        self, tmp_path: Path, crs: str, x: float, y: float, code: int
    ) -> None:
        path = write(tmp_path / "ortho.tif", crs=crs, transform=Affine(4e-7, 0, x, 0, -4e-7, y))

        _, grid = inspected(path)
        assert CRS.from_wkt(grid.crs).to_epsg() == code
        assert grid.width * GSD_M == pytest.approx(60 * 4e-7 * 111_320 * np.cos(np.radians(y)), 0.1)

    @pytest.mark.parametrize(
        ("crs", "code"),
        [("EPSG:4087", 32618), ("EPSG:3857", 3857), ("EPSG:5070", 26918), (UTM, 32618)],
    )
    def test_a_crs_that_is_not_square_on_the_ground_is_worked_on_in_utm(
        self, tmp_path: Path, crs: str, code: int
    ) -> None:
        path = deliver(tmp_path / "ortho.tif", layout(crs))

        orthophoto, grid = inspected(path)
        read = read_orthophoto(orthophoto, grid)

        assert CRS.from_wkt(grid.crs).to_epsg() == code
        assert f"EPSG:{CRS.from_wkt(orthophoto.georeference.file_crs).to_epsg()}" == crs
        for found, rectangle in zip(areas_m2(read), RECTANGLES, strict=True):
            assert found == pytest.approx(rectangle[2] * rectangle[3], rel=0.02)
        far = shapely.hausdorff_distance(rectangles_in(read), truth())
        assert far.max() < 0.1

    @pytest.mark.parametrize("middle", [180.0, -180.0, 286.03])
    def test_longitudes_beyond_180_degrees_are_one_place(
        self, tmp_path: Path, middle: float
    ) -> None:
        step = 4e-7
        here = Affine(step, 0, middle - 30 * step, 0, -step, -16.8)
        path = write(tmp_path / "ortho.tif", crs="EPSG:4326", transform=here)

        read = read_whole(path)

        assert read.valid.mean() > 0.9
        assert CRS.from_wkt(inspect_orthophoto(path).georeference.file_crs).to_epsg() == 4326
        left, bottom, right, top = read.grid.bounds
        move = mover(read.grid.crs, LONLAT, ((left + right) / 2, (bottom + top) / 2))
        longitudes, _ = move(np.array([left, right]), np.array([bottom, top]))
        assert np.ptp(longitudes) == pytest.approx(60 * step, rel=0.1)

    def test_an_own_datum_is_kept(self, tmp_path: Path) -> None:
        bessel = 'GEOGCS["site",DATUM["site",SPHEROID["Bessel",6377397.155,299.1528128]],'
        bessel += 'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
        path = write(tmp_path / "ortho.tif", crs=bessel, transform=Affine(4e-7, 0, 9, 0, -4e-7, 48))

        found = CRS.from_wkt(inspected(path)[1].crs)

        assert found.is_projected
        assert found.ellipsoid is not None
        assert found.ellipsoid.semi_major_metre == pytest.approx(6377397.155)

    def test_a_crs_that_a_person_names_is_understood_or_refused(self) -> None:
        assert CRS.from_wkt(parse_crs("EPSG:25832+7837")).to_epsg() == 25832
        with pytest.raises(GridError, match=r"unknown CRS \(found EPSG:1, expected for example"):
            parse_crs("EPSG:1")


class TestDepth:
    def test_the_range_leaves_out_a_thousandth_at_each_end(self) -> None:
        values = np.full((3, 5000), 700, np.uint16)
        values[:, :2000] = 300
        values[:, 0], values[:, 1] = 0, 65535  # 2 of 5000: dead and hot pixels

        assert range_of([values]) == (300, 700)
        assert range_of([values, values[:, :0]]) == (300, 700)
        assert range_of([np.full((3, 4), 9, np.uint16)]) == (9, 10)

    def test_sixteen_bits_are_scaled_and_eight_are_not(self) -> None:
        values = np.array([0, 100, 150, 200, 65535], np.uint16)

        assert to_bytes(values, (100, 200)).tolist() == [0, 0, 128, 255, 255]
        assert to_bytes(values.astype(np.uint8), (100, 200)).tolist() == [0, 100, 150, 200, 255]

    def test_the_range_is_that_of_the_valid_pixels_of_the_sixteen_bit_ones(
        self, tmp_path: Path
    ) -> None:
        eight = inspect_orthophoto(deliver(tmp_path / "eight.tif"))
        sixteen = inspect_orthophoto(deliver(tmp_path / "sixteen.tif", dtype="uint16"))

        assert measure_value_range([eight]) is None
        low, high = measure_value_range([eight, sixteen]) or (0, 0)
        # The darkest and the brightest colour of the scene are 40 and 242.
        assert low == pytest.approx(RANGE[0] + 40 * 40, abs=1)
        assert high == pytest.approx(RANGE[0] + 242 * 40, abs=1)

    def test_sixteen_bits_are_refused_where_training_saw_eight(self, tmp_path: Path) -> None:
        eight = inspect_orthophoto(deliver(tmp_path / "eight.tif"))
        sixteen, grid = inspected(deliver(tmp_path / "sixteen.tif", dtype="uint16"))

        check_depths([eight, sixteen], RANGE)
        check_depths([eight], None)
        for refuse in (
            lambda: check_depths([eight, sixteen], None),
            lambda: read_orthophoto(sixteen, grid, None),
        ):
            with pytest.raises(RasterReadError, match="-ot Byte -scale 2600 10680 0 255") as caught:
                refuse()
            assert str(caught.value).startswith(f"{sixteen.path}: ")
            assert "(found uint16, expected uint8); " in str(caught.value)

    def test_values_that_the_model_would_refuse_are_refused_before_the_training(
        self, tmp_path: Path
    ) -> None:
        sixteen = inspect_orthophoto(deliver(tmp_path / "sixteen.tif", dtype="uint16"))

        check_depths([sixteen], (0.0, 20_000.0))
        words = (
            r"found 2600 to 10680, .*2600 10680 0 65535 -scale_4 0 65535 0 65535 sixteen\.tif res"
        )
        with pytest.raises(RasterReadError, match=words):
            check_depths([sixteen], (0.0, 65_535.0))

    def test_the_remedy_keeps_the_alpha_channel_and_the_nodata_value(self) -> None:
        assert to_eight_bits(300, 900) == "-ot Byte -scale 300 900 0 255"
        assert to_eight_bits(300, 900, marker=0) == "-ot Byte -scale 300 900 1 255 -a_nodata 0"
        assert to_eight_bits(0, 900, marker=0) == "-ot Byte -scale 0 900 1 255 -a_nodata 1"
        assert to_eight_bits(300, 900, marker=65535).endswith("300 900 0 254 -a_nodata 255")
        assert to_eight_bits(300, 900, alpha=(4, 255)) == (
            "-ot Byte -scale_1 300 900 0 255 -scale_2 300 900 0 255 -scale_3 300 900 0 255 "
            "-scale_4 0 255 0 255"
        )

    @pytest.mark.parametrize("own", [(300, 900), (1, 4000), (0, 60_000), (100, 65_535)])
    @pytest.mark.parametrize("marker", [0, 1, 299, 1000, 65_535, -9999, np.nan])
    @pytest.mark.parametrize(
        ("wanted", "most"), [((0, 255), 255), ((2000, 40_000), 65_535), ((0, 65_535), 65_535)]
    )
    def test_a_nodata_value_is_what_the_remedy_makes_of_it(
        self, own: tuple[int, int], marker: float, wanted: tuple[int, int], most: int
    ) -> None:
        options = scaling(own, wanted, most, marker=marker).split()
        low, high, first, last, kept = (float(options[place]) for place in (1, 2, 3, 4, 6))

        def as_gdal_does(value: float) -> float:
            scaled = first + (value - low) * (last - first) / (high - low)
            return 0 if np.isnan(scaled) else float(np.clip(np.floor(scaled + 0.5), 0, most))

        assert as_gdal_does(marker) == kept == int(kept)
        darkest, brightest = (as_gdal_does(value) for value in own)
        assert darkest == pytest.approx(wanted[0], abs=0.02 * most)
        assert brightest == pytest.approx(wanted[1], abs=0.02 * most)

    def test_without_a_recipe_its_own_range_makes_it_visible(self, tmp_path: Path) -> None:
        path = deliver(tmp_path / "sixteen.tif", dtype="uint16")

        read = read_whole(path)

        assert read.rgb[:, read.valid].min() == 0
        assert read.rgb.max() == 255
