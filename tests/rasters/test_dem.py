"""DEMs of every kind against a known surface."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from dem_scene import GRID, HOLE, LEFT, TOP, UTM, edited, plane, write_dem
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.enums import ColorInterp

from grave_cli.errors import GraveError, GridError, RasterReadError
from grave_cli.rasters.dem import inspect_dem
from grave_cli.rasters.dem_heights import open_dem, read_dem
from grave_cli.rasters.elevation import measure_elevation
from grave_cli.rasters.grid import lay_grid
from grave_cli.settings.inputs import ElevationSettings

FOOT, US_FOOT = 0.3048, 1200 / 3937


def masked(path: Path) -> Path:
    write_dem(path, hole=17.0)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        seen = np.ones(file.shape, np.bool_)
        seen[HOLE] = False
        file.write_mask(seen)
    return path


def with_alpha(path: Path) -> Path:
    plain = write_dem(path.with_name("plain.tif"), hole=17.0)
    with rasterio.open(plain) as file:
        profile, heights = file.profile, file.read(1)
    seen = np.full(heights.shape, 255, np.float32)
    seen[HOLE] = 0
    with rasterio.open(path, "w", **profile | {"count": 2}) as file:
        file.colorinterp = (ColorInterp.gray, ColorInterp.alpha)
        file.write(np.stack([heights, seen]))
    return path


def without_crs(path: Path) -> Path:
    with rasterio.open(write_dem(path)) as file:
        profile, heights = file.profile, file.read()
    with rasterio.open(path, "w", **profile | {"crs": None}) as file:
        file.write(heights)
    return path


def with_prj(path: Path) -> Path:
    without_crs(path)
    path.with_suffix(".prj").write_text(CRS.from_user_input(UTM).to_wkt("WKT1_ESRI"))
    return path


def kind(**how: Any) -> Callable[[Path], Path]:
    return lambda path: write_dem(path, **how)


# name -> how to make it, the largest error in metres, whether it has the hole
DEMS: dict[str, tuple[Callable[[Path], Path], float, bool]] = {
    "coarse": (kind(), 1e-3, False),
    "coarser": (kind(cell_m=1.0), 1e-3, False),
    "as fine as the grid": (kind(cell_m=0.1), 1e-3, False),
    "finer": (kind(cell_m=0.04), 2e-3, False),
    "tiled and compressed": (
        kind(tiled=True, blockxsize=64, blockysize=64, compress="DEFLATE", predictor=3),
        1e-3,
        False,
    ),
    "float64": (kind(dtype="float64", nodata=-9999, hole=-9999), 1e-3, True),
    "whole metres": (kind(dtype="int16", nodata=-32768, hole=-32768), 0.51, True),
    "nodata tag": (kind(nodata=-32767, hole=-32767), 1e-3, True),
    "an odd nodata tag": (kind(nodata=0, hole=0), 1e-3, True),
    "nan": (kind(hole=np.nan), 1e-3, True),
    "nan by tag": (kind(hole=np.nan, nodata=np.nan), 1e-3, True),
    "-9999 without tag": (kind(hole=-9999), 1e-3, True),
    "-32767 without tag": (kind(hole=-32767), 1e-3, True),
    "-3.4e38 without tag": (kind(hole=np.finfo(np.float32).min), 1e-3, True),
    "-3.4e38 and close": (kind(hole=-3.4e38), 1e-3, True),
    "another tag": (kind(hole=-9999, nodata=-32767), 1e-3, True),
    "internal mask": (masked, 1e-3, True),
    "alpha": (with_alpha, 1e-3, True),
    "prj": (with_prj, 1e-3, False),
    "degrees": (kind(crs="EPSG:4326"), 2e-3, False),
    "Web Mercator": (kind(crs="EPSG:3857", nodata=-9999, hole=-9999), 2e-3, True),
    "US feet across": (kind(crs="EPSG:2263"), 2e-3, False),
    "turned": (kind(turned=20), 1e-3, False),
    "GeoPackage": (kind(driver="GPKG", hole=-9999, nodata=-9999), 0.01, True),
    "GeoPackage in whole metres": (kind(driver="GPKG", dtype="uint16"), 0.51, False),
    "vrt": (
        lambda path: vrt_of(write_dem(path.with_name("source.tif"), hole=-9999), path),
        1e-3,
        True,
    ),
    "centimetres by scale": (
        lambda path: edited(
            write_dem(path, dtype="int32", per_metre=100, nodata=-99999, hole=-99999),
            scales=(0.01,),
        ),
        0.01,
        True,
    ),
    "scale and offset": (
        lambda path: edited(
            write_dem(path, dtype="uint16", per_metre=1000, nodata=0, hole=0),
            scales=(0.001,),
            offsets=(0.0,),
        ),
        0.002,
        True,
    ),
    "feet by unit": (
        lambda path: edited(write_dem(path, per_metre=1 / FOOT), units=("ft",)),
        1e-3,
        False,
    ),
    "feet by vertical CRS": (
        kind(crs="EPSG:2263+6360", per_metre=1 / US_FOOT),
        2e-3,
        False,
    ),
}


def vrt_of(source: Path, path: Path) -> Path:
    rasterio.shutil.copy(source, path.with_suffix(".vrt"), driver="VRT")
    return path.with_suffix(".vrt")


def truth() -> NDArray[np.float64]:
    columns, rows = np.meshgrid(np.arange(GRID.width) + 0.5, np.arange(GRID.height) + 0.5)
    return plane(*(GRID.transform @ (columns, rows)))


def hole_distance(name: str, path: Path) -> NDArray[np.float64]:
    """How many DEM pixels each working pixel lies within (-) or outside of (+) the hole."""
    with rasterio.open(path) as file:
        crs, transform = file.crs or CRS.from_user_input(UTM), file.transform
    columns, rows = np.meshgrid(np.arange(GRID.width) + 0.5, np.arange(GRID.height) + 0.5)
    to_dem = Transformer.from_crs(UTM, CRS.from_wkt(crs.to_wkt()), always_xy=True)
    x, y = ~transform @ to_dem.transform(*(GRID.transform @ (columns, rows)))
    row, col = HOLE
    off = [np.maximum(col.start - x, x - col.stop), np.maximum(row.start - y, y - row.stop)]
    return np.asarray(np.maximum(*off))


@pytest.mark.parametrize("name", DEMS)
def test_every_kind_of_dem_gives_the_surface(name: str, tmp_path: Path) -> None:
    make, tolerance, has_hole = DEMS[name]
    path = make(tmp_path / ("dem.gpkg" if "GeoPackage" in name else "dem.tif"))

    heights = read_dem(inspect_dem(path), GRID)

    distance = hole_distance(name, path) if has_hole else np.full(GRID.shape, np.inf)
    assert np.isnan(heights[distance < -1]).all()
    outside = distance > 1
    assert np.isfinite(heights[outside]).all()
    known = np.isfinite(heights)
    # Nothing bleeds in from the hole; at its edge a height is that of the nearest known pixel.
    off = np.abs(heights - truth())
    assert off[known & outside].max() <= tolerance
    assert off[known].max() <= tolerance + 0.06


def test_a_dem_may_reach_half_a_pixel_beyond_the_pole(tmp_path: Path) -> None:
    path = edited(
        write_dem(tmp_path / "dem.tif", crs="EPSG:4326"),
        transform=Affine(0.005, 0, -180.0025, 0, -0.005, 90.0025),
    )
    assert inspect_dem(path).georeference.height > 0


def test_a_dem_beyond_the_area_of_its_crs_is_shifted_like_everything_else(tmp_path: Path) -> None:
    """2.5 km east of the border: GDAL by itself would be 46 m west and 113 m south."""
    left, top = 380_600.0, 5_793_640.0
    grid = lay_grid("EPSG:25832", (left, top - 20, left + 20, top), 0.5, "here")
    to_dem = Transformer.from_crs("EPSG:25832", "EPSG:28992", always_xy=True)
    x, y = to_dem.transform(left + 10, top - 10)
    transform = Affine(2, 0, x - 200, 0, -2, y + 200)
    columns, rows = np.meshgrid(np.arange(200) + 0.5, np.arange(200) + 0.5)
    path = tmp_path / "dem.tif"
    how = {"driver": "GTiff", "height": 200, "width": 200, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", **how, crs="EPSG:28992", transform=transform) as file:
        file.write((50 + (transform @ (columns, rows))[0] - x).astype(np.float32), 1)

    heights = read_dem(inspect_dem(path), grid)

    columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
    expected = 50 + to_dem.transform(*(grid.transform @ (columns, rows)))[0] - x
    assert np.abs(heights - expected).max() < 0.01


@pytest.mark.parametrize("marker", [-9999, -32767, -3.4e38])
def test_heights_that_are_none_are_said_when_no_tag_does(tmp_path: Path, marker: float) -> None:
    untagged = write_dem(tmp_path / "untagged.tif", hole=marker)
    tagged = write_dem(tmp_path / "tagged.tif", hole=marker, nodata=np.float32(marker))

    (note,) = inspect_dem(untagged).notes
    assert note.startswith(f"{untagged}: heights of {np.float32(marker):g} are taken as missing")
    (advised,) = re.findall(r"-a_nodata (\S+) ", note)
    assert float(advised) == np.float32(marker)  # to the last digit, or the tag would mark nothing
    assert inspect_dem(tagged).notes == ()


@pytest.mark.parametrize(
    ("marker", "how"),
    [
        (32767, {"dtype": "int16"}),
        (65535, {"dtype": "uint16"}),
        (0, {}),
        (0, {"dtype": "uint16", "per_metre": 100}),  # its scale is declared below
        (-100, {}),
        (1e10, {}),
    ],
)
def test_voids_are_found_by_their_value(tmp_path: Path, marker: float, how: dict[str, Any]) -> None:
    path = write_dem(tmp_path / "dem.tif", hole=marker, **how)
    if "per_metre" in how:
        edited(path, scales=(0.01,))

    dem = inspect_dem(path)
    heights = read_dem(dem, GRID)

    assert f"heights of {marker:g} are taken as missing" in dem.notes[0]
    distance = hole_distance("", path)
    assert np.isnan(heights[distance < -1]).all()
    off = np.abs(heights - truth())
    assert np.nanmax(off) < 0.6
    assert np.isfinite(heights[distance > 1]).all()


def test_voids_of_0_are_found_a_few_metres_above_the_sea(tmp_path: Path) -> None:
    path = write_dem(tmp_path / "dem.tif", hole=0)
    with rasterio.open(path, "r+") as file:
        heights = file.read(1)
        file.write(np.where(heights == 0, 0, heights - 34), 1)

    assert "heights of 0 are taken as missing" in inspect_dem(path).notes[0]
    assert np.nanmin(read_dem(inspect_dem(path), GRID)) > 5


def test_the_sea_is_no_void(tmp_path: Path) -> None:
    path = write_dem(tmp_path / "dem.tif", hole=0)
    with rasterio.open(path, "r+") as file:
        file.write(np.maximum(file.read(1) - 40, 0), 1)  # from the water's edge to 5 m above

    assert inspect_dem(path).notes == ()
    assert np.nanmin(read_dem(inspect_dem(path), GRID)) == 0


def test_whole_metres_and_steep_ground_raise_the_question_of_centimetres(tmp_path: Path) -> None:
    whole = write_dem(tmp_path / "whole.tif", dtype="int16")
    steep = write_dem(tmp_path / "steep.tif", per_metre=100)

    assert "whole metres show no graves" in inspect_dem(whole).doubts[0]
    (note,) = inspect_dem(steep).doubts
    assert "rises by more than 12.0 m per metre" in note
    assert "gdal_edit.py -scale 0.01 steep.tif" in note


def test_units_are_said(tmp_path: Path) -> None:
    feet = edited(write_dem(tmp_path / "feet.tif"), units=("US survey foot",))
    fathoms = edited(write_dem(tmp_path / "fathoms.tif"), units=("fathom",))

    expected = (f"{feet}: heights are converted to metres (times 0.304801)",)
    assert inspect_dem(feet).notes == expected
    assert "unknown unit of heights 'fathom', metres are assumed" in inspect_dem(fathoms).doubts[0]


@pytest.mark.parametrize("unit", ["US survey feet", "Foot (US survey)", "us_ft", "ftUS", "usft"])
def test_a_foot_is_known_in_any_spelling(tmp_path: Path, unit: str) -> None:
    (note,) = inspect_dem(edited(write_dem(tmp_path / "dem.tif"), units=(unit,))).notes
    assert "times 0.304801" in note


@pytest.mark.parametrize(("vertical", "unit"), [("EPSG:5715", 1.0), ("EPSG:8051", FOOT)])
def test_depths_become_heights(tmp_path: Path, vertical: str, unit: float) -> None:
    path = write_dem(tmp_path / "dem.tif", per_metre=-1 / unit)
    with rasterio.open(path, "r+") as file:
        file.crs = rasterio.CRS.from_wkt(CRS.from_user_input(f"{UTM}+{vertical[5:]}").to_wkt())

    dem = inspect_dem(path)

    assert np.abs(read_dem(dem, GRID) - truth()).max() < 1e-3
    assert dem.notes == (f"{path}: heights are converted to metres (times {-unit:.6g})",)


def test_a_marker_too_large_for_metres_is_silent(tmp_path: Path) -> None:
    lowest = -1.7976931348623157e308
    path = write_dem(tmp_path / "dem.tif", dtype="float64", nodata=lowest, hole=lowest)
    heights = read_dem(inspect_dem(path), GRID)  # a warning of numpy would be an error here
    assert 0 < np.isnan(heights).mean() < 0.5


def test_coordinates_in_feet_raise_the_question_of_heights_in_feet(tmp_path: Path) -> None:
    path = write_dem(tmp_path / "dem.tif", crs="EPSG:2263")

    (doubt,) = inspect_dem(path).doubts

    assert "`gdal_edit.py -units ft dem.tif`" in doubt
    assert inspect_dem(edited(path, units=("m",))).doubts == ()


def test_heights_that_can_show_no_graves_are_said(tmp_path: Path) -> None:
    (doubt,) = inspect_dem(write_dem(tmp_path / "dem.tif", cell_m=1.0)).doubts
    assert "pixels of 1.0 m are too coarse to show graves" in doubt


def test_equal_heights_are_said(tmp_path: Path) -> None:
    path = write_dem(tmp_path / "dem.tif")
    with rasterio.open(path, "r+") as file:
        file.write(np.full(file.shape, 300, np.float32), 1)
    assert inspect_dem(path).doubts == (
        f"{path}: all of its heights are 300 m; it shows no graves",
    )


def test_many_heights_of_0_near_the_sea_are_said(tmp_path: Path) -> None:
    path = write_dem(tmp_path / "dem.tif")
    with rasterio.open(path, "r+") as file:
        heights = file.read(1) - 40
        heights[:20] = 0
        file.write(heights, 1)

    (doubt,) = inspect_dem(path).doubts

    assert "of its heights are exactly 0" in doubt


def picture(path: Path, count: int) -> Path:
    return write_dem(path, dtype="uint8", count=count)


def cut_short(path: Path, share: float) -> Path:
    write_dem(path, compress="DEFLATE")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return path


def elsewhere(path: Path) -> Path:
    return edited(write_dem(path), transform=Affine(0.25, 0, LEFT + 900, 0, -0.25, TOP))


REFUSED: dict[str, tuple[Callable[[Path], Path], type[GraveError], str]] = {
    "coloured": (lambda path: picture(path, 3), RasterReadError, "picture of a DEM"),
    "coloured with alpha": (lambda path: picture(path, 4), RasterReadError, "picture of a DEM"),
    "shaded": (lambda path: picture(path, 1), RasterReadError, "picture of a DEM"),
    "two bands": (kind(count=2), RasterReadError, "-b 1"),
    "no CRS": (without_crs, GridError, "no CRS"),
    "elsewhere": (elsewhere, RasterReadError, "no heights under the orthophoto"),
    "nothing but holes": (
        kind(dtype="float32", per_metre=0, nodata=0),
        RasterReadError,
        "no heights under the orthophoto",
    ),
    "missing": (lambda path: path, RasterReadError, "missing"),
    "cut short": (lambda path: cut_short(path, 0.5), RasterReadError, "damaged"),
    "cut very short": (lambda path: cut_short(path, 0.01), RasterReadError, "raster"),
    "centimetres": (
        kind(per_metre=1000),
        RasterReadError,
        r"cannot be heights.*expected -500 to 9000 m.*gdal_edit\.py -scale 0\.01 dem\.tif",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_one_line_with_file_found_expected_and_remedy(
    name: str, tmp_path: Path
) -> None:
    make, error, says = REFUSED[name]
    path = make(tmp_path / "dem.tif")

    with pytest.raises(error, match=says) as caught, open_dem(path) as dem:
        measure_elevation(dem, GRID, ElevationSettings())

    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    assert "(found " in line
    assert ", expected " in line
    assert "); " in line
