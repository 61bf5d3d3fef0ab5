"""Who owns a grave that lies in two places: the one that its centroid lies in."""

import numpy as np
from numpy.typing import NDArray

from grave_cli.graves.instances import centroids


def owned_labels(labels: NDArray[np.int32], area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say which graves have their centroid in an area.

    Args:
        labels: Grave ids from 1.
        area: True within it.

    Shapes:
        labels: (H, W); area: (H, W); returns: (largest id + 1,), entry 0 is for the background
    """
    rows, columns = np.nan_to_num(centroids(labels)).astype(np.intp).T
    return np.concatenate([[False], area[rows, columns]])
