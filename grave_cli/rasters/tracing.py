"""Outlines of labels along the edges of their pixels: GDAL's polygonizer, safe in threads."""

from threading import Lock

import numpy as np
import rasterio.features
from numpy.typing import NDArray

import grave_cli.rasters.warning_filters  # noqa: F401 - sets them

# rasterio changes Python's warning filters during the call, and threads share the filters. Calls
# side by side could leave a changed filter behind.
_LOCK = Lock()


def trace_pixel_edges(
    labels: NDArray[np.int32],
) -> tuple[list[NDArray[np.float64]], NDArray[np.intp], NDArray[np.int64]]:
    """Trace the connected regions of equal label; 0 is background.

    Args:
        labels: Region ids.

    Returns:
        Closed rings in pixels, for each region its shell and then its holes; the region of each
        ring; the label of each region.

    Shapes:
        labels: (H, W); each ring: (corners, 2)
    """
    with _LOCK:
        regions = list(rasterio.features.shapes(labels, mask=labels > 0))
    ids = np.array([int(value) for _, value in regions], dtype=np.int64)
    rings = [np.array(ring) for shape, _ in regions for ring in shape["coordinates"]]
    counts = [len(shape["coordinates"]) for shape, _ in regions]
    return rings, np.repeat(np.arange(len(regions)), counts), ids
