"""Result of mapping a cemetery, and its score where the ground truth is known."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window

from grave_cli.delivery.grave_columns import GRAVE_COLUMNS
from grave_cli.delivery.layer import Column, Layer
from grave_cli.evaluation.judgement import Judgement, judge_on_ground
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.grid import WorkingGrid

if TYPE_CHECKING:
    from grave_cli.mapping.review import ReviewedMap


def _nothing() -> Polygons:
    return np.zeros(0, dtype=object)


@dataclass(frozen=True)
class Candidates:
    """Places that may be graves but were not drawn as such.

    Args:
        polygons: Outlines in the grid's CRS; valid, without overlaps among them or with graves.
        attributes: One row per candidate, by column name (`delivery.candidate_columns`).
    """

    polygons: Polygons = field(default_factory=_nothing)
    attributes: tuple[Mapping[str, Any], ...] = ()

    def __len__(self) -> int:
        return len(self.polygons)


@dataclass(frozen=True)
class PredictionResult:
    """The graves of a cemetery.

    Args:
        cemetery: Cemetery id.
        grid: The working grid it was mapped on.
        source_crs: CRS of the orthophoto, as WKT: the grid's, or a geographic one.
        polygons: Outlines in the grid's CRS; valid, without overlaps.
        raw_polygons: Outlines before regularisation.
        attributes: One row per grave, by column name; lengths in m, areas in m2.
        coverage: Footprint of the valid imagery, in the grid's CRS.
        provenance: Origin of the map: inputs, model, settings.
        computed_share: Share of the grid with valid pixels.
        features: Evidence behind the confidence of each grave (`graves.confidence`).
        coarse_probability: Thumbnail of the body probability, at most 1000 px long, for pictures;
            None if it was not kept.
        columns: Columns of the attributes, in their order.
        further: More layers to deliver, in the grid's CRS.
        candidates: Places that may be graves.
        review: Evidence behind the order of the review; None if it was not kept.

    Shapes:
        features: (graves, features); coarse_probability: (h, w)
    """

    cemetery: str
    grid: WorkingGrid
    source_crs: str
    polygons: Polygons
    raw_polygons: Polygons
    attributes: tuple[Mapping[str, Any], ...]
    coverage: shapely.MultiPolygon
    provenance: Mapping[str, Any]
    computed_share: float
    features: NDArray[np.float64] | None = None
    coarse_probability: NDArray[np.float32] | None = None
    columns: Mapping[str, Column] = field(default_factory=lambda: GRAVE_COLUMNS)
    further: tuple[Layer, ...] = ()
    candidates: Candidates = field(default_factory=Candidates)
    review: "ReviewedMap | None" = None

    @property
    def crs(self) -> str:
        """CRS of the polygons, as WKT."""
        return self.grid.crs

    @property
    def frame(self) -> WorkingGrid:
        """The part of the grid that was mapped, with all graves and candidates: for pictures."""
        drawn = [self.coverage, *self.polygons, *self.candidates.polygons]
        left, bottom, right, top = shapely.total_bounds(np.array(drawn, dtype=object))
        place = ~self.grid.transform
        (first, above), (last, below) = place @ (left, top), place @ (right, bottom)
        rows, columns = (math.floor(above), math.ceil(below)), (math.floor(first), math.ceil(last))
        around = Window.from_slices(rows, columns, boundless=True)
        return self.grid.crop(around.intersection(self.grid.window))

    def column(self, name: str) -> NDArray[np.object_]:
        """Return an attribute of all graves."""
        return np.array([row[name] for row in self.attributes], dtype=object)


@dataclass(frozen=True)
class ScoredMap:
    """The ground truth of a map, and its judgement.

    Args:
        truth: True graves, in the CRS of the result.
        judgement: The result against them.
    """

    truth: Polygons
    judgement: Judgement


def score_map(result: PredictionResult, truth: Polygons) -> ScoredMap:
    """Judge a map.

    Args:
        result: The map.
        truth: True graves, in the CRS of the result.
    """
    confidence = result.column("confidence").astype(float)
    judgement = judge_on_ground(truth, result.polygons, result.crs, confidence)
    return ScoredMap(truth, judgement)
