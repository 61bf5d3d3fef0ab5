import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.windows import Window

from grave_cli.mapping.probability_map import (
    ProbabilityMap,
    SectionFiles,
    is_valid,
    mark_valid,
    to_levels,
    to_probabilities,
)
from grave_cli.rasters.grid import WorkingGrid

GRID = WorkingGrid("EPSG:25832", Affine(0.05, 0, 0, 0, -0.05, 0), 25, 19, 0.05)
LEVELS = np.random.default_rng(0).integers(1, 256, (3, 19, 25), dtype=np.uint8)


def in_sections(height: int, width: int, shelf: object, margin: int = 0) -> ProbabilityMap:
    kept = ProbabilityMap(GRID, height, width, shelf, margin)  # type: ignore[arg-type]
    rows, columns = (
        [0, *range(margin + step, size - margin, step), size]
        for step, size in ((height, 19), (width, 25))
    )
    for row, (top, bottom) in enumerate(pairwise(rows)):
        for column, (left, right) in enumerate(pairwise(columns)):
            kept.shelf[row, column] = LEVELS[:, top:bottom, left:right]
    return kept


@settings(deadline=None)
@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    row=st.integers(-5, 22),
    column=st.integers(-5, 28),
    size=st.tuples(st.integers(1, 30), st.integers(1, 30)),
    margin=st.integers(0, 14),
)
def test_a_window_over_any_sections_is_that_of_the_whole(
    height: int, width: int, row: int, column: int, size: tuple[int, int], margin: int
) -> None:
    found = in_sections(height, width, {}, margin).read(Window(column, row, size[1], size[0]))
    around = np.pad(LEVELS, ((0, 0), (5, 60), (5, 60)))
    expected = around[:, row + 5 : row + 5 + size[0], column + 5 : column + 5 + size[1]]
    assert (found == expected).all()


def test_sections_in_files_are_those_in_memory(tmp_path: Path) -> None:
    kept = in_sections(8, 10, SectionFiles(tmp_path))
    assert (kept.read(GRID.window) == LEVELS).all()
    assert (1, 2) in kept.shelf
    assert (3, 0) not in kept.shelf
    stored = sum(path.stat().st_size for path in tmp_path.iterdir())
    headers = 128 * len(list(tmp_path.iterdir()))
    assert stored == 3 * LEVELS[0].size + headers


def test_a_section_that_was_not_finished_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = SectionFiles(tmp_path)

    def interrupted(new: Path, path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files[0, 0] = LEVELS
    assert (0, 0) not in files


def test_what_is_valid_can_be_told_from_the_levels() -> None:
    valid = np.random.default_rng(1).random((19, 25)) < 0.5
    levels = LEVELS.copy()
    levels[:, :5] = 0
    marked = mark_valid(levels, valid)
    assert (is_valid(marked) == valid).all()
    assert (marked[:, ~valid] == 0).all()
    assert np.abs(marked.astype(int) - levels * valid).max() <= 1


def test_probabilities_come_back_within_half_a_level() -> None:
    values = np.linspace(0, 1, 1001, dtype=np.float32)
    assert np.abs(to_probabilities(to_levels(values)) - values).max() <= 0.5 / 255 + 1e-6
