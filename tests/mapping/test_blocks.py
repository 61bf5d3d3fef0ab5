"""Block by block, the same graves are found as in the whole raster at once."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from grave_cli.graves.contours import trace_instances
from grave_cli.graves.evidence import Evidence, measure_evidence
from grave_cli.graves.instances import decode
from grave_cli.graves.targets import encode
from grave_cli.mapping.blocks import RawGraves, find_graves
from grave_cli.mapping.faint_windows import find_faint_between
from grave_cli.mapping.probability_map import ProbabilityMap, to_levels, to_probabilities
from grave_cli.mapping.scene import Scene
from grave_cli.mapping.summary import look_over
from grave_cli.rasters.bands import Bands
from grave_cli.rasters.georeference import Georeference
from grave_cli.rasters.grid import WorkingGrid
from grave_cli.rasters.orthophoto import Orthophoto
from grave_cli.rasters.recipe import InputRecipe
from grave_cli.settings.mapping import DecodingSettings

GSD_M = 0.05
DECODING = DecodingSettings()
RECIPE = InputRecipe(channels="rgb", gsd_m=GSD_M, mean=(0, 0, 0), std=(1, 1, 1), elevation=None)


def rows_of_graves(rows: int, graves: int, angle: float) -> np.ndarray:
    """Instances of rows whose graves touch, of 2.0 m x 0.9 m, turned."""
    size = round(max(rows * 2.4, graves * 0.9) * 1.5 / GSD_M)
    instances = np.zeros((size, size), np.int32)
    turn = np.exp(-1j * np.radians(angle))
    y, x = np.mgrid[:size, :size] * GSD_M - size * GSD_M / 2
    along, across = (turn * (x + 1j * y)).real, (turn * (x + 1j * y)).imag
    column, row = (along / 0.9 + graves / 2), (across / 2.4 + rows / 2)
    on = (column >= 0) & (column < graves) & (row >= 0) & (row < rows) & (row % 1 < 2.0 / 2.4)
    instances[on] = (row.astype(int) * graves + column.astype(int) + 1)[on]
    return instances


def map_of(probabilities: np.ndarray) -> ProbabilityMap:
    shape = probabilities.shape[1:]
    grid = WorkingGrid("EPSG:25832", Affine(GSD_M, 0, 0, 0, -GSD_M, 0), *shape[::-1], GSD_M)
    return ProbabilityMap.of(to_levels(probabilities), np.ones(shape, np.bool_), grid)


def scene_of(probabilities: ProbabilityMap) -> Scene:
    grid = probabilities.grid
    place = Georeference(grid.crs, grid.transform, grid.width, grid.height)
    orthophoto = Orthophoto(Path("none.tif"), place, Bands((1, 2, 3)), "uint8", False, ())
    return Scene(orthophoto, None, grid, RECIPE, None)


def softened(instances: np.ndarray, seed: int = 0) -> np.ndarray:
    """What a fair network says: soft edges, and a little noise."""
    rng = np.random.default_rng(seed)
    channels = encode(instances, GSD_M, 0.1, 0.2).astype(np.float32)
    noise = 0.2 * rng.random(channels.shape, np.float32)
    return np.stack([ndimage.gaussian_filter(c, 1) for c in channels]) * 0.85 + noise * 0.7


def at_once(probabilities: ProbabilityMap) -> tuple[np.ndarray, Evidence]:
    levels = probabilities.read(probabilities.grid.window)
    values = to_probabilities(levels)
    labels = decode(values, GSD_M, DECODING)
    polygons, _ = trace_instances(labels, values[0], DECODING.body_threshold)
    x, y = shapely.get_coordinates(shapely.centroid(polygons)).T
    order = np.lexsort((x, y))
    evidence = measure_evidence(labels, values, levels[0] > 0)
    return polygons[order], evidence.take(order)


def blockwise(probabilities: ProbabilityMap, cell_px: int, **limits: int) -> RawGraves:
    scene = scene_of(probabilities)
    return find_graves(probabilities, scene, DECODING, cell_px=cell_px, threads=2, **limits)


def assert_same(found: RawGraves, polygons: np.ndarray, evidence: Evidence) -> None:
    assert len(found.polygons) == len(polygons)
    assert shapely.equals_exact(found.polygons, polygons, tolerance=1e-9).all()
    for name, values in vars(evidence).items():
        assert getattr(found.evidence, name) == pytest.approx(values), name


@pytest.mark.parametrize("angle", [0, 17, 45])
@pytest.mark.parametrize("cell_px", [40, 64, 97, 150, 10_000])
def test_dense_rows_are_the_same_however_they_are_cut(angle: float, cell_px: int) -> None:
    probabilities = map_of(softened(rows_of_graves(4, 12, angle)))
    assert_same(blockwise(probabilities, cell_px), *at_once(probabilities))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), cell_px=st.integers(20, 130))
def test_shapes_of_any_kind_are_the_same_however_they_are_cut(seed: int, cell_px: int) -> None:
    noise = np.random.default_rng(seed).random((3, 128, 150), np.float32)
    smooth = np.stack([ndimage.gaussian_filter(channel, 2.5) for channel in noise])
    probabilities = map_of(((smooth - 0.5) * 6 + 0.5).clip(0, 1))
    assert_same(blockwise(probabilities, cell_px), *at_once(probabilities))


def test_what_lies_in_a_hole_is_decoded_beside_what_has_the_hole() -> None:
    instances = np.zeros((160, 160), np.int32)
    instances[10:150, 10:150] = 1
    instances[30:130, 30:130] = 0
    instances[70:90, 70:90] = 2
    probabilities = map_of(softened(instances))
    polygons, evidence = at_once(probabilities)
    assert len(polygons) >= 2
    assert_same(blockwise(probabilities, 32), polygons, evidence)


def test_a_part_too_large_to_be_decoded_whole_is_cut_and_covers_the_same_ground() -> None:
    probabilities = map_of(softened(rows_of_graves(4, 12, 17)))
    whole, _ = at_once(probabilities)
    cut = blockwise(probabilities, 64, largest_px=100 * 100)
    assert len(cut.polygons) > len(whole)
    either, both = (
        operation(*(shapely.union_all(polygons) for polygons in (whole, cut.polygons))).area
        for operation in (shapely.union, shapely.intersection)
    )
    assert both / either > 0.97
    common = shapely.area(cut.polygons).sum() - shapely.union_all(cut.polygons).area
    assert common == pytest.approx(0, abs=1)


def test_no_body_gives_no_graves() -> None:
    probabilities = map_of(np.zeros((3, 50, 60), np.float32))
    found = blockwise(probabilities, 32)
    assert len(found.polygons) == len(found.evidence) == len(found.heights) == 0


def test_sections_that_are_missing_are_like_sections_of_zeros() -> None:
    levels = to_levels(softened(rows_of_graves(4, 12, 20)))
    size = levels.shape[1]
    place = np.random.default_rng(3).random((-(-size // 64), -(-size // 64))) < 0.5
    levels *= np.kron(place, np.ones((64, 64), np.uint8))[:size, :size]
    corners = [(row, column) for row, column in np.ndindex(place.shape)]
    every = {
        (row, column): levels[:, row * 64 :, column * 64 :][:, :64, :64] for row, column in corners
    }
    shown = {index: section for index, section in every.items() if place[index]}
    grid = map_of(levels / 255).grid
    full, sparse = (ProbabilityMap(grid, 64, 64, shelf) for shelf in (every, shown))

    assert 0 < len(shown) < len(every)
    found, expected = blockwise(sparse, 50), blockwise(full, 50)
    assert len(expected.polygons) > 10
    assert_same(found, expected.polygons, expected.evidence)
    one, other = look_over(sparse), look_over(full)
    assert one.valid_share == other.valid_share > 0
    assert one.footprint.equals(other.footprint)
    np.testing.assert_array_equal(one.probability, other.probability)
    faint, known = (
        find_faint_between(each, expected.polygons[::2], DECODING, 4.0, core_px=50)
        for each in (sparse, full)
    )
    assert len(known.area) > 0
    np.testing.assert_array_equal(faint.centre, known.centre)
