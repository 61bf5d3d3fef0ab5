"""A mapped cemetery in, what the report shows of it out: map, review queue, table, histograms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.delivery.grave_columns import FLAG_WORDS, GRAVE_COLUMNS, SHAPES
from grave_cli.mapping.report.pictures import Picture, neighbours, read_pictures
from grave_cli.mapping.report.texts import texts
from grave_cli.mapping.result import PredictionResult
from grave_cli.outlines.polygons import Polygons
from grave_cli.pages.paths import PER_M, bar_m, letters, svg_path
from grave_cli.review.guarantee import Promise, usual_promise
from grave_cli.settings.output import Language

MAX_CARDS = 300
"""Most graves that are shown in the review queue with a picture."""
_BINS = 20
_TOP_PERCENTILE = 99  # of the areas; larger graves belong to the last bar
_FIRST = 0.15  # of the order: worth a look, flagged or not
_HIDDEN = ("cemetery_id", "needs_review")


@dataclass(frozen=True)
class Image:
    """A picture on the map.

    Args:
        address: The picture itself.
        x: Left, in centimetres.
        y: Top.
        width: Width.
        height: Height.
    """

    address: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Grave:
    """A grave or a candidate of the report.

    Args:
        index: Its place among them all; candidates follow the graves.
        name: Its id, or number in words.
        path: Its outline as SVG.
        cells: Its values by column.
        reasons: Why somebody should look at it, in words.
        confidence: Probability that it is right.
        needs_review: Whether somebody should look at it.
        is_candidate: Whether it may be a grave but was not drawn as one.
    """

    index: int
    name: str
    path: str
    cells: Mapping[str, Any]
    reasons: str
    confidence: float
    needs_review: bool
    is_candidate: bool = False


@dataclass(frozen=True)
class Card:
    """A grave or a candidate of the review queue.

    Args:
        index: Its place among them all.
        image: Its picture.
        others: Places of the graves that show on the picture beside it.
    """

    index: int
    image: Image
    others: Sequence[int]


@dataclass(frozen=True)
class Histogram:
    """Graves by a measure.

    Args:
        counts: Graves of each bar.
        edges: Ends of the bars.
    """

    counts: Sequence[int]
    edges: Sequence[float]


@dataclass(frozen=True)
class Report:
    """What the report shows.

    Args:
        cemetery: Name of the cemetery.
        width: Of the map, in centimetres.
        height: Of the map.
        bar_m: Length of its scale bar.
        letters: Height of its letters, in centimetres.
        background: The orthophoto.
        columns: Titles of the columns of the table, by name.
        decimals: Decimals of the columns with numbers.
        places: All graves, then all candidates.
        cards: The review queue, in the order of the ranks.
        in_queue: Number of graves and candidates in the queue, with or without a picture.
        promise: What a review in this order leaves unseen; None if that is not known.
        to_review: Number of graves to review.
        fields: Number of fields.
        rows: Number of rows.
        areas: Graves by area in m2; None without any.
        confidences: Graves by confidence; None without any.
        origin: Provenance.
    """

    cemetery: str
    width: int
    height: int
    bar_m: int
    letters: int
    background: Image
    columns: Mapping[str, str]
    decimals: Mapping[str, int]
    places: Sequence[Grave]
    cards: Sequence[Card]
    in_queue: int
    promise: Promise | None
    to_review: int
    fields: int
    rows: int
    areas: Histogram | None
    confidences: Histogram | None
    origin: Mapping[str, str]

    @property
    def graves(self) -> Sequence[Grave]:
        """The drawn graves."""
        return [place for place in self.places if not place.is_candidate]

    @property
    def candidates(self) -> Sequence[Grave]:
        """The candidates."""
        return [place for place in self.places if place.is_candidate]

    @property
    def area_m2(self) -> float:
        """Area of all graves."""
        return float(sum(grave.cells["area_m2"] for grave in self.graves))


def make_report(orthophoto: Path, result: PredictionResult, language: Language) -> Report:
    """Collect what the report shows.

    Args:
        orthophoto: The mapped image.
        result: The graves.
        language: Of column titles and reasons.

    Raises:
        RasterReadError: The orthophoto is damaged.
    """
    polygons = np.concatenate([result.polygons, result.candidates.polygons])
    grid, order = result.frame, review_order(result)
    queue = order[:MAX_CARDS]
    whole, crops = read_pictures(orthophoto, grid, list(polygons[queue]))
    left, _, _, top = whole.bounds
    corner = np.array([left, top])
    background = _place(whole, corner, grid.metres_per_unit)
    places = [*_graves(result, corner, language), *_candidates(result, corner, language)]
    promises = () if result.review is None else result.review.promises
    names = _columns(result)
    rows = result.attributes
    return Report(
        cemetery=result.cemetery,
        width=background.width,
        height=background.height,
        bar_m=bar_m(background.width, background.height),
        letters=letters(background.width, background.height),
        background=background,
        columns={name: GRAVE_COLUMNS[name].title[language] for name in names},
        decimals={
            name: min(GRAVE_COLUMNS[name].decimals or 0, 2)
            for name in names
            if GRAVE_COLUMNS[name].kind == "float"
        },
        places=places,
        cards=list(_cards(polygons, queue, crops, corner, grid.metres_per_unit)),
        in_queue=len(order),
        promise=usual_promise(promises, len(places)),
        to_review=int(np.count_nonzero(result.column("needs_review"))),
        fields=len({row["field"] for row in rows if row["field"]}),
        rows=len({(row["field"], row["row"]) for row in rows if row["row"]}),
        areas=_histogram([row["area_m2"] for row in rows]),
        confidences=_histogram([row["confidence"] for row in rows], (0.0, 1.0)),
        origin={key: str(value) for key, value in result.provenance.items() if str(value)},
    )


def review_order(result: PredictionResult) -> NDArray[np.intp]:
    """Return what to look at, by rank: the first places of the order, flagged graves, candidates.

    Candidates follow the graves: the third candidate of a map of 90 graves is number 92.
    """
    candidates = result.candidates.attributes
    ranks = [row["review_rank"] for row in (*result.attributes, *candidates)]
    flagged = [row["needs_review"] for row in result.attributes]
    ranked = np.array(ranks, dtype=np.intp)
    needed = np.array([*flagged, *(True for _ in candidates)], dtype=np.bool_)
    needed |= ranked <= round(_FIRST * len(ranked))
    return np.flatnonzero(needed)[np.argsort(ranked[needed], kind="stable")]


def _columns(result: PredictionResult) -> list[str]:
    """Choose the columns of the table: no height without a DEM."""
    with_heights = bool(np.isfinite(result.column("height_m").astype(float)).any())
    return [
        name
        for name in GRAVE_COLUMNS
        if name not in _HIDDEN and (with_heights or name != "height_m")
    ]


def _graves(
    result: PredictionResult, corner: NDArray[np.float64], language: Language
) -> Iterator[Grave]:
    scale = result.grid.metres_per_unit
    id_column = next(iter(result.columns))  # the office's, on a map that continues its survey
    for index, row in enumerate(result.attributes):
        flags = [flag for flag in str(row["flags"]).split(",") if flag]
        flagged = ", ".join(FLAG_WORDS[flag][language] for flag in flags)
        reasons = str(row["review_reason"] or flagged)
        cells = {name: column.cell(row[name]) for name, column in GRAVE_COLUMNS.items()}
        name, shape = str(row[id_column]), SHAPES[str(row["shape"])][language]
        cells |= {"grave_id": name, "flags": flagged, "shape": shape}
        yield Grave(
            index=index,
            name=name,
            path=svg_path(result.polygons[index], corner, scale),
            cells=cells,
            reasons=reasons,
            confidence=float(row["confidence"]),
            needs_review=bool(row["needs_review"]),
        )


def _candidates(
    result: PredictionResult, corner: NDArray[np.float64], language: Language
) -> Iterator[Grave]:
    scale, first = result.grid.metres_per_unit, len(result.polygons)
    rows = zip(result.candidates.polygons, result.candidates.attributes, strict=True)
    for index, (polygon, row) in enumerate(rows):
        cells = dict.fromkeys(GRAVE_COLUMNS)
        name = f"{texts(language)['candidate']} {row['candidate_id']}"
        confidence = GRAVE_COLUMNS["confidence"].cell(row["probability"])
        told = {name: row[name] for name in ("review_rank", "review_reason")}
        cells |= {"grave_id": name, "confidence": confidence, "flags": row["reason"], **told}
        yield Grave(
            index=first + index,
            name=name,
            path=svg_path(polygon, corner, scale),
            cells=cells,
            reasons=", ".join(text for text in (row["reason"], row["review_reason"]) if text),
            confidence=float(row["probability"]),
            needs_review=True,
            is_candidate=True,
        )


def _cards(
    polygons: Polygons,
    queue: NDArray[np.intp],
    crops: Sequence[Picture],
    corner: NDArray[np.float64],
    metres_per_unit: float,
) -> Iterator[Card]:
    tree = shapely.STRtree(polygons)
    for index, crop in zip(queue.tolist(), crops, strict=True):
        others = [other for other in neighbours(tree, crop).tolist() if other != index]
        yield Card(index, _place(crop, corner, metres_per_unit), others)


def _place(picture: Picture, corner: NDArray[np.float64], metres_per_unit: float) -> Image:
    """Place a picture on the map, in whole centimetres."""
    left, bottom, right, top = picture.bounds
    scale = metres_per_unit * PER_M
    x, y = round((left - corner[0]) * scale), round((corner[1] - top) * scale)
    return Image(
        picture.address, x, y, round((right - left) * scale), round((top - bottom) * scale)
    )


def _histogram(
    values: Sequence[float], ends: tuple[float, float] | None = None
) -> Histogram | None:
    if not values:
        return None
    first, last = ends or (0.0, float(np.percentile(values, _TOP_PERCENTILE)) or 1.0)
    counts, edges = np.histogram(np.clip(values, first, last), _BINS, (first, last))
    return Histogram(counts.tolist(), edges.tolist())
