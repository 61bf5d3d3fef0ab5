import numpy as np
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from grave_cli.mapping.sections import plan_sections, window_around
from grave_cli.mapping.tiling import Tiling
from grave_cli.rasters.grid import WorkingGrid


def grid_of(height: int, width: int) -> WorkingGrid:
    return WorkingGrid("EPSG:25832", Affine(0.05, 0, 0, 0, -0.05, 0), width, height, 0.05)


@settings(deadline=None)
@given(
    height=st.integers(1, 700),
    width=st.integers(1, 700),
    tile=st.tuples(st.sampled_from([64, 96, 160]), st.sampled_from([64, 96, 160])),
    halo=st.integers(0, 24),
    batch=st.integers(1, 20),
    whole_rows=st.booleans(),
)
def test_each_pixel_belongs_to_one_section_and_to_one_of_its_tiles(
    height: int, width: int, tile: tuple[int, int], halo: int, batch: int, whole_rows: bool
) -> None:
    tiling = Tiling(*tile, halo, batch)
    plan = plan_sections(grid_of(height, width), tiling, whole_rows=whole_rows)
    owners = np.zeros((height, width), int)
    for section in plan.sections:
        row, column = section.index
        assert section.core.row_off == (row * plan.height + halo if row else 0)
        assert section.core.col_off == (column * plan.width + halo if column else 0)
        inside = np.zeros_like(owners)
        for one in section.tiles:
            inside[one.core.toslices()] += 1
            assert (one.window.height, one.window.width) == tile
            for inner, core, size, whole in (
                (one.core_in_tile[0], one.core.toslices()[0], tile[0], height),
                (one.core_in_tile[1], one.core.toslices()[1], tile[1], width),
            ):
                assert inner.start == (halo if core.start else 0)  # no halo beyond the grid
                assert inner.stop == size - halo or core.stop == whole
        assert (inside[section.core.toslices()] == 1).all()
        assert inside.sum() == section.core.height * section.core.width
        owners += inside
    assert (owners == 1).all()
    if whole_rows:
        assert all(section.core.width == width for section in plan.sections)


def test_sections_stay_small_however_large_the_grid() -> None:
    plan = plan_sections(grid_of(40_000, 60_000), Tiling(512, 512, 48, 2))
    largest = max(
        window_around(s.tiles).height * window_around(s.tiles).width for s in plan.sections
    )
    assert largest < 3.5e6


def test_a_small_grid_still_has_sections_to_read_ahead() -> None:
    assert len(plan_sections(grid_of(1100, 1050), Tiling(384, 384, 48, 1)).sections) >= 4
