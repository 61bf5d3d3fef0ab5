"""Truth and map as one SVG: every grave in the colour of its verdict, with words to hover over."""

from collections.abc import Iterable
from html import escape

import numpy as np
import shapely
from numpy.typing import NDArray

from grave_cli.evaluation.evaluate import Evaluation
from grave_cli.evaluation.judgement import Judgement
from grave_cli.evaluation.page.style import COLORS, WORDS
from grave_cli.outlines.polygons import Polygons

_PER_M = 100  # SVG units: whole numbers are centimetres
_MARGIN_M = 2.0
_BARS_M = (1, 5, 10, 50, 100, 500, 1000)


def draw_map(evaluation: Evaluation) -> str:
    """Draw the map, north at the top, under a key that hides and shows; nothing without graves."""
    truth, predicted = evaluation.truth.polygons, evaluation.prediction.polygons
    everything = np.concatenate([truth, predicted])
    if not len(everything):
        return ""
    left, bottom, right, top = shapely.total_bounds(everything)
    corner = np.array([left - _MARGIN_M, top + _MARGIN_M])
    verdicts, missed = judge_predictions(evaluation.judgement), judge_missed(evaluation.judgement)
    titles = np.array(list(_titles(evaluation, verdicts)), dtype=object)
    layers = [_layer("truth", _paths(truth, corner))]
    for verdict, color in COLORS.items():
        if verdict == "missed":
            paths = _paths(truth[missed], corner, [WORDS[verdict]] * int(missed.sum()))
        else:
            chosen = verdicts == verdict
            paths = _paths(predicted[chosen], corner, titles[chosen])
        layers.append(_layer(verdict, paths, color))
    width, height = ((side + 2 * _MARGIN_M) * _PER_M for side in (right - left, top - bottom))
    layers.append(_scale_bar(width, height))
    head = f'<svg class="map" viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
    return f"{_key(verdicts, missed)}{head}{''.join(layers)}</svg>"


def judge_predictions(judgement: Judgement) -> NDArray[np.str_]:
    """Give each prediction its verdict: merge, piece, right or false."""
    mistakes = judgement.mistakes
    conditions = [mistakes.is_merge, mistakes.is_piece, judgement.is_right]
    return np.select(conditions, ["merge", "piece", "right"], "false")


def judge_missed(judgement: Judgement) -> NDArray[np.bool_]:
    """Say of each truth whether nothing on the map stands for it, not even wrongly."""
    mistakes = judgement.mistakes
    return ~(judgement.is_found | mistakes.is_merged | mistakes.is_split)


def _titles(evaluation: Evaluation, verdicts: NDArray[np.str_]) -> Iterable[str]:
    """Write of each prediction its id, verdict, overlap, confidence and area."""
    judgement = evaluation.judgement
    unnamed = np.full(len(verdicts), None, dtype=object)
    names = evaluation.prediction.values.get("grave_id", unnamed)
    overlap = np.full(len(verdicts), np.nan)
    overlap[judgement.pairs.predicted] = judgement.pairs.iou
    areas = judgement.predicted_area
    for name, verdict, iou, confidence, area in zip(
        names, verdicts.tolist(), overlap, judgement.confidence, areas, strict=True
    ):
        words = [str(name)] if name is not None else []
        words.append(WORDS[verdict])
        words += [f"IoU {iou:.2f}"] if np.isfinite(iou) else []
        words += [f"confidence {confidence:.2f}"] if np.isfinite(confidence) else []
        yield ", ".join([*words, f"{area:.2f} m²"])


def _layer(name: str, paths: Iterable[str], color: str = "") -> str:
    paint = f' fill="{color}" stroke="{color}"' if color else ""
    return f'<g class="{name}"{paint}>{"".join(paths)}</g>'


def _paths(
    polygons: Polygons, corner: NDArray[np.float64], titles: Iterable[str] | None = None
) -> Iterable[str]:
    words = [""] * len(polygons) if titles is None else titles
    for polygon, title in zip(polygons, words, strict=True):
        hover = f"<title>{escape(title)}</title>" if title else ""
        data = "".join(_ring(ring, corner) for ring in (polygon.exterior, *polygon.interiors))
        yield f'<path d="{data}">{hover}</path>'


def _ring(ring: shapely.LinearRing, corner: NDArray[np.float64]) -> str:
    """Write a ring in whole centimetres, each point as the step from the one before."""
    points = (shapely.get_coordinates(ring)[:-1] - corner) * (_PER_M, -_PER_M)
    whole = np.rint(points).astype(int)
    steps = np.diff(whole, axis=0).tolist()
    return f"M{whole[0][0]} {whole[0][1]}l{' '.join(f'{x} {y}' for x, y in steps)}z"


def _scale_bar(width: float, height: float) -> str:
    """Draw a bar in the lower left corner: the longest of 1, 5, 10 … m that fits a fifth."""
    metres = max((m for m in _BARS_M if m * _PER_M < width / 5), default=_BARS_M[0])
    size = width / 70
    x, y, end = size, height - size, size + metres * _PER_M
    return (
        f'<path class="scale" d="M{x:.0f} {y:.0f}H{end:.0f}"/>'
        f'<text x="{x:.0f}" y="{y - size / 2:.0f}" font-size="{size:.0f}">{metres} m</text>'
    )


def _key(verdicts: NDArray[np.str_], missed: NDArray[np.bool_]) -> str:
    counts = {verdict: int((verdicts == verdict).sum()) for verdict in WORDS}
    counts["missed"] = int(missed.sum())
    entries = [_entry("truth", '<i class="dashed"></i>graves there are')]
    for verdict, color in COLORS.items():
        swatch = f'<i style="background:{color}"></i>'
        entries.append(_entry(verdict, f"{swatch}{WORDS[verdict]} ({counts[verdict]})"))
    return f'<div class="keys">{"".join(entries)}</div>'


def _entry(layer: str, content: str) -> str:
    return f'<label><input type="checkbox" value="{layer}" checked>{content}</label>'
