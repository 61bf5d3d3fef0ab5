"""Outlines in, upright boxes out: the centre of each grave, its direction and its half sizes."""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Frames:
    """The box around each grave, in a frame of its own.

    Args:
        centres: Centres, metres from the middle of the cemetery.
        angles: Directions of the first side, radians anticlockwise from x, in [-pi/4, pi/4).
        halves: Half the sides along `angles` and across, metres.
        clearness: How clearly the outline shows its directions: 0 (a circle) to 1 (a rectangle).

    Shapes:
        centres, halves: (n, 2); angles, clearness: (n,)
    """

    centres: Floats
    angles: Floats
    halves: Floats
    clearness: Floats

    def halves_along(self, index: Ints, angles: Floats) -> Floats:
        """Return half the sides of some graves along other directions and across, metres.

        Directions are rounded to the sides of the box: a quarter turn swaps the sides.
        """
        swapped = np.rint((angles - self.angles[index]) / (np.pi / 2)).astype(int) % 2 == 1
        halves = self.halves[index]
        return np.where(swapped[:, None], halves[:, ::-1], halves)


def measure_frames(polygons: NDArray[np.object_], metres_per_unit: float) -> Frames:
    """Put a box around each grave.

    The direction is the mean of the sides of the convex hull, a side counting by the square of its
    length; a quarter turn makes no difference. Unlike the smallest rectangle, it never jumps when a
    corner moves a little.

    Args:
        polygons: Outlines in a projected CRS.
        metres_per_unit: Metres on the ground per unit of that CRS.
    """
    points, index = shapely.get_coordinates(shapely.convex_hull(polygons), return_index=True)
    points = (points - shapely.get_coordinates(shapely.centroid(polygons)).mean(axis=0)) * (
        metres_per_unit
    )
    sides = np.diff(points, axis=0)[index[1:] == index[:-1]] @ (1, 1j)
    owner, count = index[1:][index[1:] == index[:-1]], len(polygons)
    # A side s as a complex number: s^4 / |s|^2 has four times its angle and the square of its
    # length. Sides at right angles then add up instead of cancelling.
    turned = sides**4 / np.maximum(np.abs(sides) ** 2, 1e-12)
    total = sum_by(owner, turned, count)
    length = np.bincount(owner, np.abs(sides) ** 2, minlength=count)
    angles = np.angle(total) / 4
    local = (points @ (1, 1j)) * np.exp(-1j * angles[index])
    local = np.column_stack([local.real, local.imag])
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    low, high = np.minimum.reduceat(local, starts), np.maximum.reduceat(local, starts)
    centres = ((low + high) / 2 @ (1, 1j)) * np.exp(1j * angles)
    return Frames(
        np.column_stack([centres.real, centres.imag]),
        angles,
        np.asarray((high - low) / 2),
        np.abs(total) / np.maximum(length, 1e-12),
    )


def sum_by(index: Ints, values: NDArray[np.complex128], count: int) -> NDArray[np.complex128]:
    """Add up complex values by index."""
    parts = [np.bincount(index, part, minlength=count) for part in (values.real, values.imag)]
    return np.asarray(parts[0] + 1j * parts[1])
