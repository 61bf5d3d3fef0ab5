"""A picture of a map: the orthophoto with outlined graves, and the ground truth if known."""

from pathlib import Path

from grave_cli.atomic_writes import whole_file
from grave_cli.drawing.outlines import verdict_layers
from grave_cli.drawing.overview import overview
from grave_cli.mapping.result import PredictionResult
from grave_cli.outlines.polygons import Polygons
from grave_cli.rasters.orthophoto import inspect_orthophoto
from grave_cli.rasters.orthophoto_pixels import read_orthophoto

_LONGEST_SIDE_PX = 2000


def write_preview(
    orthophoto: Path,
    result: PredictionResult,
    path: Path,
    truth: Polygons | None = None,
) -> None:
    """Write an overview as PNG.

    Args:
        orthophoto: The mapped image.
        result: The graves.
        path: The picture.
        truth: Graves there are, in the result's CRS: found ones are green, false ones red, missed
            ones blue.

    Raises:
        ExportError: It cannot be written.
    """
    grid = result.grid.coarsened(max(1.0, max(result.grid.shape) / _LONGEST_SIDE_PX))
    pixels = read_orthophoto(inspect_orthophoto(orthophoto), grid)
    layers = verdict_layers(result.polygons, truth)
    title = f"{result.cemetery}: {len(result.polygons)} graves"
    picture = overview(pixels.rgb, pixels.valid, grid.transform, layers, title)
    with whole_file(path) as new:
        picture.save(new, format="PNG")
