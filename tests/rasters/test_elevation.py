"""Elevation features: what they are, and that they do not depend on the window."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from dem_scene import FEATURES, GRID, UTM, edited, place, write_dem
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.windows import Window

from grave_cli.errors import RasterReadError
from grave_cli.rasters.dem_heights import open_dem
from grave_cli.rasters.elevation import (
    ElevationStatistics,
    elevation_features,
    measure_elevation,
    read_elevation,
)
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.settings.inputs import ElevationSettings


def test_what_the_dem_does_not_cover_is_unknown(tmp_path: Path) -> None:
    path = edited(write_dem(tmp_path / "dem.tif"), transform=place()[0] @ Affine.translation(40, 0))

    with open_dem(path) as dem:
        heights = dem.read(GRID)
        statistics = measure_elevation(dem, GRID, ElevationSettings())
        features = read_elevation(dem, GRID, statistics, FEATURES)

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
    with open_dem(rough) as dem:
        return measure_elevation(dem, GRID, ElevationSettings())


@pytest.fixture(scope="module")
def whole(rough: Path, statistics: ElevationStatistics) -> NDArray[np.float32]:
    with open_dem(rough) as dem:
        return read_elevation(dem, GRID, statistics, FEATURES)


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

    with open_dem(rough) as dem:
        part = read_elevation(dem, GRID.crop(window), statistics, FEATURES)

    np.testing.assert_allclose(
        part, whole[(slice(None), *window.toslices())], rtol=1e-3, atol=1e-3, equal_nan=True
    )


def test_features_of_a_plane_are_what_they_are_called(tmp_path: Path) -> None:
    path = write_dem(tmp_path / "dem.tif")

    with open_dem(path) as dem:
        statistics = measure_elevation(dem, GRID, ElevationSettings())
        height, slope, zscore, robust, percentile = read_elevation(dem, GRID, statistics, FEATURES)

    assert np.abs(height).max() < 0.5  # on open ground of 13 % there is nothing above the ground
    assert np.degrees(np.arctan(np.hypot(0.12, 0.05))) == pytest.approx(np.median(slope), abs=0.1)
    assert zscore.mean() == pytest.approx(0, abs=0.05)
    assert zscore.std() == pytest.approx(1, abs=0.05)
    assert np.median(robust) == pytest.approx(0, abs=0.05)
    assert percentile.min() >= 0
    assert percentile.max() <= 1
    assert np.median(percentile) == pytest.approx(0.5, abs=0.02)


def test_the_ground_radius_is_in_metres_where_working_pixels_are_larger_than_the_cells(
    rough: Path,
) -> None:
    """Cells of 0.5 m cannot be had from pixels of 0.8 m: the radius is laid in pixels of 0.8 m."""
    grid = GRID.coarsened(8)
    assert grid.gsd_m == pytest.approx(0.8)

    with open_dem(rough) as dem:
        finer, equal = (
            measure_elevation(dem, grid, ElevationSettings(ground_cell_m=cell_m))
            for cell_m in (0.5, grid.gsd_m)
        )

    assert finer.grid == equal.grid == grid
    np.testing.assert_array_equal(finer.ground, equal.ground)


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


def dtm_of(dem: Path, path: Path, lower_m: float = 0.0, hole: bool = False) -> Path:
    """Write the plane below a DEM on a coarser grid, with a hole that no tag marks."""
    write_dem(path, cell_m=0.5)
    with rasterio.open(path, "r+") as file:
        heights = file.read(1) - lower_m
        if hole:
            heights[20:40, 20:40] = -9999
        file.write(heights, 1)
    return path


@pytest.fixture
def building(tmp_path: Path) -> Path:
    """A plane on which a roof of 3 m covers 15 m x 15 m: what is around it shows no ground."""
    path = write_dem(tmp_path / "dsm.tif")
    with rasterio.open(path, "r+") as file:
        heights = file.read(1)
        heights[20:80, 20:80] += 3
        file.write(heights, 1)
    return path


def test_heights_above_a_dtm_are_the_difference_of_both(building: Path, tmp_path: Path) -> None:
    dtm = dtm_of(building, tmp_path / "dtm.tif")
    with open_dem(building, dtm) as dem:
        statistics = measure_elevation(dem, GRID, ElevationSettings(ground_radius_m=2))
        with_dtm = read_elevation(dem, GRID, statistics, FEATURES)
    with open_dem(building) as dem:
        without = read_elevation(dem, GRID, statistics, FEATURES)

    roof = (slice(60, 140), slice(60, 140))  # 8 m to 16 m from the corner of the working grid
    np.testing.assert_allclose(with_dtm[0][roof], 3, atol=0.01)
    assert np.median(without[0][roof]) < 0.5  # the roof is taken for ground
    np.testing.assert_array_equal(with_dtm[1:], without[1:])  # only the height has changed


def test_where_a_dtm_has_a_hole_the_local_ground_serves(rough: Path, tmp_path: Path) -> None:
    dtm = dtm_of(rough, tmp_path / "dtm.tif", hole=True)
    with open_dem(rough, dtm) as dem, open_dem(rough) as alone:
        statistics = measure_elevation(dem, GRID, ElevationSettings())
        (above,) = read_elevation(dem, GRID, statistics, ("height",))
        (local,) = read_elevation(alone, GRID, statistics, ("height",))
        (part,) = read_elevation(dem, GRID.crop(Window(70, 70, 40, 40)), statistics, ("height",))

    hole = (slice(90, 170), slice(90, 170))
    np.testing.assert_array_equal(above[hole], local[hole])
    assert (above[:60, :60] != local[:60, :60]).any()
    assert (np.isfinite(above) == np.isfinite(local)).all()
    np.testing.assert_allclose(part, above[70:110, 70:110], atol=1e-3, equal_nan=True)


@pytest.mark.parametrize("lower_m", [48.0, -48.0])
def test_a_dtm_of_another_vertical_datum_is_refused(
    building: Path, tmp_path: Path, lower_m: float
) -> None:
    dtm = dtm_of(building, tmp_path / "dtm.tif", lower_m)
    with open_dem(building, dtm) as dem, pytest.raises(RasterReadError, match="vertical datum"):
        measure_elevation(dem, GRID, ElevationSettings())


def test_a_dtm_of_another_place_is_refused(building: Path, tmp_path: Path) -> None:
    dtm = edited(write_dem(tmp_path / "dtm.tif"), transform=place()[0] @ Affine.translation(900, 0))
    with open_dem(building, dtm) as dem, pytest.raises(RasterReadError, match="DTM has no heights"):
        measure_elevation(dem, GRID, ElevationSettings())
