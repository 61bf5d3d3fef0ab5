"""A vector file of graves in any CRS in, clean polygons in a frame of metres out."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.errors import DatasetError
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.metric_frame import MetricFrame, frame_around
from grave_cli.vectors.outline_repair import CleanOutlines, clean_outlines
from grave_cli.vectors.vector_io import Features, LayerChoice, read_features

_SMALLEST_M2 = 0.0025  # a pixel of 5 cm; anything smaller is no grave
_APART_M = 100.0


@dataclass(frozen=True)
class GraveFile:
    """The graves of a file, not yet in a frame.

    Args:
        path: The file.
        features: Geometries and the requested columns.
    """

    path: Path
    features: Features

    @property
    def frame(self) -> MetricFrame:
        """The frame around these graves."""
        return frame_around(self.features.geometries, self.features.crs)


@dataclass(frozen=True)
class PlacedGraves:
    """Graves in a frame.

    Args:
        path: Their file.
        polygons: Valid polygons, in metres.
        columns: Names of all columns of the file.
        values: One value per polygon for each requested column that exists.
        notes: Repairs, omissions and how exactly they lie, one line each.
    """

    path: Path
    polygons: Polygons
    columns: tuple[str, ...]
    values: Mapping[str, NDArray[np.object_]]
    notes: tuple[str, ...]

    def take(self, keep: NDArray[np.bool_]) -> "PlacedGraves":
        """Select graves by a mask."""
        values = {name: column[keep] for name, column in self.values.items()}
        return PlacedGraves(self.path, self.polygons[keep], self.columns, values, self.notes)


def read_file_graves(
    path: Path, choice: LayerChoice, columns: Collection[str] = (), crs: str | None = None
) -> GraveFile:
    """Read the graves of a vector file.

    Args:
        path: vector file of any supported format.
        choice: Layer and filter.
        columns: Columns to read, if they exist.
        crs: Target CRS; None keeps that of the file. Transform one of two files into the CRS of the
            other: datum shifts by way of a third CRS can differ by metres.

    Raises:
        DatasetError: The file cannot be read, the layer is ambiguous, or it has no CRS.
    """
    return GraveFile(path, read_features(path, crs, choice, columns=columns))


def place(file: GraveFile, frame: MetricFrame, *, drop_duplicates: bool) -> PlacedGraves:
    """Clean graves and transform them into a frame.

    Args:
        file: The graves.
        frame: Target frame.
        drop_duplicates: Keep only one of duplicate outlines.
    """
    clean = _clean(file.features, frame, drop_duplicates)
    values = {name: column[clean.source] for name, column in file.features.values.items()}
    words = (f"{file.path}: {sentence}" for sentence in clean.findings.sentences())
    notes = (*words, *file.features.notes)
    return PlacedGraves(file.path, clean.polygons, file.features.columns, values, notes)


def read_area(path: Path, frame: MetricFrame, crs: str, layer: str = "") -> shapely.Geometry:
    """Read an area: all polygons of a layer, united.

    Args:
        path: vector file of any supported format.
        frame: Target frame.
        crs: CRS of the graves, through which the area is transformed.
        layer: Layer of the area; empty: `area`, or the only polygon layer.

    Raises:
        DatasetError: The file cannot be read, or has no polygons.
    """
    choice = LayerChoice(layer, preferred="area", named_with="--set data.area_layer")
    outlines = _clean(read_features(path, crs, choice), frame, True).polygons
    if not len(outlines):
        raise DatasetError("area has no polygons", where=path, expected="polygons, or closed lines")
    area = shapely.union_all(outlines)
    shapely.prepare(area)
    return area


def refuse_apart(prediction: PlacedGraves, truth: PlacedGraves) -> None:
    """Refuse files of different places: a score of 0 would hide a wrong CRS.

    Raises:
        DatasetError: The graves of the files lie more than 100 m apart.
    """
    if not (len(prediction.polygons) and len(truth.polygons)):
        return
    boxes = [shapely.box(*shapely.total_bounds(file.polygons)) for file in (prediction, truth)]
    distance = shapely.distance(*boxes)
    if distance > _APART_M:
        raise DatasetError(
            "prediction and truth are of different places",
            where=prediction.path,
            found=f"graves {distance / 1000:,.1f} km from those of {truth.path}",
            expected="one cemetery",
            remedy="check that the files belong together and that both have the right CRS",
        )


def _clean(features: Features, frame: MetricFrame, drop_duplicates: bool) -> CleanOutlines:
    geometries = frame.bring(features.geometries, features.crs)
    return clean_outlines(
        geometries,
        _SMALLEST_M2,
        drop_duplicates=drop_duplicates,
        unreadable=features.unreadable,
    )
