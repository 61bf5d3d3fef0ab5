"""Agreement of two groupings."""

import numpy as np
import scipy.sparse as sp


def adjusted_rand_index(first: np.ndarray, second: np.ndarray) -> float:
    """Compare two groupings of the same things: 1 for the same groups, about 0 for chance.

    Source:
        Hubert and Arabie, "Comparing partitions", 1985.
    """
    groups = [np.unique(labels, return_inverse=True)[1] for labels in (first, second)]
    both = sp.coo_array((np.ones(len(first)), tuple(groups))).tocsr().data
    common, one, other = (_pairs(sizes) for sizes in (both, *map(np.bincount, groups)))
    chance = one * other / max(_pairs(np.array([len(first)])), 1)
    most = (one + other) / 2
    return 1.0 if most == chance else float((common - chance) / (most - chance))


def _pairs(sizes: np.ndarray) -> float:
    return float((sizes * (sizes - 1.0) / 2).sum())
