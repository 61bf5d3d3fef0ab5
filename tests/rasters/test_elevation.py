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
