"""Register of sample cemeteries: time, and agreement with the rows they were laid out in.

The adjusted Rand index compares two groupings of the graves: 1 for the same groups, 0 for chance. A
grave without a row is a group of its own. "same ids" is the share of graves that keep their id when
each grave moves by about 2 cm and each corner by about 1 cm.

    python benchmarks/register.py [--quick]
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import shapely
from tools.plain_cemetery import plain_cemetery
from tools.rand_index import adjusted_rand_index
from tools.table import print_table

from grave_cli.register.register import Register, register_graves
from grave_cli.sample_data.known_rows import KnownRows, sample_rows
from grave_cli.sample_data.variety.presets import PRESETS
from grave_cli.settings.register import RegisterSettings

Layout = Callable[[int], KnownRows]
MIN_GRAVES = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4 cemeteries of each kind")
    count = 4 if parser.parse_args().quick else 20
    columns = ["graves", "rows, mean", "rows, lowest", "fields, mean", "same ids"]
    presets = [name for name, preset in PRESETS.items() if preset.habits]
    kinds: dict[str, Layout] = {"plain": plain_cemetery, "default": partial(sample_rows, size_m=50)}
    kinds |= {name: partial(sample_rows, size_m=50, preset=name) for name in presets}
    rows = [[name, *judge(layout, count)] for name, layout in kinds.items()]
    print_table("Adjusted Rand index by layout", ["layout", *columns], rows)
    sizes = [
        [len(known.polygons), time_s(known)] for known in (sample_rows(1, m) for m in (100, 340))
    ]
    print_table("Time", ["graves", "seconds"], sizes)


def judge(layout: Layout, count: int) -> list[object]:
    rng = np.random.default_rng(0)
    found = []
    graves = 0
    for seed in range(count):
        known = layout(seed)
        if len(known.polygons) < MIN_GRAVES:
            continue
        register = register_of(known.polygons)
        moved = register_of(jitter(known.polygons, rng))
        graves += len(known.polygons)
        found.append(
            (
                adjusted_rand_index(known.rows, row_groups(register)),
                adjusted_rand_index(known.sections, register.field),
                np.mean(np.array(register.grave_id) == np.array(moved.grave_id)),
            )
        )
    rows, fields, same = np.array(found).T
    return [graves, rows.mean(), rows.min(), fields.mean(), same.mean()]


def time_s(known: KnownRows) -> float:
    start = time.perf_counter()
    register_of(known.polygons)
    return time.perf_counter() - start


def register_of(polygons: np.ndarray) -> Register:
    return register_graves(polygons, "sample", RegisterSettings())


def row_groups(register: Register) -> np.ndarray:
    """Name the row of each grave; a grave without a row is alone."""
    alone = -1 - np.arange(len(register.row))
    return np.where(register.row > 0, register.field * 10_000 + register.row, alone)


def jitter(polygons: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Move each grave by about 2 cm and each corner by about 1 cm."""
    corners = shapely.get_coordinates(polygons).reshape(-1, 5, 2)[:, :4]
    corners = (
        corners + rng.normal(0, 0.02, (len(corners), 1, 2)) + rng.normal(0, 0.01, corners.shape)
    )
    return shapely.polygons(corners)


if __name__ == "__main__":
    main()
