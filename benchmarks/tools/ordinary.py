"""The baseline of `predict.py`: an ordinary prediction loop in torch, with everything in memory.

Windows of 512 pixels that overlap by a quarter, a batch of one, and the mean of overlapping windows
in float64. Then one watershed over the whole raster, and for each grave a mask of the whole raster,
which is polygonised.
"""

import time
from pathlib import Path

import numpy as np
import rasterio.features
import shapely
import torch
from scipy import ndimage
from skimage.segmentation import watershed

from grave_cli.mapping.scene import open_scene, reading_heights
from grave_cli.model.bundle import Bundle
from grave_cli.model.export import load_network
from grave_cli.rasters.orthophoto_pixels import read_orthophoto

WINDOW, STRIDE = 512, 384


def map_ordinarily(bundle: Bundle, orthophoto: Path, dem: Path, grid) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Map an orthophoto on a grid; return the seconds of each stage and the number of graves.

    Args:
        bundle: The model.
        orthophoto: RGBA image.
        dem: Heights.
        grid: The working grid, or a grid of the file's own pixels.
    """
    network = load_network(bundle)
    start = time.perf_counter()
    recipe = bundle.card.recipe
    scene = open_scene(orthophoto, dem, recipe, 3)
    pixels = read_orthophoto(scene.orthophoto, grid)
    with reading_heights(scene) as read_heights:
        heights = read_heights(grid)
    assert heights is not None  # a DEM was given
    inputs = recipe.network_input(pixels.rgb, heights[None], pixels.valid)
    read_s = time.perf_counter() - start
    start = time.perf_counter()
    probabilities = blend(network, inputs)
    network_s = time.perf_counter() - start
    start = time.perf_counter()
    graves = draw(probabilities, bundle.card.decoding.body_threshold)
    draw_s = time.perf_counter() - start
    return {"read": read_s, "network": network_s, "draw": draw_s, "graves": len(graves)}


def blend(network: torch.nn.Module, inputs: np.ndarray) -> np.ndarray:
    """Predict overlapping windows one by one and average them."""
    _, height, width = inputs.shape
    padded = np.pad(inputs, ((0, 0), (0, WINDOW), (0, WINDOW)))
    total, count = np.zeros((3, *padded.shape[1:])), np.zeros(padded.shape[1:])
    for row in range(0, height, STRIDE):
        for column in range(0, width, STRIDE):
            place = (slice(row, row + WINDOW), slice(column, column + WINDOW))
            with torch.no_grad():
                tile = torch.from_numpy(padded[(slice(None), *place)][None])
                total[(slice(None), *place)] += torch.sigmoid(network(tile))[0].numpy()
            count[place] += 1
    return (total / np.maximum(count, 1))[:, :height, :width]


def draw(probabilities: np.ndarray, threshold: float) -> list[shapely.Polygon]:
    """Separate graves over the whole raster, then trace each one from its own mask."""
    body, border, contact = probabilities
    certainty = body * (1 - contact) * (1 - border / 2)
    seeds, _ = ndimage.label(certainty >= threshold)
    labels = watershed(-certainty, seeds, mask=body >= threshold)
    polygons = []
    for label in range(1, int(labels.max()) + 1):
        mask = labels == label
        if mask.sum() < 40:
            continue
        shapes = rasterio.features.shapes(mask.astype(np.uint8), mask=mask)
        polygons += [shapely.geometry.shape(shape).simplify(1) for shape, _ in shapes]
    return polygons
