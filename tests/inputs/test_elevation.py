"""DEMs of every kind against a known surface, and features that do not depend on the window."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from grave_cli.errors import GraveError, GridError, RasterReadError
from grave_cli.inputs.dem import open_dem, read_dem
from grave_cli.inputs.elevation import (
    ElevationStatistics,
    elevation_features,
    measure_elevation,
    read_elevation,
)
from grave_cli.inputs.grid import WorkingGrid, lay_grid
from grave_cli.settings.sections import ElevationFeature, ElevationSettings

UTM = "EPSG:32618"
LEFT, TOP = 587_000.0, 4_515_000.0
SIZE_M = 24.0
GRID = lay_grid(UTM, (LEFT, TOP - SIZE_M, LEFT + SIZE_M, TOP), 0.1, "here")
FEATURES: tuple[ElevationFeature, ...] = (
    "height",
    "slope",
    "zscore",
    "robust_zscore",
    "percentile",
)
FOOT, US_FOOT = 0.3048, 1200 / 3937
# Columns and rows of the DEM's own pixels (0.25 m) where it has no heights.
HOLE = (slice(40, 56), slice(60, 72))


def plane(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """A slope in two directions, in metres: what every kind of DEM is made from."""
    return 40 + 0.12 * (x - LEFT) + 0.05 * (TOP - y)


def place(crs: str = UTM, cell_m: float = 0.25, turned: float = 0) -> tuple[Affine, int, int]:
    """A DEM's geotransform, height and width: 2 m more than the grid on each side."""
    to_dem = Transformer.from_crs(UTM, crs, always_xy=True)
    x = [LEFT - 2, LEFT + SIZE_M + 2, LEFT - 2, LEFT + SIZE_M + 2]
    y = [TOP + 2, TOP + 2, TOP - SIZE_M - 2, TOP - SIZE_M - 2]
    moved_x, moved_y = (np.array(axis) for axis in to_dem.transform(x, y))
    size = round((SIZE_M + 4) / cell_m)
    cell = (np.ptp(moved_x) / size, np.ptp(moved_y) / size)
    corner = Affine.translation(moved_x.min(), moved_y.max()) @ Affine.scale(cell[0], -cell[1])
    middle = Affine.translation(size / 2, size / 2)
    larger = round(1.3 * size) if turned else size  # so that its corners do not miss the grid's
    about = middle @ Affine.rotation(turned) @ Affine.translation(-larger / 2, -larger / 2)
    return corner @ about, larger, larger


def write_dem(
    path: Path,
    *,
    crs: str = UTM,
    cell_m: float = 0.25,
    turned: float = 0,
    dtype: str = "float32",
    hole: float | None = None,
    per_metre: float = 1,
    **profile: Any,
) -> Path:
    """Write the plane; `hole` is what stands where there are no heights."""
    transform, height, width = place(crs, cell_m, turned)
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    to_utm = Transformer.from_crs(crs, UTM, always_xy=True)
    heights = plane(*to_utm.transform(*(transform @ (columns, rows)))) * per_metre
    if np.issubdtype(np.dtype(dtype), np.integer):
        heights = np.rint(heights)
    if hole is not None:
        heights[HOLE] = hole
    with rasterio.open(
        path,
        "w",
        **{"driver": "GTiff", "height": height, "width": width, "count": 1} | profile,
        dtype=dtype,
        crs=crs,
        transform=transform,
    ) as file:
        file.write(heights.astype(dtype), 1)
    return path


def edited(path: Path, **changes: Any) -> Path:
    with rasterio.open(path, "r+") as file:
        for name, value in changes.items():
            setattr(file, name, value)
    return path


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
    import rasterio.shutil

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

    heights = read_dem(path, GRID)

    distance = hole_distance(name, path) if has_hole else np.full(GRID.shape, np.inf)
    assert np.isnan(heights[distance < -1]).all()
    outside = distance > 1
    assert np.isfinite(heights[outside]).all()
    known = np.isfinite(heights)
    # Nothing bleeds in from the hole; at its edge a height is that of the nearest known pixel.
    off = np.abs(heights - truth())
    assert off[known & outside].max() <= tolerance
    assert off[known].max() <= tolerance + 0.06


@pytest.mark.parametrize("marker", [-9999, -32767, -3.4e38])
def test_heights_that_are_none_are_said_when_no_tag_does(tmp_path: Path, marker: float) -> None:
    untagged = write_dem(tmp_path / "untagged.tif", hole=marker)
    tagged = write_dem(tmp_path / "tagged.tif", hole=marker, nodata=np.float32(marker))

    with open_dem(untagged) as dem:
        (note,) = dem.notes
    assert note.startswith(f"{untagged}: heights of {np.float32(marker):g} are taken as missing")
    with open_dem(tagged) as dem:
        assert dem.notes == ()


def test_units_are_said(tmp_path: Path) -> None:
    feet = edited(write_dem(tmp_path / "feet.tif"), units=("US survey foot",))
    fathoms = edited(write_dem(tmp_path / "fathoms.tif"), units=("fathom",))

    with open_dem(feet) as dem:
        assert dem.notes == (f"{feet}: heights are brought to metres (times 0.304801)",)
    with open_dem(fathoms) as dem:
        assert "unknown unit of heights 'fathom', metres are assumed" in dem.notes[0]


def picture(path: Path, count: int) -> Path:
    return write_dem(path, dtype="uint8", count=count)


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
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_one_line_with_file_found_expected_and_remedy(
    name: str, tmp_path: Path
) -> None:
    make, error, says = REFUSED[name]
    path = make(tmp_path / "dem.tif")

    with pytest.raises(error, match=says) as caught:
        measure_elevation(path, GRID, ElevationSettings())

    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    assert "(found " in line
    assert ", expected " in line
    assert "); " in line


def test_what_the_dem_does_not_cover_is_unknown(tmp_path: Path) -> None:
    path = edited(write_dem(tmp_path / "dem.tif"), transform=place()[0] @ Affine.translation(40, 0))

    heights = read_dem(path, GRID)
    statistics = measure_elevation(path, GRID, ElevationSettings())
    features = read_elevation(path, GRID, statistics, FEATURES)

    assert np.isnan(heights[:, :75]).all()  # 40 pixels of 0.25 m, less the 2 m of margin
    assert np.isfinite(heights[:, 85:]).all()
    assert (np.isfinite(features) == np.isfinite(heights)).all()


@pytest.fixture(scope="module")
def rough(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DEM with noise, things that stand on it and a hole."""
    path = tmp_path_factory.mktemp("rough") / "dem.tif"
    write_dem(path, nodata=-9999, hole=-9999)
    rng = np.random.default_rng(0)
    with rasterio.open(path, "r+") as file:
        heights = file.read(1)
        heights[heights > 0] += rng.normal(0, 0.05, (heights > 0).sum())
        heights[10:16, 20:24] += 1.2
        file.write(heights, 1)
    return path


@pytest.fixture(scope="module")
def statistics(rough: Path) -> ElevationStatistics:
    return measure_elevation(rough, GRID, ElevationSettings())


@pytest.fixture(scope="module")
def whole(rough: Path, statistics: ElevationStatistics) -> NDArray[np.float32]:
    return read_elevation(rough, GRID, statistics, FEATURES)


@settings(max_examples=25, deadline=None)
@given(
    col=st.integers(0, GRID.width - 1),
    row=st.integers(0, GRID.height - 1),
    width=st.integers(1, 70),
    height=st.integers(1, 70),
)
def test_features_of_a_window_equal_those_of_the_whole(
    rough: Path,
    statistics: ElevationStatistics,
    whole: NDArray[np.float32],
    col: int,
    row: int,
    width: int,
    height: int,
) -> None:
    window = Window(col, row, min(width, GRID.width - col), min(height, GRID.height - row))

    part = read_elevation(rough, GRID.crop(window), statistics, FEATURES)

    np.testing.assert_allclose(
        part, whole[(slice(None), *window.toslices())], rtol=1e-3, atol=1e-3, equal_nan=True
    )


def test_features_of_a_plane_are_what_they_are_called(tmp_path: Path) -> None:
    path = write_dem(tmp_path / "dem.tif")
    statistics = measure_elevation(path, GRID, ElevationSettings())

    height, slope, zscore, robust, percentile = read_elevation(path, GRID, statistics, FEATURES)

    assert np.abs(height).max() < 0.5  # on open ground of 13 % there is nothing above the ground
    assert np.degrees(np.arctan(np.hypot(0.12, 0.05))) == pytest.approx(np.median(slope), abs=0.1)
    assert zscore.mean() == pytest.approx(0, abs=0.05)
    assert zscore.std() == pytest.approx(1, abs=0.05)
    assert np.median(robust) == pytest.approx(0, abs=0.05)
    assert percentile.min() >= 0
    assert percentile.max() <= 1
    assert np.median(percentile) == pytest.approx(0.5, abs=0.02)


def test_height_is_that_of_what_stands_on_the_ground(
    rough: Path, statistics: ElevationStatistics, whole: NDArray[np.float32]
) -> None:
    # The stone of 1.2 m: rows 10-16 and columns 20-24 of 0.25 m, less the 2 m of margin.
    height = whole[0]
    assert np.median(height[8:17, 34:38]) == pytest.approx(1.2, abs=0.15)
    assert np.nanmedian(height) == pytest.approx(0, abs=0.1)


def test_a_slope_beside_a_hole_is_taken_from_the_known_side() -> None:
    heights = np.tile(np.arange(8, dtype=np.float32) * 0.1, (4, 1))
    heights[:, 5] = np.nan
    grid = WorkingGrid(UTM, GRID.transform, 8, 4, 0.1)
    flat = ElevationStatistics(np.zeros((1, 1)), grid, 0, 1, 0, 1, np.arange(101.0))

    (slope,) = elevation_features(heights, grid, flat, ("slope",))

    assert np.isnan(slope[:, 5]).all()
    np.testing.assert_allclose(slope[:, [0, 4, 6]][:, :2], 45, atol=1e-3)
    np.testing.assert_allclose(slope[:, 6], 45, atol=1e-3)
