"""Places where training chips are cut: near graves, on hard examples, or anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import KDTree

from grave_cli.dataset.cemetery_arrays import CemeteryArrays
from grave_cli.errors import DatasetError
from grave_cli.learning.handing_over import SharedState
from grave_cli.learning.hard_examples import HardExamples
from grave_cli.settings.learning import ChipSettings

_JITTER = 0.35  # of a chip's edge: largest offset of its centre from the place drawn


@dataclass(frozen=True)
class Place:
    """The centre of a chip: a usable pixel of a part.

    Args:
        part: Index of the part.
        row: Row of the pixel.
        column: Column of the pixel.
    """

    part: int
    row: int
    column: int


class ChipPlaces(SharedState):
    """Draws the centres of chips: usable pixels, valid and within the labelled area.

    Graves in dense rows also show in the chips of their neighbours. To show each grave about
    equally often, its weight is one over the number of graves within half a chip of it.

    Args:
        parts: Parts to train on.
        settings: Chip size, and the share of each kind of place.
        generated: Parts that get `chips.generated_share` of the places near graves and of those
            anywhere; hard examples are of any part.

    Raises:
        DatasetError: A part has no usable pixel.
    """

    def __init__(
        self,
        parts: list[CemeteryArrays],
        settings: ChipSettings,
        generated: Sequence[CemeteryArrays] = (),
    ) -> None:
        self.parts = [*parts, *generated]
        self.settings = settings
        own, share = len(parts), settings.generated_share
        self._usable_by_row = [_count_usable(part) for part in self.parts]
        areas = np.array([rows.sum() for rows in self._usable_by_row], dtype=np.float64)
        self.usable_px = float(areas[:own].sum())
        self._by_area = _shared(areas, np.arange(len(areas)) >= own, share)
        self._graves = np.concatenate([_grave_pixels(n, part) for n, part in enumerate(self.parts)])
        weights = np.concatenate([_weights(part, settings.size_px / 2) for part in self.parts])
        self._by_grave = _shared(weights, self._graves[:, 0] >= own, share)

    def draw(self, rng: np.random.Generator, examples: HardExamples) -> Place:
        """Draw a place.

        Args:
            rng: Random generator.
            examples: Hard examples; while there are none, places are anywhere instead.
        """
        if rng.random() < self.settings.grave_share:
            return self.draw_grave(rng)
        if rng.random() < self.settings.revisit_share and len(examples):
            return self._near(*examples.draw(rng), rng)
        return self._anywhere(int(rng.choice(len(self.parts), p=self._by_area)), rng)

    def draw_grave(self, rng: np.random.Generator) -> Place:
        """Draw a place near a grave."""
        part, row, column = rng.choice(self._graves, p=self._by_grave)
        return self._near(int(part), int(row), int(column), rng)

    def _near(self, part: int, row: int, column: int, rng: np.random.Generator) -> Place:
        """Draw a usable pixel near a pixel, or anywhere in the part if there is none."""
        moved = rng.uniform(-_JITTER, _JITTER, 2) * self.settings.size_px
        # If the random offset leads out of the usable area, none is used.
        for down, right in (moved, (0.0, 0.0)):
            place = Place(part, int(row + down), int(column + right))
            if _is_usable(self.parts[part], place):
                return place
        return self._anywhere(part, rng)

    def _anywhere(self, part: int, rng: np.random.Generator) -> Place:
        """Draw a usable pixel of a part, with uniform probability."""
        # Row first, then pixel: a list of all usable pixels would be large.
        rows = self._usable_by_row[part]
        row = int(rng.choice(len(rows), p=rows / rows.sum()))
        usable = np.flatnonzero(_usable_row(self.parts[part], row))
        return Place(part, row, int(rng.choice(usable)))


def _shared(
    weights: NDArray[np.float64], is_generated: NDArray[np.bool_], share: float
) -> NDArray[np.float64]:
    """Turn weights into probabilities of which the generated ones get a share."""
    shares: NDArray[np.float64] = (1 - share) * weights / weights[~is_generated].sum()
    if is_generated.any():
        shares[is_generated] = share * weights[is_generated] / weights[is_generated].sum()
    return shares


def _count_usable(part: CemeteryArrays) -> NDArray[np.int64]:
    """Count the usable pixels of each row; refuse a part without any."""
    rows: NDArray[np.int64] = part.scored.sum(axis=1)
    if not rows.any():
        raise DatasetError(
            f"nothing to train on in {part.part.name}",
            where=part.part.cemetery.orthophoto,
            found="no valid pixel within the labelled area",
        )
    return rows


def _is_usable(part: CemeteryArrays, place: Place) -> bool:
    height, width = part.grid.shape
    within = 0 <= place.row < height and 0 <= place.column < width
    return within and bool(_usable_row(part, place.row)[place.column])


def _usable_row(part: CemeteryArrays, row: int) -> NDArray[np.bool_]:
    valid: NDArray[np.bool_] = part.valid[row]
    return valid if part.labelled is None else valid & part.labelled[row]


def _grave_pixels(number: int, part: CemeteryArrays) -> NDArray[np.int64]:
    """List part, row and column of the centroid of each grave."""
    points = shapely.get_coordinates(shapely.centroid(part.graves))
    columns, rows = ~part.grid.transform @ (points[:, 0], points[:, 1])
    pixels = np.floor(np.column_stack([rows, columns])).astype(np.int64)
    return np.column_stack([np.full(len(pixels), number), pixels])


def _weights(part: CemeteryArrays, reach_px: float) -> NDArray[np.float64]:
    """Weigh each grave by one over the number of graves in a square around it, itself included."""
    pixels = _grave_pixels(0, part)[:, 1:]
    if not len(pixels):  # ground without graves
        return np.zeros(0)
    tree = KDTree(pixels)
    # With p = infinity, the points within reach form a square, like a chip.
    counts = tree.query_ball_point(pixels, reach_px, p=np.inf, return_length=True)
    return np.asarray(1.0 / counts)
