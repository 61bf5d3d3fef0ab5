"""Outlines of the graves of one cemetery in; field, row, number and a readable id out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grave_cli.register.directions import row_directions
from grave_cli.register.frames import Ints, measure_frames
from grave_cli.register.neighbours import measure_pairs, near_pairs
from grave_cli.register.numbering import number_graves
from grave_cli.register.rows import find_rows
from grave_cli.settings.register import RegisterSettings


@dataclass(frozen=True)
class Register:
    """The register of a cemetery, one entry for each grave.

    Args:
        field: Number of the field, from 1; 0 for a grave in no field.
        row: Number of the row in the field, from 1; 0 for a grave in no row.
        number: Number in the row; of graves without a row, number among those of the field.
        grave_id: Unique id: `<cemetery>-F02-R07-013`.
        taken: How many numbers it takes: 2 for a double grave if the settings say so.
    """

    field: Ints
    row: Ints
    number: Ints
    grave_id: tuple[str, ...]
    taken: Ints

    def take(self, index: Ints) -> "Register":
        """Select graves by their indices, in the wanted order."""
        ids = tuple(self.grave_id[one] for one in index)
        columns = (self.field[index], self.row[index], self.number[index])
        return Register(*columns, ids, self.taken[index])

    @property
    def order(self) -> Ints:
        """The graves by field, row and number; graves without a row or field come last."""
        keys = (self.number, self.row, self.row == 0, self.field, self.field == 0)
        return np.lexsort(keys)


def register_graves(
    polygons: NDArray[np.object_],
    cemetery: str,
    settings: RegisterSettings,
    metres_per_unit: float = 1.0,
) -> Register:
    """Find the field, the row and the number of each grave.

    The geometry alone decides: the order of the outlines makes no difference, nor does a map that
    is shifted, turned a little or redrawn a few centimetres off.

    Args:
        polygons: Outlines in a projected CRS; valid and not empty.
        cemetery: Cemetery id, the start of every grave id.
        settings: Distances, start and direction of the numbers.
        metres_per_unit: Metres on the ground per unit of the CRS.
    """
    if not len(polygons):
        nothing = np.zeros(0, np.intp)
        return Register(nothing, nothing, nothing, (), nothing)
    frames = measure_frames(polygons, metres_per_unit)
    reach_m = max(settings.path_m, settings.aisle_m) + 1.0
    first, second = near_pairs(frames, np.arange(len(polygons)), reach_m)
    pairs = measure_pairs(frames, first, second, frames.angles, 4)
    directions = row_directions(frames, pairs)
    pairs = measure_pairs(frames, first, second, directions, 2)
    rows = find_rows(frames, directions, pairs, settings)
    numbers = number_graves(frames, directions, rows, settings)
    parts = zip(numbers.field, numbers.row, numbers.number, strict=True)
    ids = tuple(f"{cemetery}-F{field:02d}-R{row:02d}-{number:03d}" for field, row, number in parts)
    return Register(numbers.field, numbers.row, numbers.number, ids, numbers.taken)
