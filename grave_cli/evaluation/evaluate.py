"""A map and the truth as vector files in, how good the map is out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

_ID, _CONFIDENCE, _REVIEW, _FLAGS = "grave_id", "confidence", "needs_review", "flags"


@dataclass(frozen=True)
class Evaluation:
    """How good a map is.

    Args:
        prediction: The map, in a frame of metres.
        truth: The graves there are, in the same frame.
        judgement: What matches what.
        scorecard: That, summed up.
        attribute: Column of the truth that `by_attribute` goes by; empty: none.
        by_attribute: Scores by the values of that column.
        review: What reviewing the flagged graves would find; None for a map without flags or
            confidence.
        notes: What was mended or left out on reading.
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
    """Compare a map with the truth, in true metres, whatever the CRS of either.

    Args:
        prediction: Graves drawn: GeoPackage, GeoJSON, Shapefile or FlatGeobuf.
        truth: Graves there are; the same kinds of file. Outlines drawn twice are taken once.
        data: Layer and filter of the truth, layer of the area.
        prediction_layer: Layer of the prediction; empty: the only one of polygons, or `graves`.
        attribute: Column of the truth to score by; empty: none.
        area: File with the part that has been labelled: graves whose centroid lies elsewhere do not
            count, on either side. None: all count.

    Raises:
        DatasetError: A file cannot be used, the column is missing, or the files are of two places.
    """
    known = read_file_graves(truth, _truth_choice(data), {attribute} - {""})
    crs = known.features.crs
    layer = LayerChoice(prediction_layer, preferred=GRAVE_LAYER, named_with="--prediction-layer")
    drawn = read_file_graves(prediction, layer, (_ID, _CONFIDENCE, _REVIEW, _FLAGS), crs)
    frame = known.frame if len(known.features.geometries) else drawn.frame
    mapped = place(drawn, frame, drop_duplicates=False)
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
    asked = _needs_review(mapped.values)
    return Evaluation(
        prediction=mapped,
        truth=graves,
        judgement=judgement,
        scorecard=fill_scorecard(judgement),
        attribute=attribute,
        by_attribute=by_values(judgement, graves.values[attribute]) if attribute else (),
        review=None if asked is None else review_curve(judgement, asked),
        notes=tuple(f"{file.path}: {n}" for file in (mapped, graves) for n in file.notes)
        + complaints,
    )


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
            "no such column",
            where=graves.path,
            found=", ".join(graves.columns) or "no columns",
            expected=attribute,
            remedy="name one of them with --by-attribute",
        )


def _read_confidence(mapped: PlacedGraves) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Return the confidences if they are any, else why they are not used."""
    column = mapped.values.get(_CONFIDENCE)
    if column is None:
        return None, ()
    try:
        values = np.array([np.nan if value is None else float(value) for value in column])
    except (TypeError, ValueError):
        values = np.array([np.inf])
    if np.nanmin(values, initial=0) < 0 or np.nanmax(values, initial=1) > 1:
        return None, (f"{mapped.path}: its confidence is no number in [0, 1] and is not used",)
    return values, ()


def _needs_review(values: Mapping[str, NDArray[np.object_]]) -> NDArray[np.bool_] | None:
    """Say which graves the map asks to review: by that column, else by flags, else none.

    Returns:
        None where the map has neither these columns nor a confidence to review by.
    """
    for name in (_REVIEW, _FLAGS):
        if name in values:
            return np.array([bool(value) for value in values[name]], dtype=np.bool_)
    if _CONFIDENCE in values:
        return np.zeros(len(values[_CONFIDENCE]), np.bool_)
    return None
