"""A working pixel is as large on the ground as it says, and belongs to exactly one tile."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod, Transformer
from rasterio.windows import Window

from grave_cli.errors import GridError
from grave_cli.rasters.crs import LONLAT, transformer
from grave_cli.rasters.grid import (
    WorkingGrid,
    geodesic_areas_m2,
    ground_scale,
    iter_windows,
    lay_grid,
    plan_tiles,
)

GEOD = Geod(ellps="WGS84")
# CRS, a place in it (longitude, latitude), metres on the ground per map unit there
PLACES = [
    ("EPSG:3857", 11.0, 48.0, 0.67),
    ("EPSG:2263", -74.0, 40.7, 0.3048),
    ("EPSG:25832", 9.0, 48.0, 0.9996),
    ("EPSG:25832", 11.5, 48.0, 1.0),
    ("EPSG:32736", 32.6, -0.3, 1.0),
]
sizes = st.integers(1, 70)


def grid_at(crs: str, lon: float, lat: float, metres: float = 20, gsd_m: float = 0.05):
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    span = metres / ground_scale(crs, x, y)
    return lay_grid(crs, (x, y - span, x + span, y), gsd_m, "ortho.tif")


GRID = grid_at("EPSG:3857", 11.0, 48.0)


@settings(deadline=None)
@given(height=sizes, width=sizes, core=st.integers(1, 40), halo=st.integers(0, 12))
def test_every_pixel_belongs_to_exactly_one_core(
    height: int, width: int, core: int, halo: int
) -> None:
    tile = core + 2 * halo
    owners = np.zeros((height, width), int)
    for planned in plan_tiles(height, width, tile, halo):
        row, col = int(planned.core.row_off), int(planned.core.col_off)
        rows, cols = slice(row, row + planned.core.height), slice(col, col + planned.core.width)
        owners[rows, cols] += 1
        assert (planned.window.width, planned.window.height) == (tile, tile)
        # The core's place within the tile is its place on the grid, with a whole halo around it.
        inner_rows, inner_cols = planned.core_in_tile
        assert inner_rows.start + planned.window.row_off == row
        assert inner_cols.start + planned.window.col_off == col
        assert inner_rows.start == inner_cols.start == halo
        assert max(inner_rows.stop, inner_cols.stop) <= tile - halo
        assert min(planned.core.width, planned.core.height) >= 1
    assert (owners == 1).all()


def test_the_worked_example_of_the_docstring() -> None:
    tiles = plan_tiles(6, 15, tile_px=8, halo_px=1)
    assert [tile.core.col_off for tile in tiles] == [0, 6, 12]
    assert [tile.core.width for tile in tiles] == [6, 6, 3]
    assert [tile.window.col_off for tile in tiles] == [-1, 5, 11]
    assert {tile.window.width for tile in tiles} == {8}


@pytest.mark.parametrize(("tile", "halo"), [(8, 4), (8, 5)])
def test_a_halo_that_leaves_no_core_is_a_mistake(tile: int, halo: int) -> None:
    with pytest.raises(ValueError, match=f"halo {halo} px leaves no core in tiles of {tile} px"):
        plan_tiles(10, 10, tile, halo)


@settings(deadline=None)
@given(size=st.integers(20, 500))
def test_windows_cover_the_grid_once_and_stay_within_it(size: int) -> None:
    windows = list(iter_windows(GRID, size))
    assert sum(window.width * window.height for window in windows) == math.prod(GRID.shape)
    assert max(window.col_off + window.width for window in windows) == GRID.width
    assert max(window.row_off + window.height for window in windows) == GRID.height


@pytest.mark.parametrize(("crs", "lon", "lat", "scale"), PLACES)
def test_the_ground_scale_is_measured_not_believed(
    crs: str, lon: float, lat: float, scale: float
) -> None:
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    assert ground_scale(crs, x, y) == pytest.approx(scale, rel=2e-3)


@pytest.mark.parametrize("gsd_m", [0.05, 0.2])
@pytest.mark.parametrize(("crs", "lon", "lat", "_scale"), PLACES)
def test_a_working_pixel_is_gsd_m_on_the_ground(
    crs: str, lon: float, lat: float, _scale: float, gsd_m: float
) -> None:
    grid = grid_at(crs, lon, lat, metres=20, gsd_m=gsd_m)
    left, bottom, right, top = grid.bounds
    lons, lats = transformer(crs, LONLAT).transform([left, right, left], [top, top, bottom])
    across = GEOD.inv(lons[0], lats[0], lons[1], lats[1])[2] / grid.width
    down = GEOD.inv(lons[0], lats[0], lons[2], lats[2])[2] / grid.height
    assert (across, down) == pytest.approx((gsd_m, gsd_m), rel=5e-3)
    assert grid.shape == (round(20 / gsd_m), round(20 / gsd_m))
    assert grid.metres_per_unit * grid.pixel_size == pytest.approx(gsd_m)


@settings(deadline=None)
@given(width=st.floats(0.01, 50), height=st.floats(0.01, 50))
def test_a_grid_starts_at_the_upper_left_and_leaves_out_less_than_a_pixel(
    width: float, height: float
) -> None:
    bounds = (600_000.0, 5_300_000.0 - height, 600_000.0 + width, 5_300_000.0)
    grid = lay_grid("EPSG:25832", bounds, 0.05, "ortho.tif")
    left, bottom, right, top = grid.bounds
    assert (left, top) == (bounds[0], bounds[3])
    rests = np.array([bounds[2] - right, bottom - bounds[1]]) / grid.pixel_size
    assert (rests < 1).all()
    assert all(
        rest >= -1e-3 or size == 1 for rest, size in zip(rests, grid.shape[::-1], strict=True)
    )


@pytest.mark.parametrize(
    ("crs", "bounds", "fault"),
    [
        ("EPSG:4326", (8.0, 48.0, 8.1, 48.1), r"found WGS 84, expected a projected CRS"),
        ("EPSG:4978", (8.0, 48.0, 8.1, 48.1), r"expected a projected CRS"),
        ("no such crs", (0.0, 0.0, 1.0, 1.0), r"cannot be parsed"),
        ("EPSG:25832", (1e12, 1e12, 1e12 + 9, 1e12 + 9), r"cannot be mapped to the ground"),
    ],
)
def test_a_crs_that_bears_no_grid_is_refused_with_the_files_name(
    crs: str, bounds: tuple[float, float, float, float], fault: str
) -> None:
    with pytest.raises(GridError, match=rf"^west\.tif: .*{fault}") as error:
        lay_grid(crs, bounds, 0.05, "west.tif")
    assert len(str(error.value).splitlines()) == 1


offsets = st.integers(-50, 450)


@settings(deadline=None)
@given(row=offsets, col=offsets, height=sizes, width=sizes)
def test_a_crop_keeps_the_place_of_every_pixel(row: int, col: int, height: int, width: int) -> None:
    window = Window(col, row, width, height)
    crop = GRID.crop(window)
    assert crop.shape == (height, width)
    for inner in [(0, 0), (width, height), (width / 2, 0)]:
        outer = (col + inner[0], row + inner[1])
        assert crop.transform @ inner == pytest.approx(GRID.transform @ outer, abs=1e-6)
    assert (crop.gsd_m, crop.pixel_size, crop.crs) == (GRID.gsd_m, GRID.pixel_size, GRID.crs)


@settings(deadline=None)
@given(
    factor=st.floats(1, 30) | st.integers(1, 30).map(float),
    width=st.integers(30, 2000),
    height=st.integers(30, 2000),
)
def test_a_coarser_grid_covers_all_but_less_than_one_of_its_pixels(
    factor: float, width: int, height: int
) -> None:
    grid = GRID.crop(Window(0, 0, width, height))
    coarse = grid.coarsened(factor)
    assert coarse.transform @ (0, 0) == grid.transform @ (0, 0)
    assert coarse.gsd_m == pytest.approx(grid.gsd_m * factor)
    assert coarse.pixel_size == pytest.approx(grid.pixel_size * factor)
    for fine, large in zip(grid.shape, coarse.shape, strict=True):
        assert -1e-3 < fine / factor - large < 1 - 5e-5


@pytest.mark.parametrize("edge_m", [1.0, 1 / 0.07, 3.3])
def test_a_cell_that_divides_the_grid_is_not_lost_to_rounding(edge_m: float) -> None:
    for cells in range(1, 60):
        grid = WorkingGrid(GRID.crs, GRID.transform, cells, cells, edge_m)
        assert grid.coarsened(cells / 3 if cells > 3 else 1).width == min(cells, 3)


def test_metres_become_whole_pixels() -> None:
    assert GRID.metres_to_px(0.2) == 4
    assert GRID.metres_to_px(0.01) == 0
    assert GRID.metres_to_px(0.01, minimum=2) == 2


@pytest.mark.parametrize(("crs", "lon", "lat", "_scale"), PLACES)
def test_the_area_of_a_square_of_ten_metres_is_a_hundred(
    crs: str, lon: float, lat: float, _scale: float
) -> None:
    grid = grid_at(crs, lon, lat, metres=10)
    square = shapely.box(*grid.bounds)
    reversed_square = square.reverse()
    areas = geodesic_areas_m2(np.array([square, reversed_square], dtype=object), crs)
    assert areas == pytest.approx([100, 100], rel=5e-3)


def test_holes_do_not_count_as_area() -> None:
    left, bottom, right, top = grid_at("EPSG:3857", 11.0, 48.0, metres=10).bounds
    middle = (left + right) / 2
    hole = shapely.box(left, bottom, middle, top).buffer(-0.01).exterior.coords
    shell = shapely.box(left, bottom, right, top).exterior.coords
    # However they were drawn: QGIS keeps the direction in which a ring was clicked.
    squares = [shapely.Polygon(a, [b]) for a in (shell, shell[::-1]) for b in (hole, hole[::-1])]
    assert geodesic_areas_m2(np.array(squares), "EPSG:3857") == pytest.approx([50] * 4, rel=1e-2)


def test_no_polygons_have_no_areas() -> None:
    assert geodesic_areas_m2(np.array([], dtype=object), "EPSG:3857").shape == (0,)
