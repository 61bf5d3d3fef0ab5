"""Labels in, rings along the edges of their pixels out: GDAL's polygonizer, safe in threads."""

from threading import Lock

import numpy as np
import rasterio.features
from numpy.typing import NDArray

# rasterio changes Python's warning filters during the call, and all threads share these.
_ALONE = Lock()


def trace_pixel_edges(
    labels: NDArray[np.int32],
) -> tuple[list[NDArray[np.float64]], NDArray[np.intp], NDArray[np.int64]]:
    """Trace the connected regions of equal label, 0 being background.

    Args:
        labels: Region ids.

    Returns:
        Closed rings in pixels, first the shell of a region and then its holes; the region that each
        ring belongs to; the label of each region.

    Shapes:
        labels: (H, W); each ring: (corners, 2)
    """
    with _ALONE:
        regions = list(rasterio.features.shapes(labels, mask=labels > 0))
    ids = np.array([int(value) for _, value in regions], dtype=np.int64)
    rings = [np.array(ring) for shape, _ in regions for ring in shape["coordinates"]]
    counts = [len(shape["coordinates"]) for shape, _ in regions]
    return rings, np.repeat(np.arange(len(regions)), counts), ids
