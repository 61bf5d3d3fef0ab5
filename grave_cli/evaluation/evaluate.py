"""A map and the ground truth as vector files in, an evaluation of the map out."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grave_cli.delivery.simple_files import SHAPEFILE_NAMES, long_names
from grave_cli.errors import DatasetError
from grave_cli.evaluation.breakdown import Group, by_values
from grave_cli.evaluation.grave_file import (
    PlacedGraves,
    place,
    read_area,
    read_file_graves,
    refuse_apart,
)
from grave_cli.evaluation.judgement import Judgement, judge
from grave_cli.evaluation.review_curve import ReviewCurve, review_curve
from grave_cli.evaluation.scorecard import Scorecard, fill_scorecard
from grave_cli.settings.inputs import DataSettings
from grave_cli.vectors.areas import within_area
from grave_cli.vectors.vector_io import GRAVE_LAYER, LayerChoice
from grave_cli.vectors.yes_and_no import is_yes

_ID, _CONFIDENCE, _REVIEW, _FLAGS = "grave_id", "confidence", "needs_review", "flags"
_RANK = "review_rank"


@dataclass(frozen=True)
class Evaluation:
    """An evaluation of a map against the ground truth.

    Args:
        prediction: The map, in a frame of metres.
        truth: The true graves, in the same frame.
        judgement: Matches, mistakes and distances, grave by grave.
        scorecard: Summary of the judgement.
        attribute: Column of the truth used by `by_attribute`; empty: none.
        by_attribute: Scores by the values of that column.
        review: Mistakes that a review would find; None for a map without flags or confidence.
        notes: Repairs and omissions while reading the files.
    """

    prediction: PlacedGraves
    truth: PlacedGraves
    judgement: Judgement
    scorecard: Scorecard
    attribute: str
    by_attribute: tuple[Group, ...]
    review: ReviewCurve | None
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers by name, for JSON."""
        return {
            "prediction": str(self.prediction.path),
            "truth": str(self.truth.path),
            **self.scorecard.as_dict(),
            "attribute": self.attribute,
            "by_attribute": [asdict(group) for group in self.by_attribute],
            "review": None if self.review is None else asdict(self.review),
            "notes": list(self.notes),
        }


def evaluate_files(
    prediction: Path,
    truth: Path,
    data: DataSettings,
    *,
    prediction_layer: str = "",
    attribute: str = "",
    area: Path | None = None,
) -> Evaluation:
    """Compare a map with the ground truth in true metres, in any CRS.

    Args:
        prediction: Predicted graves: vector file of any supported format.
        truth: True graves, in a file of the same formats. Duplicate outlines count once.
        data: Layer and filter of the truth, layer of the area.
        prediction_layer: Layer of the prediction; empty: `graves`, or the only polygon layer.
        attribute: Column of the truth to score by; empty: none.
        area: File with the labelled part of the cemetery: graves whose centroid lies elsewhere do
            not count, neither true nor predicted ones. None: all count.

    Raises:
        DatasetError: A file cannot be used, the column is missing, or the files are of different
            places.
    """
    known = read_file_graves(truth, _truth_choice(data), {attribute} - {""})
    crs = known.features.crs
    layer = LayerChoice(prediction_layer, preferred=GRAVE_LAYER, named_with="--prediction-layer")
    columns = (_ID, _CONFIDENCE, _REVIEW, _FLAGS, _RANK, *SHAPEFILE_NAMES.values())
    drawn = read_file_graves(prediction, layer, columns, crs)
    frame = known.frame if len(known.features.geometries) else drawn.frame
    mapped = _with_long_names(place(drawn, frame, drop_duplicates=False))
    graves = place(known, frame, drop_duplicates=True)
    _refuse_unknown(attribute, graves)
    refuse_apart(mapped, graves)
    if area is not None:
        labelled = read_area(area, frame, crs, data.area_layer)
        mapped, graves = (f.take(within_area(f.polygons, labelled)) for f in (mapped, graves))
    return _evaluate(mapped, graves, attribute)


def _evaluate(mapped: PlacedGraves, graves: PlacedGraves, attribute: str) -> Evaluation:
    confidence, complaints = _read_confidence(mapped)
    judgement = judge(graves.polygons, mapped.polygons, confidence)
    asked, ranks = _needs_review(mapped.values), _read_ranks(mapped.values)
    return Evaluation(
        prediction=mapped,
        truth=graves,
        judgement=judgement,
        scorecard=fill_scorecard(judgement),
        attribute=attribute,
        by_attribute=by_values(judgement, graves.values[attribute]) if attribute else (),
        review=None if asked is None else review_curve(judgement, asked, ranks),
        notes=(*mapped.notes, *graves.notes, *complaints, *_odd_files(mapped, graves)),
    )


def _with_long_names(mapped: PlacedGraves) -> PlacedGraves:
    """Undo the short names of columns of a map that was written as a Shapefile."""
    long = long_names(mapped.columns)
    return replace(mapped, values={long[n]: column for n, column in mapped.values.items()})


def _odd_files(mapped: PlacedGraves, graves: PlacedGraves) -> Iterator[str]:
    """Say what makes scores meaningless: a file without graves, or one file as both."""
    for file in (mapped, graves):
        if not len(file.polygons):
            yield f"{file.path}: holds no graves"
    if os.path.exists(mapped.path) and mapped.path.samefile(graves.path):
        yield "map and ground truth are the same file"


def _truth_choice(data: DataSettings) -> LayerChoice:
    return LayerChoice(
        data.annotation_layer,
        data.annotation_filter,
        GRAVE_LAYER,
        besides=data.area_layer,
        named_with="--truth-layer",
    )


def _refuse_unknown(attribute: str, graves: PlacedGraves) -> None:
    if attribute and attribute not in graves.columns:
        raise DatasetError(
            "column is missing",
            where=graves.path,
            found=", ".join(graves.columns) or "no columns",
            expected=attribute,
            remedy="choose one of the columns found with --by-attribute",
        )


def _read_confidence(mapped: PlacedGraves) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Return the confidences, or a note on why they cannot be used."""
    column = mapped.values.get(_CONFIDENCE)
    if column is None:
        return None, ()
    try:
        values = np.array([np.nan if value is None else float(value) for value in column])
    except (TypeError, ValueError):
        values = np.array([np.inf])
    if np.nanmin(values, initial=0) < 0 or np.nanmax(values, initial=1) > 1:
        return None, (f"{mapped.path}: confidence ignored, not all values are numbers in [0, 1]",)
    return values, ()


def _read_ranks(values: Mapping[str, NDArray[np.object_]]) -> NDArray[np.float64] | None:
    """Read the ranks of the review, NaN for a grave without one; None if they are no numbers."""
    try:
        ranks = [np.nan if rank is None else float(rank) for rank in values.get(_RANK, ())]
    except (TypeError, ValueError):
        return None
    return np.array(ranks) if len(ranks) and np.isfinite(ranks).any() else None


def _needs_review(values: Mapping[str, NDArray[np.object_]]) -> NDArray[np.bool_] | None:
    """Find the graves that need a review: by that column, else by flags, else none.

    Returns:
        None if the map has neither of these columns nor a confidence.
    """
    for name in (_REVIEW, _FLAGS):
        if name in values:
            return np.array([is_yes(value) for value in values[name]], dtype=np.bool_)
    if _CONFIDENCE in values:
        return np.zeros(len(values[_CONFIDENCE]), np.bool_)
    return None
