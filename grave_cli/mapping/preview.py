"""A picture of the result: the orthophoto with the graves outlined, and the truth if known."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grave_cli.drawing import BLUE, GREEN, RED, YELLOW, Layer, overview
from grave_cli.errors import ExportError
from grave_cli.graves.score import match_polygons
from grave_cli.inputs.raster_io import read_orthophoto
from grave_cli.mapping.result import PredictionResult

_LONGEST_SIDE_PX = 2000


def write_preview(
    orthophoto: Path,
    result: PredictionResult,
    path: Path,
    truth: NDArray[np.object_] | None = None,
) -> None:
    """Write an overview as PNG.

    Args:
        orthophoto: The image that was mapped.
        result: What was found.
        path: The picture.
        truth: Graves there are, in the result's CRS: found ones are green, false ones red, missed
            ones blue.

    Raises:
        ExportError: It cannot be written.
    """
    grid = result.grid.coarsened(max(1.0, max(result.grid.shape) / _LONGEST_SIDE_PX))
    pixels = read_orthophoto(orthophoto, grid)
    layers = _layers(result.polygons, truth)
    title = f"{result.cemetery}: {len(result.polygons)} graves"
    picture = overview(pixels.rgb, pixels.valid, grid.transform, layers, title)
    unfinished = path.with_name(f".{path.stem}-unfinished.png")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(unfinished, format="PNG")
        unfinished.replace(path)
    except OSError as error:
        raise ExportError(f"picture cannot be written: {error}", where=path) from None
    finally:
        unfinished.unlink(missing_ok=True)


def _layers(predicted: NDArray[np.object_], truth: NDArray[np.object_] | None) -> list[Layer]:
    if truth is None:
        return [Layer(predicted, YELLOW, "graves")]
    found, hits = match_polygons(truth, predicted)
    missed = np.setdiff1d(np.arange(len(truth)), found)
    false = np.setdiff1d(np.arange(len(predicted)), hits)
    return [
        Layer(truth[missed], BLUE, f"missed ({len(missed)})"),
        Layer(predicted[hits], GREEN, f"found ({len(hits)})"),
        Layer(predicted[false], RED, f"not a grave, or drawn wrongly ({len(false)})"),
    ]
