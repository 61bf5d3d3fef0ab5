import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli.mapping.tiling import (
    choose_tiling,
    count_tiles,
    fit_tile,
    measure_speeds,
    usable_edges,
)
from grave_cli.settings.load import load_settings
from grave_cli.settings.mapping import PredictionSettings

MEASURED = PredictionSettings()


class Slow:
    """An engine that is slow with tiles of one size, and counts what it is asked for."""

    name = "slow"
    batch_mpx = 0.3

    def __init__(self, slow_edge: int) -> None:
        self.slow_edge = slow_edge
        self.asked = 0

    def probabilities(self, batch: np.ndarray) -> np.ndarray:
        self.asked += 1
        time.sleep(0.05 if batch.shape[-1] == self.slow_edge else 0.001)
        return batch[:, :3]


def test_the_example_of_the_docstring() -> None:
    assert fit_tile(1000, 512, 48) == 416


@settings(deadline=None)
@given(size=st.integers(1, 20_000), edge=st.sampled_from([128, 256, 512]), halo=st.integers(0, 48))
def test_fitted_tiles_cover_the_grid_with_as_few_as_the_largest_would(
    size: int, edge: int, halo: int
) -> None:
    tile = fit_tile(size, edge, halo)
    assert tile % 32 == 0
    assert tile <= edge
    count = count_tiles(size, tile - 2 * halo, halo)
    assert count == count_tiles(size, edge - 2 * halo, halo)
    assert count * (tile - 2 * halo) + 2 * halo >= size


def test_a_grid_of_one_tile_needs_no_halo() -> None:
    assert fit_tile(700, 768, 48) == 704
    assert fit_tile(5, 512, 48) == 128


def test_what_is_set_stays() -> None:
    wanted = PredictionSettings(tile_px=128, halo_px=16, batch_size=3)
    tiling = choose_tiling((960, 960), 1.0, wanted, {256: 1e9})
    assert (tiling.height, tiling.width, tiling.batch) == (128, 128, 3)


def test_unmeasured_tiles_compute_the_fewest_pixels() -> None:
    tiling = choose_tiling((1000, 660), 0.6, MEASURED)
    assert (tiling.height, tiling.width) == (576, 672)  # two of them; 256 would compute 1.9 times
    assert tiling.batch == 1


def test_measured_speeds_decide() -> None:
    fast_when_small = {256: 10.0, 384: 1.0, 512: 1.0, 768: 1.0}
    tiling = choose_tiling((10_000, 10_000), 0.6, MEASURED, fast_when_small)
    assert max(tiling.height, tiling.width) == 256
    assert tiling.batch == 9


@pytest.mark.parametrize(("batch_mpx", "halo"), [(0.6, 48), (8.0, 0), (0.01, 48), (0.6, 512)])
def test_there_is_always_a_tile_with_a_core(batch_mpx: float, halo: int) -> None:
    edges = usable_edges(batch_mpx, halo)
    assert edges
    assert all(edge > 2 * halo and edge % 32 == 0 for edge in edges)


def test_speeds_are_measured_once_for_a_model_and_engine(tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "speeds.json"
    engine = Slow(slow_edge=512)
    first = measure_speeds(engine, 3, MEASURED, cache, "model a")
    assert first[512] < first[384]
    asked = engine.asked
    assert measure_speeds(engine, 3, MEASURED, cache, "model a") == first
    assert engine.asked == asked
    measure_speeds(engine, 3, MEASURED, cache, "model b")
    assert engine.asked == 2 * asked
    assert len(json.loads(cache.read_text())) == 2


def test_another_number_of_threads_is_measured_anew(tmp_path: Path) -> None:
    cache = tmp_path / "speeds.json"
    all_cores, one_thread = Slow(slow_edge=0), Slow(slow_edge=512)
    measure_speeds(all_cores, 3, MEASURED, cache, "model")
    limited = load_settings(environ={"OMP_NUM_THREADS": "1"}).settings.prediction
    speeds = measure_speeds(one_thread, 3, limited, cache, "model")
    assert one_thread.asked
    assert speeds[512] < speeds[384]
    assert len(json.loads(cache.read_text())) == 2


def test_a_measurement_keeps_what_another_process_measured_meanwhile(tmp_path: Path) -> None:
    cache = tmp_path / "speeds.json"

    class Interrupted(Slow):
        def probabilities(self, batch: np.ndarray) -> np.ndarray:
            if not self.asked:
                measure_speeds(Slow(0), 3, MEASURED, cache, "of another process")
            return super().probabilities(batch)

    measure_speeds(Interrupted(0), 3, MEASURED, cache, "mine")
    assert len(json.loads(cache.read_text())) == 2


def test_a_damaged_cache_is_measured_again(tmp_path: Path) -> None:
    cache = tmp_path / "speeds.json"
    cache.write_text("{")
    assert measure_speeds(Slow(0), 3, MEASURED, cache, "model")


@pytest.mark.parametrize("content", ["[]", "null", '{"KEY": 3}', '{"KEY": {"256": 0}}', "{"])
def test_a_damaged_cache_is_made_anew(content: str, tmp_path: Path) -> None:
    cache = tmp_path / "speeds.json"
    engine = Slow(512)
    measure_speeds(engine, 3, MEASURED, cache, "model")
    (key,) = json.loads(cache.read_text("utf-8"))
    cache.write_text(content.replace("KEY", key), "utf-8")
    engine.asked = 0
    speeds = measure_speeds(engine, 3, MEASURED, cache, "model")
    assert engine.asked
    assert min(speeds.values()) > 0
